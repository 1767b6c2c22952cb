/** Rows of bits: a filled lamp for one that is set, an outline for one that is not; the whole mask as a number. */

import { element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { pick } from "./words.js";

/** @param {import("./contract.js").Figure} figure @returns {HTMLElement} */
export function lampboard(figure) {
  const heads = figure.bits.map(([name]) => element("th", { scope: "col" }, name));
  const head = element("tr", {}, element("td"), ...heads, element("th", { scope: "col" }, text("lab.mask")));
  const rows = figure.lamps.map(({ name, mask }) => {
    const each = figure.bits.map(([bitName, bit]) => element("td", {}, lamp(bitName, (mask & bit) !== 0)));
    const number = element("td", { class: "code" }, `${mask >>> 0} = 0x${(mask >>> 0).toString(16)}`);
    return element("tr", {}, element("th", { scope: "row" }, pick(name)), ...each, number);
  });
  const table = element("table", { class: "lampboard" }, element("thead", {}, head), element("tbody", {}, ...rows));
  return element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": pick(figure.title) }, table);
}

/** @param {string} name @param {boolean} lit @returns {HTMLElement} */
export function lamp(name, lit) {
  const sign = element("span", { class: `big-lamp lamp-${name}${lit ? " lit" : ""}`, "aria-hidden": "true" });
  return element("span", {}, sign, element("span", { class: "unseen" }, lit ? "1" : "0"));
}
