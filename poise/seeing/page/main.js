/** The page as a whole: what the feed tells goes into the model, what the model or the record holds is shown. */

import { showCost } from "./cost.js";
import { Dock } from "./dock.js";
import { byId, mark, say } from "./dom.js";
import { ask, follow } from "./feed.js";
import { Holders } from "./holders.js";
import { showLints } from "./lints.js";
import { Model, STRIP } from "./model.js";
import { Plots } from "./plots.js";
import { Past } from "./records.js";
import { save } from "./saving.js";
import { startSwitches } from "./switches.js";
import { load, onLanguage, text } from "./texts.js";
import { start as startTheme } from "./theme.js";
import { showTimers } from "./timers.js";
import { TurnView } from "./turn.js";
import { VerdictView } from "./verdict.js";
import { Wall } from "./wall.js";

/** @typedef {import("./contract.js").Hello} Hello */
/** @typedef {import("./contract.js").State} State */
/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./feed.js").Told} Told */

class App {
  constructor() {
    /** @type {Model | null} */
    this.model = null;
    /** @type {{past: Past, text: string, index: number, last: number} | null} */
    this.frozen = null;
    this.replay = false;
    this.note = "";
    /** @type {"opening" | "open" | "lost" | "refused" | "absent"} */
    this.status = "opening";
    this.due = false;
    const hands = {
      pause: () => void this.freeze(),
      live: () => this.live(),
      step: (/** @type {number} */ by) => void this.step(by),
      seek: (/** @type {number} */ index) => this.seek(index),
      choose: (/** @type {number} */ n) => void this.freeze(n),
      when: (/** @type {number} */ ns) => void this.when(ns),
      save: () => void this.save(),
    };
    this.verdict = new VerdictView();
    this.turn = new TurnView(hands);
    this.wall = new Wall();
    this.plots = new Plots(byId("plots"));
    this.holders = new Holders(hands);
    this.dock = new Dock(hands);
    onLanguage(() => {
      this.render();
      this.#connected();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Told} told @returns {boolean} whether the feed has said all it will */
  told({ event, data }) {
    if (event === "hello") {
      const hello = /** @type {Hello} */ (data);
      this.replay = hello.replay === true;
      this.model = new Model(hello);
      if (this.replay) void this.freeze();
      return this.replay;
    }
    if (event !== "state" || !this.model) return false;
    this.model.apply(/** @type {State} */ (data));
    mark(document.body, "data-states", Number(document.body.dataset["states"] ?? 0) + 1);
    if (!this.frozen) this.#soon();
    return false;
  }

  /** @param {"open" | "lost" | "refused" | "absent"} status */
  connection(status) {
    this.status = status;
    mark(document.body, "data-connection", status);
    if (status === "absent") {
      this.replay = true;
      void this.freeze();
    }
    this.#connected();
  }

  #connected() {
    const at = byId("connection");
    const quiet = this.status === "open" || this.status === "opening";
    at.hidden = quiet || this.replay;
    say(at, quiet ? "" : text(`page.connection.${this.status}`));
    if (!at.hidden) say(byId("spoken"), at.textContent ?? "");
  }

  #soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.render();
    });
  }

  /** @returns {Picture | null} */
  picture() {
    const { frozen } = this;
    return frozen ? frozen.past.picture(frozen.index, frozen.last) : (this.model?.picture() ?? null);
  }

  render() {
    const picture = this.picture();
    const { frozen } = this;
    if (picture) this.#show(picture);
    this.dock.show({
      paused: frozen !== null,
      replay: this.replay,
      index: frozen?.index ?? 0,
      length: frozen?.past.length ?? 0,
      n: picture?.turn.n ?? 0,
      ago: frozen ? frozen.past.ago(frozen.index) : 0,
      note: this.note,
    });
  }

  /** @param {Picture} picture */
  #show(picture) {
    mark(document.body, "data-shown", "");
    this.verdict.show(picture);
    this.turn.show(picture);
    this.wall.show(picture);
    this.plots.show(picture.series, picture.hello, picture.at);
    this.holders.show(picture);
    showTimers(picture);
    showLints(picture);
    showCost(picture);
  }

  /** @param {string} [query] @returns {Promise<string>} what the recorder holds, as it was sent */
  async #records(query = "") {
    const reply = await ask(`/records${query}`);
    if (!reply.ok) throw new Error(String(reply.status));
    return reply.text();
  }

  /**
   * Stop at a turn of the record: the newest, or that with number `n`. The program is not stopped, only the page.
   * @param {number} [n]
   */
  async freeze(n) {
    this.note = "";
    try {
      if (!this.frozen) {
        const records = await this.#records();
        const past = new Past(JSON.parse(records), this.replay);
        if (past.length) this.frozen = { past, text: records, index: past.length - 1, last: past.length - 1 };
        else this.note = text("page.dock.empty");
      }
      if (this.frozen && n !== undefined) this.#turnTo(this.frozen.past.find(n));
    } catch {
      this.note = text("page.dock.failed");
    }
    this.render();
  }

  /** Stop at the turn of that moment. @param {number} ns */
  async when(ns) {
    await this.freeze();
    const index = this.frozen?.past.at(ns);
    if (index === null) this.note = text("page.dock.overwritten");
    else if (index !== undefined) this.#turnTo(index);
    this.render();
    if (index !== null) byId("turn").scrollIntoView({ block: "start" });
  }

  live() {
    if (this.replay) return;
    this.frozen = null;
    this.note = "";
    this.render();
  }

  /** @param {number} by turns, back if negative */
  async step(by) {
    if (!this.frozen) await this.freeze();
    if (this.frozen) this.seek(this.frozen.index + by);
  }

  /** @param {number} index */
  seek(index) {
    if (!this.frozen) return;
    this.#turnTo(index);
    this.note = "";
    this.#soon();
  }

  /** The strip stays where it is as long as the turn is in it; else it moves by a turn, or has a far one in its middle. @param {number} index */
  #turnTo(index) {
    const { frozen } = this;
    if (!frozen) return;
    const end = frozen.past.length - 1;
    frozen.index = Math.min(Math.max(index, 0), end);
    const first = Math.max(0, frozen.last + 1 - STRIP);
    if (frozen.index === first - 1) frozen.last -= 1;
    else if (frozen.index === frozen.last + 1) frozen.last += 1;
    else if (frozen.index < first || frozen.index > frozen.last) frozen.last = Math.min(frozen.index + STRIP / 2, end);
  }

  async save() {
    try {
      if (!this.frozen) {
        this.note = text("page.dock.recording");
        this.render();
      }
      const records = this.frozen?.text ?? (await this.#records("?full")); // of a moment more, each request
      this.note = text("page.dock.saving");
      this.render();
      this.note = text("page.dock.saved", { name: await save(records, JSON.parse(records).hello) });
    } catch {
      this.note = text("page.dock.failed");
    }
    this.render();
  }

  /** Keys that no control of the page wants for itself. @param {KeyboardEvent} event */
  #key(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const control = event.target instanceof Element && event.target.closest("input, select, button, a, summary, [tabindex]");
    if (event.key === "Escape") {
      if (event.target === byId("wall-filter")) this.wall.unfilter();
      else this.live();
    } else if (control) return;
    else if (event.key === "/") byId("wall-filter").focus();
    else if (event.key === "ArrowLeft") void this.step(-1);
    else if (event.key === "ArrowRight") void this.step(1);
    else return;
    event.preventDefault();
  }
}

startTheme();
await load("/texts.json");
const app = new App();
startSwitches();
app.render();
await follow("/feed", (told) => app.told(told), (status) => app.connection(status));
