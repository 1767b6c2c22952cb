/** The state of a descriptor, or the kind of a stall, as a shape: colour is never the only sign. */

import { drawn, mark } from "./dom.js";

const SHAPES = /** @type {Record<string, string>} */ ({
  reading: "M6 1.5 A4.5 4.5 0 1 1 5.99 1.5 Z",
  writing: "M6 1 L11.2 10.5 H.8 Z",
  waiting: "M6 3.5 A2.5 2.5 0 1 1 5.99 3.5 Z",
  busy: "M6 .8 L11.2 6 L6 11.2 L.8 6 Z",
  held: "M1 1 H11 V11 H1 Z",
  paused: "M2 1.5 H4.5 V10.5 H2 Z M7.5 1.5 H10 V10.5 H7.5 Z",
  closed: "M2 2 L10 10 M10 2 L2 10",
  flag: "M2.5 11.5 V1 H10.5 L8 4 L10.5 7 H2.5",
});

/** @param {string} state @returns {SVGSVGElement} */
export function shape(state) {
  const path = drawn("path", { d: SHAPES[state] ?? SHAPES["waiting"] ?? "" });
  return drawn("svg", { class: `shape shape-${state}`, viewBox: "0 0 12 12", "aria-hidden": "true" }, path);
}

/** @param {SVGSVGElement} node made by shape() @param {string} state */
export function reshape(node, state) {
  mark(node, "class", `shape shape-${state}`);
  const path = node.firstElementChild;
  if (path) mark(path, "d", SHAPES[state] ?? SHAPES["waiting"] ?? "");
}
