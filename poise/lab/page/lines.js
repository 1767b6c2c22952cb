/** Curves over two axes, each named at its end; a reference run behind them in grey. */

import { element, keyed } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { colour } from "../../seeing/page/theme.js";
import { scale, short } from "./ticks.js";
import { named, pick } from "./words.js";

/** @typedef {import("./contract.js").Figure} Figure */
/** @typedef {import("./contract.js").Series} Series */
/** @typedef {import("./ticks.js").Scale} Scale */

/**
 * As much of uPlot as is used here. @typedef {{
 *   destroy: () => void, setSize: (size: {width: number, height: number}) => void, ctx: CanvasRenderingContext2D,
 *   valToPos: (value: number, scale: string, canvas: boolean) => number, cursor: {idx?: number | null},
 *   data: (number | null)[][], bbox: {left: number, top: number, width: number, height: number},
 * }} Plot
 */
const UPlot = /** @type {{new (options: object, data: (number | null)[][], host: HTMLElement): Plot}} */ (
  /** @type {any} */ (globalThis).uPlot
);

const HEIGHT = 24; // rem
const DASHES = [[], [10, 5], [3, 4], [12, 4, 3, 4]];
const FEW = 40; // points that are marked one by one
const SAME = { wide: 0.4, high: 0.07 }; // of the plot: ends that are nearer than that share a place for their names
const NARROW = 36; // rem: then names stand above the plot and not at the ends of the curves

/** @param {Figure} figure @param {Figure | null} behind @returns {HTMLElement} */
export function lines(figure, behind) {
  const frame = element("div", { class: "lines-frame" });
  const said = element("p", { class: "lines-said quiet", "aria-hidden": "true" });
  const names = element("ul", { class: "legend" });
  keyed(
    names,
    figure.series.entries(),
    ([index]) => String(index),
    ([index, each]) =>
      element("li", {}, element("span", { class: `sign line-sign series-${index}`, "aria-hidden": "true" }), pick(each.name)),
  );
  /** @type {Plot | null} */
  let plot = null;
  const make = () => {
    plot?.destroy();
    plot = frame.clientWidth ? made(figure, behind, frame, (words) => (said.textContent = words)) : null;
  };
  new ResizeObserver(make).observe(frame);
  return element("div", { class: "lines" }, names, frame, said);
}

/** @param {Series[]} series @returns {(number | null)[][]} all over one axis, as uPlot has it */
function aligned(series) {
  const places = [...new Set(series.flatMap((each) => each.points.map(([x]) => x)))].sort((a, b) => a - b);
  return [places, ...series.map((each) => places.map((place) => each.points.find(([x]) => x === place)?.[1] ?? null))];
}

/** @param {Figure} figure @param {Figure | null} behind @param {HTMLElement} frame @param {(words: string) => void} say @returns {Plot} */
function made(figure, behind, frame, say) {
  const own = figure.series;
  const every = [...(behind?.series ?? []), ...own];
  const grey = every.length - own.length;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = frame.clientWidth;
  const across = scale(every.flatMap((each) => each.points.map(([x]) => x)), figure.x?.log ?? false);
  const up = scale(every.flatMap((each) => each.points.map(([, y]) => y)), figure.y?.log ?? false);
  const longest = Math.max(...own.map((each) => columns(pick(each.name))));
  const right = width < NARROW * rem || crowded(own, across, up) ? rem : Math.min(longest * 0.46 + 1.5, 16) * rem;
  const font = `${rem * 0.875}px system-ui, sans-serif`;
  const look = { stroke: colour("quiet"), font, labelFont: font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const axes = [
    { ...look, ...axis(across), size: rem * 2, label: figure.x ? named(figure.x) : "", labelSize: rem * 2 },
    { ...look, ...axis(up), size: rem * 4, label: figure.y ? named(figure.y) : "", labelSize: rem * 2 },
  ];
  const series = every.map((each, index) => {
    const number = index - grey;
    if (number < 0) return { stroke: colour("waiting"), width: 3, dash: [6, 6], spanGaps: true, points: { show: false } };
    const points = { show: each.points.length <= FEW, size: rem * 0.5, fill: colour(`series-${number}`) };
    return { stroke: colour(`series-${number}`), width: 2.5, dash: DASHES[number % DASHES.length] ?? [], spanGaps: true, points };
  });
  return new UPlot(
    {
      width,
      height: Math.min(HEIGHT * rem, Math.max(width * 0.6, 14 * rem)),
      padding: [rem, right, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { size: rem * 0.6 } },
      scales: { x: extent(across), y: extent(up) },
      axes,
      series: [{}, ...series],
      hooks: {
        draw: [(/** @type {Plot} */ plot) => right > rem && nameEnds(plot, own, font, rem)],
        setCursor: [(/** @type {Plot} */ plot) => say(underCursor(plot, figure, grey))],
      },
    },
    aligned(every),
    frame,
  );
}

/**
 * Whether three curves or more end in one place: pushed apart, their names would stand beside other curves, so the legend has to do.
 * @param {Series[]} own @param {Scale} across @param {Scale} up @returns {boolean}
 */
export function crowded(own, across, up) {
  const ends = own.map((each) => {
    const [x, y] = each.points.at(-1) ?? [0, 0];
    return { x: across.at(x), y: up.at(y) };
  });
  return ends.some(({ x, y }) => ends.filter((end) => Math.abs(end.x - x) < SAME.wide && Math.abs(end.y - y) < SAME.high).length > 2);
}

/** @param {Scale} along */
const extent = (along) => ({ time: false, distr: along.log ? 3 : 1, range: () => [along.low, along.high] });

/** @param {Scale} along */
const axis = (along) => ({ splits: () => along.ticks, values: () => along.ticks.map(short), filter: () => along.ticks });

/** @param {string} words @returns {number} how wide in Latin letters; Chinese ones take two */
const columns = (words) => [...words].reduce((sum, each) => sum + ((each.codePointAt(0) ?? 0) >= 0x2e80 ? 2 : 1), 0);

/** Each name at the end of its curve, one above the other where they would cover each other. @param {Plot} plot @param {Series[]} own @param {string} font @param {number} rem */
function nameEnds(plot, own, font, rem) {
  const ratio = devicePixelRatio;
  const pen = plot.ctx;
  const step = rem * 1.25 * ratio;
  pen.save();
  pen.font = font.replace(/^[\d.]+/, (size) => String(Number(size) * ratio));
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.lineJoin = "round";
  pen.lineWidth = rem * 0.4 * ratio;
  pen.strokeStyle = colour("paper");
  const names = own.map((each, number) => {
    const [x, y] = each.points.at(-1) ?? [0, 0];
    const name = pick(each.name);
    const left = plot.valToPos(x, "x", true) + rem * 0.75 * ratio;
    return { name, number, left, right: left + pen.measureText(name).width, y: plot.valToPos(y, "y", true) };
  });
  /** @type {typeof names} */
  const placed = [];
  for (const each of names.sort((a, b) => b.y - a.y)) {
    for (const other of placed) {
      if (each.left < other.right && other.left < each.right && Math.abs(each.y - other.y) < step) each.y = other.y - step;
    }
    placed.push(each);
    pen.fillStyle = colour(`series-${each.number}-text`);
    pen.strokeText(each.name, each.left, each.y);
    pen.fillText(each.name, each.left, each.y);
  }
  pen.restore();
}

/** @param {Plot} plot @param {Figure} figure @param {number} grey @returns {string} */
function underCursor(plot, figure, grey) {
  const index = plot.cursor.idx;
  if (index === null || index === undefined) return "";
  const x = plot.data[0]?.[index];
  if (x === null || x === undefined) return "";
  const values = figure.series.map((each, number) => {
    const value = plot.data[number + grey + 1]?.[index];
    return value === null || value === undefined ? "" : `${pick(each.name)} ${short(value)}`;
  });
  const unit = figure.y ? pick(figure.y.unit) : "";
  const place = figure.x ? `${short(x)} ${pick(figure.x.unit)}`.trim() : short(x);
  return text("lab.under", { place, values: values.filter(Boolean).join(" · "), unit });
}
