/** Rows with pieces of time, coloured and shaped by state. */

import { drawn, element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { axis } from "./bars.js";
import { scale, short } from "./ticks.js";
import { named, pick } from "./words.js";

/** @typedef {import("./contract.js").Figure} Figure */
/** @typedef {import("./contract.js").Span} Span */
/** @typedef {import("./ticks.js").Scale} Scale */

/** @param {Figure} figure @returns {HTMLElement} */
export function spans(figure) {
  const along = scale(figure.rows.flatMap((row) => row.spans.map((span) => span.end)), false);
  const unit = figure.x ? pick(figure.x.unit) : "";
  const rows = figure.rows.map((row) => {
    const last = row.spans.at(-1);
    const said = row.spans.map((span) => `${text(`lab.state.${span.state}`)} ${short(span.end - span.start)} ${unit}`);
    return element(
      "p",
      { class: "span-row" },
      element("span", { class: "span-name" }, pick(row.name)),
      track(row.spans, along),
      element("b", { class: "bar-value" }, last ? `${short(last.end)} ${unit}` : ""),
      element("span", { class: "unseen" }, said.join(", ")),
    );
  });
  const states = [...new Set(figure.rows.flatMap((row) => row.spans.map((span) => span.state)))];
  const legend = states.map((state) =>
    element("li", {}, element("span", { class: `span-sign span-${state}`, "aria-hidden": "true" }), text(`lab.state.${state}`)),
  );
  return element(
    "div",
    { class: "spans" },
    element("ul", { class: "legend" }, ...legend),
    ...rows,
    axis(along, figure.x ? named(figure.x) : ""),
  );
}

/** @param {Span[]} spans @param {Scale} along */
function track(spans, along) {
  const picture = drawn("svg", { class: "span-track", "aria-hidden": "true" });
  for (const tick of along.ticks) {
    const x = `${along.at(tick) * 100}%`;
    picture.append(drawn("line", { class: "tick", x1: x, x2: x, y1: "0", y2: "100%" }));
  }
  for (const span of spans) {
    const x = along.at(span.start) * 100;
    const thin = span.state === "silent";
    picture.append(
      drawn("rect", {
        class: `span span-${span.state}`,
        x: `${x}%`,
        width: `${Math.max(along.at(span.end) * 100 - x, 0.3)}%`,
        y: thin ? "35%" : "10%",
        height: thin ? "30%" : "80%",
      }),
    );
  }
  return picture;
}
