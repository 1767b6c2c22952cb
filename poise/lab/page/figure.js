/** The figure of a run: a picture that can be read across a room, its machine beneath, its numbers in a table one click away. */

import { element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { bars } from "./bars.js";
import { lampboard } from "./lampboard.js";
import { lines } from "./lines.js";
import { spans } from "./spans.js";
import { short } from "./ticks.js";
import { machineInWords, named, pick } from "./words.js";

/** @typedef {import("./contract.js").Figure} Figure */
/** @typedef {import("./contract.js").Result} Result */

const KINDS = { lines, bars, spans, lamps: lampboard };

/** @param {Result} result @returns {HTMLElement} */
export function figure(result) {
  const drawn = /** @type {Figure} */ (result.figure);
  const behind = result.reference && ["lines", "bars"].includes(drawn.kind) ? result.reference : null;
  const picture = KINDS[drawn.kind](drawn, behind?.figure ?? null);
  const notes = [element("p", { class: "quiet" }, machineInWords(result.machine))];
  if (behind) {
    const swatch = element("span", { class: "reference-sign", "aria-hidden": "true" });
    const said = text("lab.reference", { machine: machineInWords(behind.machine) });
    notes.push(element("p", { class: "quiet" }, swatch, said));
  }
  return element(
    "figure",
    { class: `figure figure-${drawn.kind}` },
    element("figcaption", {}, pick(drawn.title)),
    picture,
    ...notes,
    ...drawn.notes.map(beneath),
    table(drawn),
  );
}

/** @param {import("./contract.js").Note} note @returns {HTMLElement} */
function beneath({ text: words, code }) {
  const lines = element("pre", { class: "listing noted", tabindex: 0, role: "group", "aria-label": pick(words) }, element("code", {}, code.join("\n")));
  return element("div", { class: "note" }, element("p", {}, pick(words)), code.length ? lines : "");
}

/** @param {Figure} figure @returns {[string[], string[][]]} heads and rows */
function cells(figure) {
  const y = figure.y ? named(figure.y) : "";
  if (figure.kind === "lines") {
    const rows = figure.series.flatMap((each) => each.points.map(([a, b]) => [pick(each.name), short(a), short(b)]));
    return [["", figure.x ? named(figure.x) : "", y], rows];
  }
  if (figure.kind === "bars") {
    const rows = figure.labels.map((label, index) => {
      const values = figure.series.map((each) => each.points.find(([place]) => place === index)?.[1]);
      return [pick(label), ...values.map((value) => (value === undefined ? "–" : short(value)))];
    });
    return [[y, ...figure.series.map((each) => pick(each.name))], rows];
  }
  if (figure.kind === "spans") {
    const rows = figure.rows.flatMap((row) =>
      row.spans.map((span) => [pick(row.name), text(`lab.state.${span.state}`), short(span.start), short(span.end)]),
    );
    return [["", "", text("lab.from"), text("lab.to")], rows];
  }
  const heads = ["", ...figure.bits.map(([name]) => name), text("lab.mask")];
  const rows = figure.lamps.map(({ name, mask }) => [
    pick(name),
    ...figure.bits.map(([, bit]) => (mask & bit ? "1" : "0")),
    `0x${(mask >>> 0).toString(16)}`,
  ]);
  return [heads, rows];
}

/** @param {Figure} figure @returns {HTMLElement} */
function table(figure) {
  const [heads, rows] = cells(figure);
  const head = element("tr", {}, ...heads.map((each) => element(each ? "th" : "td", each ? { scope: "col" } : {}, each)));
  const body = rows.map(([first = "", ...rest]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((each) => element("td", {}, each))),
  );
  const made = element("table", { class: "plain" }, element("thead", {}, head), element("tbody", {}, ...body));
  const frame = element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": text("page.figures") }, made);
  return element("details", { class: "figures" }, element("summary", {}, text("page.figures")), frame);
}
