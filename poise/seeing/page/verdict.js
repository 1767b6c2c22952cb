/**
 * The one sentence, and the figures that it rests on. The sentence is seen as often as it changes, but read aloud only when
 * its meaning changes: a time that grows four times a second would let nobody listen.
 */

import { byId, element, keyed, mark, say } from "./dom.js";
import { place, stackList } from "./stack.js";
import { parts, text } from "./texts.js";
import { clock, count, duration, NONE, share, since } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Verdict} Verdict */

export class VerdictView {
  constructor() {
    this.sentence = byId("sentence");
    this.spoken = byId("spoken");
    this.stuck = byId("stuck");
    this.meaning = "";
    this.stack = "";
  }

  /** @param {Picture} picture */
  show(picture) {
    const { verdict, numbers, hello } = picture;
    mark(document.body, "data-verdict", verdict.id);
    this.#sentence(verdict);
    say(byId("program"), [hello.program, `pid ${hello.pid}`, hello.poller, `Python ${hello.python}`, hello.system].join(" · "));
    say(byId("when"), clock(picture.wall));
    say(byId("number-busy"), share(numbers.busy));
    const { longest } = numbers;
    say(byId("number-longest"), longest ? duration(longest.ns) : NONE);
    say(byId("longest-who"), longest ? text("page.longest.who", { name: longest.name, ago_ns: longest.ago_ns }) : "");
    say(byId("number-lag"), duration(numbers.lag_p99_ns));
    say(byId("number-open"), count(numbers.open));
    say(byId("number-turns"), count(numbers.turns_per_s));
    say(byId("number-calls"), text("page.number.calls", { count: numbers.callbacks_per_s }));
    this.#stuck(picture);
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

  /** @param {Picture} picture */
  #stuck({ turn, live }) {
    const stuck = live ? turn.stuck : null;
    this.stuck.hidden = stuck === null;
    if (!stuck) return;
    say(byId("stuck-for"), duration(stuck.ns));
    say(byId("stuck-kind"), text(`kind.${stuck.kind}`));
    say(byId("stuck-name"), stuck.name);
    say(byId("stuck-place"), place(stuck.file, stuck.line));
    say(byId("stuck-whom"), stuck.fd === null ? "" : text("page.stuck.whom", { fd: stuck.fd, peer: stuck.peer ?? "" }));
    const stack = JSON.stringify(stuck.stack);
    if (stack === this.stack) return;
    this.stack = stack;
    byId("stuck-stack").replaceChildren(stackList(stuck.stack));
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

/** @param {number} ns @returns {string} */
export const ago = (ns) => text("page.ago", { ago_ns: ns, ago: since(ns) });
