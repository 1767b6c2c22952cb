/**
 * The one sentence, and the figures that it rests on. The sentence is seen as often as it changes, but read aloud only when
 * its meaning changes: a time that grows four times a second would let nobody listen.
 */

import { byId, element, keyed, mark, plain, say } from "./dom.js";
import { place, stackList } from "./stack.js";
import { parts, text } from "./texts.js";
import { clock, count, duration, NONE, share } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Verdict} Verdict */

const MINUTE = 60e9; // ns

/** Whose the longest hold was, and when, if it was not just now. @param {Picture} picture @returns {string} */
function longestOf({ live, numbers: { longest } }) {
  if (!longest) return "";
  if (longest.ago_ns) return text("page.longest.who", { name: longest.name, ago_ns: longest.ago_ns });
  return live ? text("page.longest.now", { name: longest.name }) : longest.name;
}

export class VerdictView {
  constructor() {
    this.sentence = byId("sentence");
    this.spoken = byId("spoken");
    this.hold = byId("hold");
    this.meaning = "";
    this.stack = "";
  }

  /** @param {Picture} picture */
  show(picture) {
    const { verdict, numbers, hello } = picture;
    mark(document.body, "data-verdict", verdict.id);
    this.#sentence(verdict);
    const loop = hello.loop === "poise" ? hello.poller : hello.loop;
    say(byId("program"), [hello.program, `pid ${hello.pid}`, loop, `Python ${hello.python}`, hello.system].join(" · "));
    document.title = plain(`${picture.live && picture.turn.stuck ? "■ " : ""}${hello.program} · Poise`);
    say(byId("when"), clock(picture.wall));
    say(byId("mode"), picture.live ? "" : text(hello.replay ? "page.mode.replay" : "page.mode.paused"));
    say(byId("number-busy"), share(numbers.busy));
    const { longest } = numbers;
    say(byId("number-longest"), longest ? duration(longest.ns) : NONE);
    say(byId("longest-who"), longestOf(picture));
    say(byId("number-lag"), duration(numbers.lag_p99_ns));
    say(byId("number-open"), count(numbers.open));
    say(byId("number-turns"), count(numbers.turns_per_s));
    say(byId("number-calls"), text("page.number.calls", { count: numbers.callbacks_per_s }));
    this.#hold(picture);
    this.#findings(picture);
  }

  /** @param {Verdict} verdict */
  #sentence({ id, args }) {
    const full = id.includes(".") ? id : `verdict.${id}`;
    const pieces = parts(full, args);
    keyed(
      this.sentence,
      pieces.entries(),
      ([index, piece]) => `${full} ${index} ${piece.filled}`,
      ([, piece]) => element(piece.filled === null ? "span" : "b"),
      (node, [, piece]) => say(node, piece.text),
    );
    const meaning = `${full} ${args["name"] ?? ""} ${args["fd"] ?? ""} ${args["n"] ?? ""} ${document.documentElement.lang}`;
    if (meaning === this.meaning) return;
    this.meaning = meaning;
    say(this.spoken, pieces.map((piece) => piece.text).join(""));
  }

  /** What holds the loop now, or has held it for too long: for whom, and at which line. @param {Picture} picture */
  #hold(picture) {
    const { turn, live } = picture;
    const hold = live && turn.stuck ? turn.stuck : worstOf(picture);
    this.hold.hidden = hold === null;
    if (!hold) return;
    say(byId("hold-for"), duration(hold.ns));
    say(byId("hold-kind"), text(`kind.${hold.kind}`));
    say(byId("hold-whom"), hold.fd === null ? "" : text("page.hold.whom", { fd: hold.fd, peer: hold.peer || NONE }));
    say(byId("hold-function"), hold.stack.find(([file, line]) => file === hold.file && line === hold.line)?.[2] ?? hold.name);
    say(byId("hold-place"), place(hold.file, hold.line));
    const fold = byId("hold-fold");
    fold.hidden = hold.stack.length === 0;
    const stack = JSON.stringify(hold.stack);
    if (stack === this.stack) return;
    this.stack = stack;
    byId("hold-stack").replaceChildren(stackList(hold.stack));
  }

  /** One line for each finding, so that nobody has to scroll to learn that there is one. @param {Picture} picture */
  #findings({ lints }) {
    const host = byId("findings");
    keyed(
      host,
      lints.slice(0, 3),
      (lint) => `${lint.id} ${lint.fd}.${lint.gen} ${document.documentElement.lang}`,
      () => element("li", {}, element("a", { href: "#lints" })),
      (node, lint) => {
        const { fd, peer } = lint;
        if (node.firstElementChild) say(node.firstElementChild, text(`lint.${lint.id}`, { fd, peer, ...lint.args }));
      },
    );
    host.hidden = lints.length === 0;
  }
}

/** The longest hold that was too long, of the last minute or of the turn that is shown. @param {Picture} picture */
function worstOf({ selected, stalls, at, hello }) {
  const since = selected ? selected[1] : at - MINUTE;
  const found = stalls.filter((stall) => stall.at >= since && stall.ns >= hello.thresholds.warn_ns);
  return found.reduce((a, b) => (a && a.ns >= b.ns ? a : b), /** @type {import("./contract.js").Stall | null} */ (null));
}
