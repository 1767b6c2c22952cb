/** The bar at the lower edge: pause, go back turn by turn, live again, save. It says where in time the page is. */

import { byId, mark, say } from "./dom.js";
import { text } from "./texts.js";

/**
 * What the reader can do. @typedef {{
 *   pause: () => void, live: () => void, step: (by: number) => void, seek: (index: number) => void, save: () => void,
 * }} Hands
 */

export class Dock {
  /** @param {Hands} hands */
  constructor(hands) {
    this.pause = byId("pause");
    this.slider = /** @type {HTMLInputElement} */ (byId("scrub"));
    this.said = byId("dock-said");
    this.paused = false;
    this.pause.addEventListener("click", () => (this.paused ? hands.live() : hands.pause()));
    byId("back").addEventListener("click", () => hands.step(-1));
    byId("forward").addEventListener("click", () => hands.step(1));
    this.slider.addEventListener("input", () => hands.seek(Number(this.slider.value)));
    byId("save").addEventListener("click", () => hands.save());
  }

  /** @param {{paused: boolean, replay: boolean, index: number, length: number, n: number, ago: number, note: string}} at */
  show({ paused, replay, index, length, n, ago, note }) {
    this.paused = paused;
    say(this.pause, text(paused ? "page.dock.live" : "page.dock.pause"));
    this.pause.hidden = replay;
    mark(document.body, "data-mode", replay ? "replay" : paused ? "paused" : "live");
    for (const id of ["back", "forward"]) mark(byId(id), "disabled", length === 0 && paused);
    this.slider.disabled = !paused || length < 2;
    mark(this.slider, "max", Math.max(length - 1, 1));
    const value = paused ? index : Math.max(length - 1, 1);
    if (Number(this.slider.value) !== value) this.slider.value = String(value);
    const where = text(index < length - 1 ? "page.dock.at" : "page.dock.last", { n, ns: ago });
    const said = note || (paused ? where : text("page.dock.now", { n }));
    say(this.said, said);
    mark(this.slider, "aria-valuetext", paused ? where : text("page.dock.now", { n }));
  }
}
