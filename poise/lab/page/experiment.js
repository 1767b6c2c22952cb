/** One experiment: predict, run, watch, compare; then the same run in slow motion, and the line that makes the difference. */

import { element, mark, say } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { count } from "../../seeing/page/units.js";
import { calculator } from "./calculator.js";
import { changes } from "./change.js";
import { figure } from "./figure.js";
import { Film } from "./film.js";
import { kept, save } from "./keep.js";
import { folded } from "./listing.js";
import { Motion } from "./motion.js";
import { predict } from "./predict.js";
import { link } from "./route.js";
import { stop } from "./run.js";
import { Running } from "./starting.js";
import { absent, claims, sentence } from "./verdict.js";
import { pick, read, whoInWords } from "./words.js";

/** @typedef {import("./contract.js").About} About */
/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./contract.js").Result} Result */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./stage.js").Lane} Lane */

const CALCULATOR = "masks"; // the experiment that one can reckon with

export class ExperimentView {
  /** @param {About} about @param {Experiment} experiment @param {Session} session */
  constructor(about, experiment, session) {
    this.about = about;
    this.experiment = experiment;
    this.session = session;
    this.number = about.experiments.indexOf(experiment);
    /** @type {Motion | null} */
    this.motion = null;
    this.predict = element("section", { id: "predict", "aria-labelledby": "predict-title" });
    this.runPlace = element("section", { id: "run", "aria-labelledby": "run-title" });
    this.after = element("div", { id: "after" });
    this.running = new Running(experiment, session, () => this.#ended());
    const parts = [this.#head()];
    if (experiment.id === CALCULATOR) parts.push(calculator());
    this.node = element("article", { class: "experiment" }, ...parts, this.predict, this.runPlace, this.after, this.#foot());
    this.#before();
    if (session.result) this.#show(session.result);
  }

  /** Show no more; `away` says that the reader has gone elsewhere, and then a run is of no use. @param {boolean} away */
  leave(away) {
    if (away) stop(this.session);
    this.motion?.pause();
  }

  #head() {
    const { experiment, about, number } = this;
    const rows = text(experiment.rows.length > 1 ? "lab.rows.many" : "lab.rows", { rows: experiment.rows.join(", ") });
    return element(
      "header",
      { class: "head" },
      element("p", { class: "quiet" }, element("a", { href: link("") }, text("lab.all")), ` · ${number + 1} / ${about.experiments.length} · `, element("b", {}, pick(experiment.title)), ` · ${rows}`),
      element("h1", { id: "question", tabindex: -1 }, pick(experiment.question)),
    );
  }

  #foot() {
    const { about, number } = this;
    const before = about.experiments[number - 1];
    const after = about.experiments[number + 1];
    /** @param {Experiment | undefined} to @param {string} rel @param {string} id */
    const step = (to, rel, id) => (to ? element("a", { href: link(to.id), rel }, text(id, { title: pick(to.title) })) : "");
    return element(
      "nav",
      { class: "foot", "aria-label": text("lab.nav") },
      step(before, "prev", "lab.before"),
      element("a", { href: link("") }, text("lab.all")),
      step(after, "next", "lab.after"),
    );
  }

  /** What there is before a run. */
  #before() {
    const { experiment, session } = this;
    const title = (/** @type {string} */ part, /** @type {number} */ step) =>
      element("h2", { id: `${part}-title` }, element("span", { class: "step-number", "aria-hidden": "true" }, String(step)), text(`lab.${part}`));
    const choices = predict(experiment, session, () => this.running.renew());
    this.predict.replaceChildren(title("predict", 1), choices);
    const programs = experiment.sources.length ? experiment.sources : experiment.program.source ? [experiment.program] : [];
    this.runPlace.replaceChildren(
      title("run", 2),
      element("p", {}, pick(experiment.runs)),
      this.running.node,
      element("div", { class: "programs" }, ...programs.map((each) => folded({ file: each.file, source: read(each) }))),
    );
  }

  #ended() {
    const { result } = this.session;
    if (!result) return;
    this.running.renew();
    this.#before();
    this.#show(result);
    const verdict = document.getElementById("see");
    verdict?.focus({ preventScroll: true });
    verdict?.scrollIntoView({ block: "start", behavior: "instant" });
    say(/** @type {Element} */ (document.getElementById("spoken")), sentence(this.experiment, result));
  }

  /** @param {Result} result */
  #show(result) {
    this.motion?.pause();
    const lanes = this.#lanes(result);
    this.motion = lanes.length ? this.#film(lanes) : null;
    const parts = [this.#see(result)];
    if (this.motion) parts.push(this.#slow(this.motion, result));
    if (this.experiment.variants.length) parts.push(this.#section("change", 5, changes(this.experiment, this.motion)));
    if (result.outcome !== "failed") parts.push(this.#learn());
    parts.push(this.#keep());
    this.after.replaceChildren(...parts);
    mark(this.node, "data-outcome", result.outcome);
    this.entered();
  }

  /** It is on the page now, and what has to be scrolled can be. */
  entered() {
    this.motion?.show(this.motion.place.at);
  }

  /** @param {string} id @param {number} step @param {...(Node | string)} children */
  #section(id, step, ...children) {
    const sign = step ? element("span", { class: "step-number", "aria-hidden": "true" }, String(step)) : "";
    const title = element("h2", { id: `${id}-title` }, sign, text(`lab.${id}`));
    return element("section", { id, tabindex: -1, "aria-labelledby": `${id}-title` }, title, ...children);
  }

  /** @param {Result} result */
  #see(result) {
    const { correct } = result.prediction;
    const tone = result.outcome !== "shown" || absent(this.experiment, result) ? "unsure" : correct === null ? "open" : correct ? "right" : "wrong";
    /** @type {HTMLElement[]} */
    const children = [element("p", { class: `verdict verdict-${tone}` }, sentence(this.experiment, result))];
    if (result.figure) children.push(figure(result));
    children.push(element("h3", {}, text("lab.watch")), element("p", {}, pick(this.experiment.watch)));
    if (result.claim.length) children.push(element("h3", {}, text("lab.compare")), claims(result));
    return this.#section("see", 3, ...children);
  }

  /** @param {Motion} motion @param {Result} result */
  #slow(motion, result) {
    const left = result.events_left_out ? element("p", { class: "quiet" }, text("lab.left.out", { count: result.events_left_out })) : "";
    return this.#section("motion", 4, element("p", { class: "quiet" }, text("lab.motion.about")), motion.node, left);
  }

  #learn() {
    const { experiment } = this;
    const reading = experiment.reading.map((each) =>
      element("li", {}, element("a", { href: each.url, rel: "noreferrer external" }, pick(each.title))),
    );
    return this.#section(
      "learn",
      0,
      element("div", { class: "learned" }, element("h3", {}, text("lab.mistake")), element("p", {}, pick(experiment.mistake))),
      element("div", { class: "learned takeaway" }, element("h3", {}, text("lab.takeaway")), element("p", {}, pick(experiment.takeaway))),
      element("h3", {}, text("lab.reading")),
      element("ul", { class: "reading" }, ...reading),
    );
  }

  #keep() {
    const buttons = kept(this.session).map(([name, make]) => {
      const button = element("button", { type: "button", "data-file": name }, name);
      button.addEventListener("click", () => save(name, ...make()));
      return button;
    });
    const events = this.session.result?.events.length ?? 0;
    const about = events ? text("lab.keep.about", { events: count(events) }) : text("lab.keep.bare");
    return this.#section("keep", 0, element("p", { class: "quiet" }, about), element("p", { class: "files" }, ...buttons));
  }

  /** @param {Result} result @returns {Lane[]} */
  #lanes(result) {
    const { experiment } = this;
    const whos = [...new Set(result.events.map((call) => call.who))];
    return whos.map((who) => {
      const name = who.split(",")[0] ?? who;
      const model = experiment.sources.find((each) => each.name === name);
      const variant = experiment.variants.find((each) => each.who === who);
      const title = variant ? `${variant.model}: ${pick(variant.text)}` : whoInWords(model ? who.replace(name, pick(model.title).replace(", ", " ")) : who);
      const own = experiment.program.source ? experiment.program : null;
      const program = variant ? { file: model?.file ?? "", source: read(variant) } : model ? { file: model.file, source: read(model) } : own;
      return { film: new Film(who, result.events.filter((call) => call.who === who)), title, program };
    });
  }

  /** Two that are all there are, or that differ in one line, are shown beside each other at once. @param {Lane[]} lanes */
  #film(lanes) {
    const [first = "", second = ""] = lanes.map((lane) => lane.film.who);
    const opened = lanes.find((lane) => lane.film.who === this.experiment.opens)?.film.who ?? first;
    const pair = lanes.length === 2 || this.experiment.variants.some((variant) => variant.who === second);
    this.session.film ??= { shown: [opened, pair ? second : ""], at: 0 };
    return new Motion(lanes, this.session.film);
  }
}
