/** Where the program was: the innermost call first, because that is where the time went. */

import { element } from "./dom.js";

/** @typedef {import("./contract.js").Frame} Frame */

const DEEP = 30; // frames shown

/** @param {Frame[]} stack innermost first @returns {HTMLOListElement} */
export function stackList(stack) {
  const frames = stack.slice(0, DEEP);
  return element(
    "ol",
    { class: "stack" },
    ...frames.map(([file, line, name]) =>
      element("li", {}, element("b", {}, name), " ", element("span", {}, `${file}:${line}`)),
    ),
  );
}

/** @param {string | null} file @param {number | null} line @returns {string} */
export function place(file, line) {
  return file === null ? "" : line === null ? file : `${file}:${line}`;
}
