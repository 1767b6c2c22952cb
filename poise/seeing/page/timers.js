/** The timers that are due next, and how late timers have been. */

import { byId, element, keyed, say } from "./dom.js";
import { text } from "./texts.js";
import { count, duration, NONE } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */

const SHOWN = 8;

/** @param {Picture} picture */
export function showTimers({ timers, timersTotal, lags, live }) {
  const { p50, p99, max } = lags;
  say(byId("lags"), p99 === null ? text("page.timers.unknown") : text("page.timers.lags", { p50_ns: p50, p99_ns: p99, max_ns: max }));
  byId("timers-table").hidden = timers.length === 0;
  keyed(
    byId("timers-rows"),
    timers.slice(0, SHOWN).entries(),
    ([index]) => String(index),
    () => element("tr", {}, element("th", { scope: "row" }), element("td"), element("td")),
    (node, [, timer]) => {
      const [name, due, every] = node.children;
      if (name) say(name, timer.name);
      if (due) say(due, timer.due_in_ns < 0 ? text("page.timers.late", { ns: -timer.due_in_ns }) : duration(timer.due_in_ns));
      if (every) say(every, timer.every === null ? NONE : duration(timer.every * 1e9));
    },
  );
  const rest = timersTotal - Math.min(timers.length, SHOWN);
  say(byId("timers-more"), !live ? text("page.timers.past") : rest > 0 ? text("page.timers.more", { count: count(rest) }) : "");
}
