/**
 * A turn of the loop as a ring: timers, posted calls, waiting, handling, clockwise from the top. An arc is as long as its share of the
 * time. The parts of an arc that are calls of their own are set apart by a hair of paper.
 */

import { drawn, element, keyed, mark, say } from "./dom.js";

/** @typedef {{id: string, share: number, held?: boolean}} Arc one part of the ring; shares add up to 1 */

const RADIUS = 84;
const WIDTH = 22;
const STEP = 0.002; // of the ring
const HAIR = 0.004; // of the ring
const THIN = 0.012; // an arc below this has no room for a hair

/** What is less than a pixel would only tremble. @param {number} part @returns {number} */
const step = (part) => Math.round(part / STEP) * STEP;

export class Ring {
  /** @param {HTMLElement} host */
  constructor(host) {
    this.arcs = drawn("g", { transform: "rotate(-90)" });
    const track = drawn("circle", { class: "ring-track", r: RADIUS, "stroke-width": WIDTH });
    const start = drawn("path", { class: "ring-start", d: "M0 -106 V-66" });
    const way = drawn("path", { class: "ring-way", d: "M6 -104 h9 m-3.5 -3.5 l3.5 3.5 l-3.5 3.5" });
    this.picture = drawn("svg", { viewBox: "-110 -110 220 220", role: "img" }, track, this.arcs, start, way);
    this.big = element("strong");
    this.small = element("span");
    host.append(this.picture, element("p", { class: "ring-middle" }, this.big, this.small));
  }

  /**
   * @param {{arcs: Arc[], big: string, small: string, label: string}} what
   */
  show({ arcs, big, small, label }) {
    let from = 0;
    const placed = arcs.map((arc, index) => {
      const start = from;
      from += arc.share;
      return { ...arc, start, key: `${arc.id} ${index}` };
    });
    keyed(
      this.arcs,
      placed,
      (arc) => arc.key,
      () => drawn("circle", { r: RADIUS, "stroke-width": WIDTH, pathLength: 1 }),
      (node, arc) => {
        const length = step(arc.share > THIN ? arc.share - HAIR : arc.share);
        mark(node, "class", `arc phase-${arc.id}${arc.held ? " held" : ""}`);
        mark(node, "stroke-dasharray", `${(arc.share > 0 ? Math.max(length, STEP) : 0).toFixed(3)} 1`);
        mark(node, "stroke-dashoffset", (-step(arc.start)).toFixed(3));
        mark(node, "visibility", arc.share > 0 ? null : "hidden");
      },
    );
    say(this.big, big);
    say(this.small, small);
    mark(this.picture, "aria-label", label);
  }
}
