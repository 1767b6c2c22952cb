/**
 * Where the bytes of one descriptor are: in the kernel and not yet read, in our own queue, in the kernel and not yet taken by the peer.
 * All rows share one scale, from zero; it is a power of four and shrinks only after a while, so bars do not jump.
 */

import { drawn, element, mark, say } from "./dom.js";
import { text } from "./texts.js";
import { bytes, NONE } from "./units.js";

const PLACES = /** @type {const} */ (["in", "queue", "out"]);
const LEAST = 65536; // bytes
const PATIENCE = 40; // pictures before a scale that is too large shrinks

/** @typedef {{in: number | null, queue: number | null, out: number | null}} Levels */

/** @returns {{node: HTMLElement, show: (levels: Levels, full: number) => void}} */
export function levels() {
  const parts = PLACES.map((place) => {
    const figure = element("span", { class: "figure" });
    const fill = drawn("rect", { class: `fill fill-${place}`, width: 0, height: 6 });
    const track = drawn("rect", { class: "track", width: 100, height: 6 });
    const bar = drawn("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, track, fill);
    return { place, figure, fill, node: element("span", { class: "level" }, figure, bar) };
  });
  const node = element("span", { class: "levels", role: "img" }, ...parts.map((part) => part.node));
  return {
    node,
    show(now, full) {
      mark(node, "aria-label", PLACES.map((place) => `${text(`page.level.${place}`)} ${bytes(now[place])}`).join(", "));
      for (const { place, figure, fill, node } of parts) {
        const level = now[place];
        say(figure, level === null ? NONE : level === 0 ? "" : bytes(level));
        mark(fill, "width", level ? Math.min(100, Math.max(1, (100 * level) / full)).toFixed(1) : 0);
        mark(node, "data-name", text(`page.level.${place}`));
        mark(node, "class", `level${level ? "" : " empty"}${level === null ? " unknown" : ""}`);
      }
    },
  };
}

/** The scale that all bars of a page share. */
export class Scale {
  constructor() {
    this.full = LEAST;
    this.tooLarge = 0;
  }

  /** @param {Iterable<Levels>} all @returns {number} bytes of a full bar */
  fit(all) {
    let most = 0;
    for (const now of all) most = Math.max(most, now.in ?? 0, now.queue ?? 0, now.out ?? 0);
    let wanted = LEAST;
    while (wanted < most) wanted *= 4;
    this.tooLarge = wanted < this.full ? this.tooLarge + 1 : 0;
    if (wanted > this.full || this.tooLarge > PATIENCE) {
      this.full = wanted;
      this.tooLarge = 0;
    }
    return this.full;
  }
}
