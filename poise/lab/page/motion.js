/**
 * Slow motion: one program, or two beside each other on one clock, forwards and backwards, a moment or a turn at a time.
 * Both clocks begin with the first client of each, so that two programs which ran one after the other can be compared.
 */

import { drawn, element, mark, say } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { count, duration } from "../../seeing/page/units.js";
import { stage } from "./stage.js";

/** @typedef {import("./stage.js").Lane} Lane */
/** @typedef {import("./film.js").Moment} Moment */
/** @typedef {{lane: number, index: number, moment: Moment}} Cut */

const PAUSE = 1000; // milliseconds for a moment, at the usual speed
const WIDEST = 2; // rem that a moment takes at most
const LEAST = 16; // rem that the whole film takes at least
const SPEEDS = [0.5, 1, 2, 5];
const ICONS = {
  first: "M10 2 L4 7 L10 12 M3 2 V12",
  turnBack: "M12 2 L7 7 L12 12 M7 2 L2 7 L7 12",
  back: "M9 2 L4 7 L9 12",
  play: "M4 2 L11 7 L4 12 Z",
  pause: "M5 2 V12 M9 2 V12",
  forward: "M5 2 L10 7 L5 12",
  turn: "M2 2 L7 7 L2 12 M7 2 L12 7 L7 12",
};

export class Motion {
  /** @param {Lane[]} lanes @param {{shown: string[], at: number}} place which of them are shown, and where the film stands; kept up to date */
  constructor(lanes, place) {
    this.lanes = lanes;
    this.place = place;
    this.speed = 1;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.screen = element("div", { class: "stages" });
    this.strip = element("div", { class: "film" });
    this.slider = element("input", { type: "range", min: 0, step: 1, value: 0, class: "film-slider", "aria-label": text("lab.film") });
    this.clock = element("p", { class: "film-said" });
    this.buttons = this.#buttons();
    this.pickers = [this.#picker(0), this.#picker(1)];
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.strip.addEventListener("pointerdown", (event) => this.#pointed(event));
    this.node = element("div", { class: "motion" }, this.#tools(), this.screen, this.#film());
    const { at } = place;
    this.set(0, place.shown[0] ?? "");
    this.show(at);
  }

  #tools() {
    const [one, other] = this.pickers;
    const pickers = [element("label", {}, text("lab.lane"), " ", one ?? "")];
    if (this.lanes.length > 1) pickers.push(element("label", {}, text("lab.beside"), " ", other ?? ""));
    return element("div", { class: "tools" }, ...pickers, element("span", { class: "keys quiet" }, text("lab.motion.keys")));
  }

  #film() {
    const { first, turnBack, back, play, forward, turn } = this.buttons;
    const speeds = element("select", { "aria-label": text("lab.speed") });
    for (const each of SPEEDS) speeds.append(element("option", { value: each, selected: each === this.speed }, `${each}×`));
    speeds.addEventListener("change", () => (this.speed = Number(speeds.value)));
    const buttons = element("div", { class: "film-buttons", role: "group", "aria-label": text("lab.motion") }, first, turnBack, back, play, forward, turn, speeds);
    return element("div", { class: "film-dock" }, buttons, this.clock, element("div", { class: "film-frame" }, this.strip, this.slider));
  }

  #buttons() {
    /** @param {keyof typeof ICONS} name @param {() => void} act */
    const button = (name, act) => {
      const icon = drawn("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, drawn("path", { d: ICONS[name] }));
      const made = element("button", { type: "button", class: `film-${name}`, "aria-label": text(`lab.film.${name}`), title: text(`lab.film.${name}`) }, icon);
      made.addEventListener("click", act);
      return made;
    };
    return {
      first: button("first", () => this.show(0)),
      turnBack: button("turnBack", () => this.turn(-1)),
      back: button("back", () => this.step(-1)),
      play: button("play", () => this.toggle()),
      forward: button("forward", () => this.step(1)),
      turn: button("turn", () => this.turn(1)),
    };
  }

  /** @param {number} which */
  #picker(which) {
    const made = element("select");
    if (which) made.append(element("option", { value: "" }, text("lab.beside.none")));
    for (const lane of this.lanes) made.append(element("option", { value: lane.film.who }, lane.title));
    made.value = this.place.shown[which] ?? "";
    made.addEventListener("change", () => this.set(which, made.value));
    return made;
  }

  /** Show a program. @param {number} which the first, or the one beside it @param {string} who its name; "" for none */
  set(which, who) {
    this.pause();
    this.place.shown[which] = who;
    const picker = this.pickers[which];
    if (picker) picker.value = who;
    const lanes = this.place.shown.map((name) => this.lanes.find((lane) => lane.film.who === name)).filter((lane) => lane !== undefined);
    this.stages = lanes.map(stage);
    /** @type {Cut[]} */
    this.cuts = lanes
      .flatMap((lane, number) => lane.film.moments.map((moment, index) => ({ lane: number, index, moment })))
      .sort((a, b) => a.moment.at - b.moment.at);
    mark(this.screen, "data-count", String(lanes.length));
    this.screen.replaceChildren(...this.stages.map((each) => each.node));
    mark(this.slider, "max", String(this.cuts.length - 1));
    this.#draw(lanes.length);
    this.show(0);
  }

  /** @param {number} place in the film */
  show(place) {
    const cuts = this.cuts ?? [];
    this.place.at = Math.min(Math.max(0, place), cuts.length - 1);
    const now = cuts[this.place.at];
    if (!now) return;
    this.stages?.forEach((each, number) => {
      let index = 0;
      for (let cut = this.place.at; cut >= 0; cut--) {
        if (cuts[cut]?.lane === number) {
          index = cuts[cut]?.index ?? 0;
          break;
        }
      }
      each.show(index);
      mark(each.node, "data-moves", number === now.lane ? "yes" : null);
    });
    this.slider.value = String(this.place.at);
    mark(this.slider, "aria-valuetext", this.stages?.[now.lane]?.said() ?? "");
    say(this.clock, text("lab.film.said", { n: count(this.place.at + 1), all: count(cuts.length), ns: duration(now.moment.at * 1000) }));
    this.needle?.setAttribute("x", String(this.place.at));
    mark(this.buttons.back, "disabled", this.place.at === 0);
    mark(this.buttons.forward, "disabled", this.place.at === cuts.length - 1);
  }

  /** @param {number} by */
  step(by) {
    this.pause();
    this.show(this.place.at + by);
  }

  /** To where a turn begins: the program hands over its list. @param {number} way */
  turn(way) {
    this.pause();
    const cuts = this.cuts ?? [];
    for (let place = this.place.at + way; place >= 0 && place < cuts.length; place += way) {
      const { moment } = /** @type {Cut} */ (cuts[place]);
      if (moment.first && (moment.call.step === "submit" || moment.call.call === "accept")) return this.show(place);
    }
    return this.show(way < 0 ? 0 : cuts.length - 1);
  }

  toggle() {
    if (this.timer === undefined) this.#play();
    else this.pause();
  }

  #play() {
    if (this.place.at >= (this.cuts?.length ?? 0) - 1) this.show(0);
    this.#sign("pause");
    const next = () => {
      if (!this.node.isConnected) return this.pause();
      this.show(this.place.at + 1);
      if (this.place.at >= (this.cuts?.length ?? 0) - 1) return this.pause();
      this.timer = setTimeout(next, PAUSE / this.speed);
      return undefined;
    };
    this.timer = setTimeout(next, PAUSE / this.speed / 2);
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.#sign("play");
  }

  /** @param {"play" | "pause"} name */
  #sign(name) {
    const path = this.buttons.play.querySelector("path");
    if (path) mark(path, "d", ICONS[name]);
    mark(this.buttons.play, "aria-label", text(`lab.film.${name}`));
  }

  /** The whole film as a strip, a mark for each moment. @param {number} lanes */
  #draw(lanes) {
    const cuts = this.cuts ?? [];
    const picture = drawn("svg", { viewBox: `0 0 ${Math.max(cuts.length, 1)} ${lanes * 10}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    cuts.forEach(({ lane, moment }, place) => {
      const { call, over, busy } = moment;
      const kind = busy ? "busy" : call.error ? "error" : over ? call.step : "inside";
      const height = busy || call.step === "submit" ? 9 : 6;
      picture.append(drawn("rect", { class: `cut cut-${kind}`, x: place, width: 1, y: lane * 10 + 9 - height, height }));
    });
    this.needle = drawn("rect", { class: "needle", width: 1, height: lanes * 10, y: 0, x: 0 });
    picture.append(this.needle);
    mark(this.strip, "data-lanes", String(lanes));
    this.strip.replaceChildren(picture);
    if (this.strip.parentElement) this.strip.parentElement.style.maxWidth = `${Math.max(cuts.length * WIDEST, LEAST)}rem`;
  }

  /** @param {PointerEvent} event */
  #pointed(event) {
    const box = this.strip.getBoundingClientRect();
    this.pause();
    this.show(Math.floor(((event.clientX - box.left) / box.width) * (this.cuts?.length ?? 0)));
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was meant for the film */
  key(event) {
    const { key, shiftKey } = event;
    if (key === " ") this.toggle();
    else if (key === "ArrowRight") shiftKey ? this.turn(1) : this.step(1);
    else if (key === "ArrowLeft") shiftKey ? this.turn(-1) : this.step(-1);
    else if (key === "Home") this.show(0);
    else return false;
    return true;
  }
}
