/** One horizontal bar for each label and series, its value at its end; a reference run as a grey mark on each. */

import { drawn, element } from "../../seeing/page/dom.js";
import { scale, short } from "./ticks.js";
import { named, pick } from "./words.js";

/** @typedef {import("./contract.js").Figure} Figure */
/** @typedef {import("./contract.js").Series} Series */
/** @typedef {import("./ticks.js").Scale} Scale */

/** @param {Series | undefined} series @param {number} index */
const valueAt = (series, index) => series?.points.find(([place]) => place === index)?.[1];

/** @param {Figure} figure @param {Figure | null} behind @returns {HTMLElement} */
export function bars(figure, behind) {
  const every = [...figure.series, ...(behind?.series ?? [])].flatMap((each) => each.points.map(([, value]) => value));
  const along = scale(every, figure.y?.log ?? false);
  const many = figure.series.length > 1;
  const groups = figure.labels.map((label, index) => {
    const each = figure.series.map((series, number) => {
      const value = valueAt(series, index);
      const before = valueAt(behind?.series[number], index);
      return value === undefined ? null : bar(value, before, number, along, many ? pick(series.name) : pick(label));
    });
    const present = each.filter((one) => one !== null);
    return element("div", { class: "bar-group" }, element("p", { class: "bar-label" }, pick(label)), ...present);
  });
  const children = [...groups, axis(along, figure.y ? named(figure.y) : "")];
  if (many) children.unshift(legend(figure.series.map((each) => pick(each.name))));
  return element("div", { class: "bars" }, ...children);
}

/** @param {number} value @param {number | undefined} before @param {number} number @param {Scale} along @param {string} name */
function bar(value, before, number, along, name) {
  const wide = along.at(value) * 100;
  const picture = drawn("svg", { class: "bar-track", "aria-hidden": "true", preserveAspectRatio: "none" });
  for (const tick of along.ticks) {
    const x = `${along.at(tick) * 100}%`;
    picture.append(drawn("line", { class: "tick", x1: x, x2: x, y1: "0", y2: "100%" }));
  }
  if (value > 0) picture.append(drawn("rect", { class: `series-${number} bar`, width: `${Math.max(wide, 0.3)}%`, height: "100%" }));
  if (before !== undefined) {
    const x = `${along.at(before) * 100}%`;
    picture.append(drawn("line", { class: "reference", x1: x, x2: x, y1: "-10%", y2: "110%" }));
  }
  const figure = element("b", { class: "bar-value" }, short(value));
  return element("p", { class: "bar-row" }, element("span", { class: "unseen" }, `${name}: `), picture, figure);
}

/** @param {string[]} names */
export function legend(names) {
  const items = names.map((name, number) =>
    element("li", {}, element("span", { class: `sign series-${number}`, "aria-hidden": "true" }), name),
  );
  return element("ul", { class: "legend" }, ...items);
}

/** @param {Scale} along @param {string} name @returns {HTMLElement} */
export function axis(along, name) {
  const picture = drawn("svg", { class: "axis", "aria-hidden": "true" });
  along.ticks.forEach((tick, index) => {
    const anchor = index === 0 ? "start" : index === along.ticks.length - 1 ? "end" : "middle";
    const label = drawn("text", { x: `${along.at(tick) * 100}%`, y: "1em", "text-anchor": anchor });
    label.textContent = short(tick);
    picture.append(label);
  });
  return element("div", { class: "axis-row" }, picture, element("p", { class: "axis-name" }, name));
}
