/**
 * The last turns side by side, the newest at the right: up is work, down is waiting. The scale is logarithmic, because a turn may
 * take ten microseconds or ten seconds, and says so at its edge. A turn that took too long wears a cap as well as a colour.
 */

import { element, mark } from "./dom.js";
import { STRIP } from "./model.js";
import { colour, onTheme } from "./theme.js";

/** @typedef {import("./contract.js").Turn} Turn */

const PITCH = 3; // CSS pixels that a turn takes at least
const FLOOR = 1e3; // ns at the line: what is shorter is a stroke of one pixel
const DECADES = 7; // from 1 µs to 10 s
const UPWARD = 0.7; // the share of the height that work has
const LINES = [1e6, 1e9]; // ns: lines with a figure
const FIGURES = ["1 ms", "1 s"];

/** @param {Turn} turn @returns {number} ns */
export const workOf = (turn) => turn[3] + turn[4] + turn[5];

/** @param {number} ns @returns {number} 0 to 1 */
const height = (ns) => Math.min(Math.max(Math.log10(Math.max(ns, 1) / FLOOR) / DECADES, 0), 1);

export class Strip {
  /**
   * @param {HTMLElement} host what has the focus and the keys
   * @param {(n: number) => void} choose called with the turn that was pointed at
   */
  constructor(host, choose) {
    this.host = host;
    this.canvas = element("canvas");
    host.append(this.canvas);
    /** @type {Turn[]} */
    this.turns = [];
    /** @type {number | null} */
    this.chosen = null;
    this.growing = 0;
    this.warn = Infinity;
    this.canvas.addEventListener("click", (event) => {
      const turn = this.#under(event);
      if (turn) choose(turn[0]);
    });
    new ResizeObserver(() => this.draw()).observe(host);
    onTheme(() => this.draw());
  }

  /**
   * @param {Turn[]} turns
   * @param {{chosen: number | null, growing: number, warn: number}} more `growing`: ns that the present turn has worked, if it
   *   is held, else 0
   */
  show(turns, { chosen, growing, warn }) {
    this.turns = turns;
    this.chosen = chosen;
    this.growing = growing;
    this.warn = warn;
    this.draw();
  }

  /** @param {MouseEvent} event @returns {Turn | null} */
  #under(event) {
    const { pitch, shown } = this.#room();
    const box = this.canvas.getBoundingClientRect();
    const fromRight = Math.floor((box.right - event.clientX) / pitch) - (this.growing ? 1 : 0);
    return shown[shown.length - 1 - fromRight] ?? null;
  }

  /** The turns that there is room for. @returns {Turn[]} */
  get shown() {
    return this.#room().shown;
  }

  #room() {
    const width = this.canvas.clientWidth;
    const most = Math.max(1, Math.min(STRIP, Math.floor(width / PITCH)));
    const fit = most - (this.growing ? 1 : 0);
    const chosen = this.turns.findIndex((turn) => turn[0] === this.chosen);
    // The last ones; where there is no room for all and another was chosen, that one in the middle.
    const first = Math.max(0, this.turns.length - fit);
    const from = chosen < 0 || chosen >= first ? first : Math.max(0, chosen - Math.floor(fit / 2));
    return { pitch: width / most, shown: this.turns.slice(from, from + fit) };
  }

  draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const tall = canvas.clientHeight;
    const pen = canvas.getContext("2d");
    if (!pen || !width) return;
    const scale = devicePixelRatio;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(tall * scale)) canvas.height = Math.round(tall * scale);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, tall);
    const base = Math.round(tall * UPWARD);
    const { pitch, shown } = this.#room();
    const bar = Math.max(1, pitch - Math.max(1, pitch * 0.3));
    let left = width - pitch * (shown.length + (this.growing ? 1 : 0));
    for (const turn of shown) {
      if (turn[0] === this.chosen) this.#choose(pen, left, pitch, tall);
      this.#bar(pen, left, bar, base, tall, workOf(turn), turn[2], this.chosen !== null && turn[0] !== this.chosen);
      left += pitch;
    }
    if (this.growing) this.#bar(pen, left, bar, base, tall, this.growing, 0, false);
    this.#lines(pen, width, base);
    mark(canvas, "data-turns", shown.length);
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} width @param {number} base */
  #lines(pen, width, base) {
    const { fontSize, fontFamily } = getComputedStyle(this.host);
    pen.font = `${fontSize} ${fontFamily}`;
    pen.lineWidth = 1;
    pen.textBaseline = "bottom";
    pen.strokeStyle = colour("line");
    pen.fillStyle = colour("quiet");
    LINES.forEach((ns, index) => {
      const y = Math.round(base - height(ns) * base) + 0.5;
      pen.beginPath();
      pen.moveTo(0, y);
      pen.lineTo(width, y);
      pen.stroke();
      pen.fillText(FIGURES[index] ?? "", 0, y - 1);
    });
    pen.strokeStyle = colour("edge");
    pen.beginPath();
    pen.moveTo(0, base + 0.5);
    pen.lineTo(width, base + 0.5);
    pen.stroke();
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} left @param {number} pitch @param {number} tall */
  #choose(pen, left, pitch, tall) {
    pen.fillStyle = colour("hover");
    pen.fillRect(left - pitch, 0, pitch * 3, tall);
    pen.fillStyle = colour("accent");
    pen.fillRect(left - pitch, tall - 3, pitch * 3, 3);
  }

  /**
   * @param {CanvasRenderingContext2D} pen @param {number} left @param {number} bar @param {number} base @param {number} tall
   * @param {number} work @param {number} wait @param {boolean} faint
   */
  #bar(pen, left, bar, base, tall, work, wait, faint) {
    const held = work >= this.warn;
    const up = Math.max(1, height(work) * base);
    const down = Math.max(1, height(wait) * (tall - base - 4));
    pen.globalAlpha = faint ? 0.55 : 1;
    pen.fillStyle = colour(held ? "held" : "busy");
    pen.fillRect(left, base - up, bar, up);
    pen.fillStyle = colour("waiting");
    pen.fillRect(left, base + 1, bar, down);
    if (held) {
      const middle = left + bar / 2;
      const top = Math.max(5, base - up - 2);
      pen.fillStyle = colour("held");
      pen.beginPath();
      pen.moveTo(middle - 4, top - 5);
      pen.lineTo(middle + 4, top - 5);
      pen.lineTo(middle, top);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }
}
