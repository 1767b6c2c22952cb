/** The figures of a picture, in a table one click away. The table is made only while it is open. */

import { element, keyed, say } from "./dom.js";
import { apply } from "./texts.js";

const CALM = 1000; // milliseconds between two looks at a table that is open

/**
 * @param {HTMLElement} host
 * @param {string[]} heads ids of the texts above the columns
 * @param {() => string[][]} rows what the cells say, newest first
 * @returns {{renew: () => void}}
 */
export function figures(host, heads, rows) {
  const head = element("tr", {}, ...heads.map((id) => element("th", { scope: "col", "data-text": id })));
  const body = element("tbody");
  const table = element("table", { class: "plain" }, element("thead", {}, head), body);
  const frame = element("div", { class: "scrolls", tabindex: 0, role: "group", "data-label": "page.figures" }, table);
  const fold = element("details", { class: "figures" }, element("summary", { "data-text": "page.figures" }), frame);
  let before = -Infinity;
  let due = false;
  const fill = () => {
    keyed(
      body,
      rows().entries(),
      ([index]) => String(index),
      () => element("tr", {}, ...heads.map(() => element("td"))),
      (node, [, cells]) => cells.forEach((cell, index) => say(/** @type {Element} */ (node.children[index]), cell)),
    );
  };
  fold.addEventListener("toggle", () => fold.open && fill());
  host.append(fold);
  apply(fold);
  return {
    renew() {
      if (!fold.open || due) return;
      due = true;
      setTimeout(() => {
        due = false;
        before = performance.now();
        fill();
      }, Math.max(0, before + CALM - performance.now()));
    },
  };
}
