/** The turn: its ring, what its parts took, the turns before it, and the calls of the one that was chosen. */

import { byId, element, keyed, mark, say } from "./dom.js";
import { figures } from "./figures.js";
import { lampNames, lamps } from "./lamps.js";
import { Ring } from "./ring.js";
import { Strip, workOf } from "./strip.js";
import { text } from "./texts.js";
import { count, duration, NONE, share } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Turn} Turn */
/** @typedef {import("./contract.js").Call} Call */
/** @typedef {import("./ring.js").Arc} Arc */

const PHASES = /** @type {const} */ (["timers", "posted", "wait", "handle"]);
const CALLS = 40; // listed at most
const SLICES = 24; // set apart in the ring at most
const RECENT = 1e9; // ns: the live ring is the mean of this much time, because one turn among thousands would flicker
const CALM = 900; // milliseconds
const STRIDE = 10; // turns that Page Up and Page Down go

/** @typedef {Record<typeof PHASES[number], number>} Parts in ns */

export class TurnView {
  /** @param {{choose: (n: number) => void, step: (by: number) => void, live: () => void}} hands what the reader can do */
  constructor(hands) {
    this.ring = new Ring(byId("ring"));
    this.strip = new Strip(byId("strip"), hands.choose);
    this.said = byId("strip-said");
    this.body = byId("phases");
    this.calls = byId("calls");
    byId("calls-lamps").replaceChildren(lampNames());
    /** @type {Picture | null} */
    this.picture = null;
    this.stripped = -Infinity;
    const heads = ["turn", "work", "handle", "timers", "posted", "wait", "ready", "longest"];
    this.figures = figures(byId("strip-figures"), heads.map((id) => `page.turn.head.${id}`), () => this.#figures());
    byId("strip").addEventListener("keydown", (event) => {
      const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, PageUp: -STRIDE, PageDown: STRIDE });
      const by = steps[event.key];
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (by) hands.step(by);
      else if (event.key === "Escape" || event.key === "End") hands.live();
      else return;
      event.preventDefault();
    });
  }

  /** @param {Picture} picture */
  show(picture) {
    this.picture = picture;
    const { stuck } = picture.turn;
    const parts = this.#parts(picture);
    this.#legend(parts, this.#ring(picture, parts));
    const chosen = picture.selected?.[0] ?? null;
    const growing = picture.live && stuck ? stuck.ns : 0;
    if (!this.#tooSoon(picture)) this.strip.show(picture.strip, { chosen, growing, warn: picture.hello.thresholds.warn_ns });
    this.#say(picture);
    this.#list(picture);
    this.figures.renew();
  }

  /** Whether all turns are others than a moment ago, as when the loop is busy: to be calm, these are left out. @param {Picture} picture */
  #tooSoon({ strip, live, turn }) {
    const now = performance.now();
    const other = (strip[0]?.[0] ?? 0) > (this.strip.turns.at(-1)?.[0] ?? 0);
    if (live && turn.stuck === null && this.strip.chosen === null && other && now - this.stripped < CALM) return true;
    this.stripped = now;
    return false;
  }

  /** @param {Picture} picture @returns {{parts: Parts, turns: number, total: number}} */
  #parts({ selected, strip, turn, live }) {
    const parts = { timers: 0, posted: 0, wait: 0, handle: 0 };
    if (live && turn.stuck) {
      parts[turn.phase] = turn.phase_ns;
      return { parts, turns: 1, total: turn.phase_ns };
    }
    let turns = 0;
    let total = 0;
    for (const each of selected ? [selected] : [...strip].reverse()) {
      if (total > RECENT) break;
      parts.wait += each[2];
      parts.handle += each[3];
      parts.timers += each[4];
      parts.posted += each[5];
      total += each[2] + workOf(each);
      turns += 1;
    }
    return { parts, turns, total };
  }

  /**
   * @param {Picture} picture @param {{parts: Parts, turns: number, total: number}} summed
   * @returns {Set<string>} the parts of which something was held for too long
   */
  #ring(picture, { parts, turns, total }) {
    const whole = total || 1;
    const held = picture.live && picture.turn.stuck !== null;
    /** @type {Arc[]} */
    const arcs = PHASES.map((id) => ({ id, share: parts[id] / whole, held: held && id === picture.turn.phase }));
    if (picture.calls) arcs.splice(-1, 1, ...this.#slices(picture, parts.handle, whole));
    const one = held || picture.selected;
    const n = picture.selected?.[0] ?? picture.turn.n;
    const small = one ? text("page.turn.one", { n }) : text(turns === 1 ? "page.turn.mean.one" : "page.turn.mean", { turns });
    const label = PHASES.map((id) => `${text(`page.phase.${id}`)} ${share(parts[id] / whole)}`).join(", ");
    this.ring.show({ arcs, big: duration(total), small, label: `${small}: ${label}` });
    return new Set(arcs.filter((arc) => arc.held).map((arc) => arc.id));
  }

  /**
   * The handling of one turn, a part for each call; those that are too short to be seen stay together.
   * @param {Picture} picture @param {number} handle @param {number} whole @returns {Arc[]}
   */
  #slices(picture, handle, whole) {
    const { warn_ns } = picture.hello.thresholds;
    const called = (picture.calls ?? []).filter((call) => call.kind === "call");
    const apart = called.filter((call) => call.ns / whole > 0.004).slice(0, SLICES);
    const rest = Math.max(0, handle - apart.reduce((sum, call) => sum + call.ns, 0));
    const slices = apart.map((call) => ({ id: "handle", share: call.ns / whole, held: call.ns >= warn_ns }));
    return [...slices, { id: "handle", share: rest / whole }];
  }

  /** @param {{parts: Parts, total: number}} summed @param {Set<string>} held */
  #legend({ parts, total }, held) {
    keyed(
      this.body,
      PHASES,
      (id) => id,
      (id) => {
        const swatch = element("span", { class: `swatch phase-${id}` });
        const name = element("th", { scope: "row" }, swatch, element("span"));
        return element("tr", {}, name, element("td"), element("td"));
      },
      (row, id) => {
        const [name, took, part] = row.children;
        if (name?.firstElementChild) mark(name.firstElementChild, "class", `swatch phase-${id}${held.has(id) ? " held" : ""}`);
        if (name?.lastElementChild) say(name.lastElementChild, text(`page.phase.${id}`));
        if (took) say(took, duration(parts[id]));
        if (part) say(part, share(total ? parts[id] / total : 0));
      },
    );
  }

  /** @param {Picture} picture */
  #say(picture) {
    const { selected } = picture;
    const strip = this.strip.shown;
    const span = strip.reduce((sum, turn) => sum + turn[2] + workOf(turn), 0);
    const said = selected ? this.#sentence(selected) : text("page.strip.span", { turns: strip.length, ns: span });
    say(this.said, said);
    say(byId("strip-end"), text(selected ? "page.strip.later" : "page.strip.newer"));
    const host = byId("strip");
    const newest = strip.at(-1);
    mark(host, "aria-valuemin", strip[0]?.[0] ?? 0);
    mark(host, "aria-valuemax", newest?.[0] ?? 0);
    mark(host, "aria-valuenow", selected?.[0] ?? newest?.[0] ?? 0);
    if (selected || document.activeElement !== host) mark(host, "aria-valuetext", said);
  }

  /** @param {Turn} turn @returns {string} */
  #sentence(turn) {
    return text("page.strip.turn", { n: turn[0], ns: workOf(turn), wait_ns: turn[2], ready: turn[6] });
  }

  /** @param {Picture} picture */
  #list({ calls, selected }) {
    const host = byId("turn-calls");
    host.hidden = selected === null;
    if (!calls) return;
    const listed = [...calls].sort((a, b) => b.ns - a.ns).slice(0, CALLS).sort((a, b) => a.t0 - b.t0);
    const start = selected?.[1] ?? 0;
    keyed(this.calls, listed.entries(), ([index]) => `${selected?.[0]} ${index}`, ([, call]) => this.#call(call, start));
    const more = byId("calls-more");
    const rest = calls.length - listed.length;
    more.hidden = rest === 0 && calls.length > 0;
    say(more, rest ? text("page.calls.more", { count: rest }) : text("page.calls.none"));
  }

  /** @param {Call} call @param {number} start @returns {HTMLElement} */
  #call(call, start) {
    const lit = element("td");
    if (call.kind === "call") {
      const six = lamps();
      six.show(call.wanted, call.mask);
      lit.append(six.node);
    } else lit.append(text(`page.calls.${call.kind}`));
    const who = call.row ? `${call.row.fd} ${call.name}` : call.name;
    const peer = element("small", {}, call.row?.peer ?? "");
    const long = call.ns >= (this.picture?.hello.thresholds.warn_ns ?? Infinity);
    return element(
      "tr",
      { class: long ? "long" : null },
      element("td", {}, `+${duration(call.t0 - start)}`),
      element("th", { scope: "row" }, who, " ", peer),
      lit,
      element("td", {}, duration(call.ns)),
    );
  }

  /** @returns {string[][]} */
  #figures() {
    return [...(this.picture?.strip ?? [])].reverse().map((turn) => [
      count(turn[0]),
      duration(workOf(turn)),
      duration(turn[3]),
      duration(turn[4]),
      duration(turn[5]),
      duration(turn[2]),
      count(turn[6]),
      turn[7] === null ? NONE : `${duration(turn[8])} · ${turn[7]}`,
    ]);
  }
}
