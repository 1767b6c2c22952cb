/**
 * One descriptor as a row of a table: number, what it is, state, lamps, levels, rate, how long it held the loop. The head of the
 * table is the page's.
 */

import { element, mark, say } from "./dom.js";
import { lamps } from "./lamps.js";
import { levels } from "./levels.js";
import { reshape, shape } from "./marks.js";
import { lifeOf } from "./model.js";
import { known, text } from "./texts.js";
import { bytes, count, duration, NONE, rate } from "./units.js";

/** @typedef {import("./contract.js").Row} Row */

/**
 * What a row shows besides its descriptor. @typedef {{
 *   full: number, flag: string | null, called: boolean, holds: boolean,
 * }} Marks `full`: bytes of a full bar; `flag`: the finding about it; `called`: in the turn that is shown; `holds`: the loop, now
 */

/** Bytes that wait anywhere on their way. @param {Row} row @returns {number} */
export const buffered = (row) => (row.in ?? 0) + (row.queue ?? 0) + (row.out ?? 0);

/** @param {string} state @returns {string} */
export const stateWord = (state) => text(`state.${state}`);

/** @param {string} lint @returns {string} its name in a few words */
function flagWord(lint) {
  const id = `page.flag.${lint}`;
  return text(known(id) ? id : "page.flag");
}

/** @returns {{node: HTMLTableRowElement, show: (row: Row, marks: Marks) => void}} */
export function descriptorRow() {
  const fd = element("td", { class: "fd", role: "cell" });
  const what = element("span", { class: "name" });
  const flag = element("a", { class: "flag", href: "#lints", hidden: true }, shape("flag"), element("span"));
  const about = element("small");
  const name = element("th", { scope: "row", role: "rowheader", class: "what" }, what, flag, about);
  const glyph = shape("waiting");
  const word = element("span");
  const state = element("td", { class: "state", role: "cell" }, glyph, word);
  const six = lamps();
  const three = levels();
  const inward = element("span", { class: "inward" });
  const outward = element("span", { class: "outward" });
  const held = element("span");
  const longest = element("small");
  const node = element(
    "tr",
    { role: "row" },
    fd,
    name,
    state,
    element("td", { class: "lit", role: "cell" }, six.node),
    element("td", { class: "bytes", role: "cell" }, three.node),
    element("td", { class: "rate", role: "cell" }, inward, outward),
    element("td", { class: "held-for", role: "cell" }, held, longest),
  );
  return {
    node,
    show(row, { full, flag: finding, called, holds }) {
      mark(node, "data-life", lifeOf(row));
      mark(node, "class", `is-${row.state}${called ? " called" : ""}${finding ? " flagged" : ""}${holds ? " holds" : ""}`);
      say(fd, String(row.fd));
      mark(fd, "title", text("page.wall.life", { gen: row.gen }));
      say(what, row.what);
      say(about, [kindWord(row), row.peer ?? ""].filter(Boolean).join(" · "));
      flag.hidden = finding === null;
      if (finding && flag.lastElementChild) say(flag.lastElementChild, flagWord(finding));
      reshape(glyph, row.state);
      say(word, stateWord(row.state));
      six.show(row.wanted, row.returned);
      three.show(row, full);
      say(inward, row.rate_in ? text("page.wall.in", { rate: rate(row.rate_in) }) : row.rate_out ? "" : NONE);
      say(outward, row.rate_out ? text("page.wall.out", { rate: rate(row.rate_out) }) : "");
      say(held, row.held_ns ? duration(row.held_ns) : NONE);
      say(longest, row.held_ns ? text("page.wall.longest", { ns: row.longest_ns }) : "");
      mark(node, "title", text("page.wall.events", { count: count(row.events), buffered: bytes(buffered(row)) }));
    },
  };
}

/** @param {Row} row @returns {string} */
function kindWord({ kind, page }) {
  const id = `page.kind.${page ? "page" : kind}`;
  return known(id) ? text(id) : kind;
}
