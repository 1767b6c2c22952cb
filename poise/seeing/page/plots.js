/** The last five minutes in three plots with one axis of time: busy share, timer lag, calls. */

import { element, mark, say } from "./dom.js";
import { figures } from "./figures.js";
import { apply, onLanguage, text } from "./texts.js";
import { colour, onTheme } from "./theme.js";
import { clock, count, duration, NONE, share } from "./units.js";

/** @typedef {import("./contract.js").Series} Series */
/** @typedef {import("./contract.js").Hello} Hello */
/** @typedef {"busy" | "lag" | "calls"} Name */

/**
 * As much of uPlot as is used here. @typedef {{
 *   setData: (data: (number | null)[][]) => void, setSize: (size: {width: number, height: number}) => void,
 *   destroy: () => void, cursor: {idx?: number | null},
 * }} Plot
 */
const UPlot = /** @type {{new (options: object, data: (number | null)[][], host: HTMLElement): Plot}} */ (
  /** @type {any} */ (globalThis).uPlot
);

const SPAN = 300; // seconds
const STEP = 60; // seconds between two lines
const HEIGHT = 6; // rem

/** @returns {number} CSS pixels of a rem, which follows the width of the window */
const remNow = () => parseFloat(getComputedStyle(document.documentElement).fontSize);
const LEAST = { busy: 1, lag: 1e7, calls: 10 }; // what an axis ends at, at least

/** @type {Record<Name, {colour: string, figure: (value: number | null | undefined) => string}>} */
const KINDS = {
  busy: { colour: "busy", figure: share },
  lag: { colour: "accent", figure: duration },
  calls: { colour: "ink", figure: (value) => count(value) },
};

const MINUTES = ["−5 min", "−4", "−3", "−2", "−1", "0"];

/** A figure of an axis is round and needs no zeros behind its point. @param {{figure: (value: number) => string}} kind @param {number} value */
const axisFigure = (kind, value) => (value ? kind.figure(value).replace(/\.0+(?!\d)/, "") : "0");

/** The next of 1, 2, 5, 10 … that is not less. @param {number} value */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

export class Plots {
  /** @param {HTMLElement} host */
  constructor(host) {
    /** @type {Series} */
    this.series = { at: [], busy: [], lag: [], calls: [] };
    /** @type {number[]} */
    this.walls = [];
    this.each = /** @type {Name[]} */ (["busy", "lag", "calls"]).map((name) => new One(host, name, this));
    const heads = ["when", "busy", "lag", "calls"].map((id) => `page.plots.${id}`);
    this.figures = figures(host, heads, () => this.#rows());
    const renew = () => this.each.forEach((one) => one.make());
    apply(host);
    onTheme(renew);
    onLanguage(renew);
    new ResizeObserver(() => this.each.forEach((one) => one.fit())).observe(host);
  }

  /** @param {Series} series @param {Hello} hello @param {number} at the newest moment on the axis, in the program's ns */
  show(series, hello, at) {
    /** @param {number} ns */
    const wall = (ns) => hello.wall + (ns - hello.clock_ns) / 1e9;
    this.series = series;
    this.end = wall(at);
    this.walls = series.at.map(wall);
    this.each.forEach((one) => one.show());
    this.figures.renew();
  }

  /** @returns {string[][]} */
  #rows() {
    const { busy, lag, calls } = this.series;
    return this.walls
      .map((wall, i) => [clock(wall), share(busy[i]), duration(lag[i]), count(calls[i])])
      .reverse();
  }
}

class One {
  /** @param {HTMLElement} host @param {Name} name @param {Plots} all */
  constructor(host, name, all) {
    this.name = name;
    this.all = all;
    this.title = element("span", { "data-text": `page.plots.${name}` });
    this.value = element("b");
    this.frame = element("div", { class: "plot-frame" });
    const caption = element("figcaption", {}, this.title, " ", this.value);
    this.figure = element("figure", { class: `plot plot-${name}`, role: "group" }, caption, this.frame);
    host.append(this.figure);
    /** @type {Plot | null} */
    this.plot = null;
    this.rem = 0;
    this.make();
  }

  /** @returns {(number | null)[][]} */
  get data() {
    return [this.all.walls, this.all.series[this.name]];
  }

  make() {
    this.plot?.destroy();
    const width = this.frame.clientWidth;
    if (!width) return;
    const rem = (this.rem = remNow());
    const font = `${rem * 0.8125}px system-ui, sans-serif`;
    const kind = KINDS[this.name];
    const axis = { stroke: colour("quiet"), font, ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
    this.plot = new UPlot(
      {
        width,
        height: HEIGHT * rem,
        padding: [rem / 2, rem, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "plots" }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
        scales: {
          x: { range: () => [(this.all.end ?? 0) - SPAN, this.all.end ?? 0] },
          y: { range: (/** @type {unknown} */ _, /** @type {number} */ __, /** @type {number | null} */ most) => this.#range(most) },
        },
        axes: [
          { ...axis, size: rem * 1.5, splits: () => this.#minutes(), values: () => MINUTES },
          { ...axis, size: rem * 4, space: rem * 2, values: (/** @type {unknown} */ _, /** @type {number[]} */ all) => all.map((value) => axisFigure(kind, value)) },
        ],
        series: [{}, { stroke: colour(kind.colour), width: 1.5, spanGaps: false, points: { show: false } }],
        hooks: { setCursor: [() => this.say()] },
      },
      this.data,
      this.frame,
    );
    this.say();
  }

  /** @param {number | null} most @returns {[number, number]} */
  #range(most) {
    return [0, this.name === "busy" ? 1 : round(Math.max(most ?? 0, LEAST[this.name]))];
  }

  /** @returns {number[]} where the lines of the minutes are, which stand still while the curve goes by */
  #minutes() {
    return MINUTES.map((_, index) => (this.all.end ?? 0) - SPAN + index * STEP);
  }

  fit() {
    const width = this.frame.clientWidth;
    if (!this.plot || this.rem !== remNow()) this.make();
    else if (width) this.plot.setSize({ width, height: HEIGHT * this.rem });
  }

  show() {
    if (!this.plot) this.make();
    this.plot?.setData(this.data);
    this.say();
  }

  /** The newest figure, or that under the pointer. */
  say() {
    const values = this.all.series[this.name];
    const index = this.plot?.cursor.idx ?? values.length - 1;
    const value = values[index];
    const figure = value === null || value === undefined ? NONE : KINDS[this.name].figure(value);
    const wall = this.all.walls[index];
    say(this.value, this.plot?.cursor.idx == null || wall === undefined ? figure : `${figure} · ${clock(wall)}`);
    mark(this.figure, "aria-label", `${text(`page.plots.${this.name}`)}: ${figure}`);
  }
}
