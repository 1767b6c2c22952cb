/** The part of an experiment that starts a run, shows how far it is, and stops it. */

import { element, keyed, mark, say } from "../../seeing/page/dom.js";
import { known, text } from "../../seeing/page/texts.js";
import { start, stop } from "./run.js";
import { pick, told, whoInWords } from "./words.js";

/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./session.js").Session} Session */

/** Why it did not run. @param {Session} session @returns {string} */
function refused({ refusal }) {
  if (!refusal) return text("lab.lost");
  const id = `lab.refused.${refusal.status}`;
  return known(id) ? text(id) : refusal.said;
}

export class Running {
  /** @param {Experiment} experiment @param {Session} session @param {() => void} ended */
  constructor(experiment, session, ended) {
    this.experiment = experiment;
    this.session = session;
    session.changed = (over) => (over ? ended() : this.renew());
    this.toggles = element("div", { class: "toggles", role: "group", "aria-label": text("lab.models") });
    this.button = element("button", { type: "button", class: "main", id: "start" });
    this.bare = element("button", { type: "button", class: "plainly" }, text("lab.start.bare"));
    this.halt = element("button", { type: "button", id: "halt" }, text("lab.stop"));
    this.bar = element("progress", { max: 1, value: 0, "aria-label": text("lab.progress") });
    this.said = element("p", { class: "quiet progress-said" });
    this.button.addEventListener("click", () => start(experiment, session));
    this.bare.addEventListener("click", () => start(experiment, session));
    this.halt.addEventListener("click", () => stop(session));
    const models = experiment.models.length > 1 ? [element("p", { class: "quiet" }, text("lab.models")), this.toggles] : [];
    this.node = element(
      "div",
      { class: "starting" },
      ...models,
      element("div", { class: "start-row" }, this.button, this.bare, this.halt, this.bar, this.said),
    );
    this.renew();
  }

  /** Show what the session says. */
  renew() {
    const { session, experiment } = this;
    const going = session.status === "running";
    const again = session.status === "done";
    say(this.button, text(again ? "lab.again" : "lab.start"));
    mark(this.button, "disabled", going || (session.chosen === null && !again));
    this.bare.hidden = going || again || session.chosen !== null;
    this.halt.hidden = this.bar.hidden = !going;
    this.bar.value = session.done;
    say(this.said, this.#state());
    mark(this.node, "data-status", session.status);
    keyed(
      this.toggles,
      experiment.models,
      (name) => name,
      (name) => this.#toggle(name),
      (node, name) => {
        mark(node, "aria-pressed", String(session.models.includes(name)));
        mark(node, "disabled", going || !this.#model(name)?.available);
      },
    );
  }

  #state() {
    const { session, experiment } = this;
    if (session.status === "running") return session.what ? text("lab.now", { what: this.#name(session.what) }) : text("lab.starting");
    if (session.status === "refused") return refused(session);
    if (session.chosen === null && session.status === "idle") return text("lab.predict.first", { seconds: told(experiment.seconds) });
    return text("lab.about.seconds", { seconds: told(experiment.seconds) });
  }

  /** @param {string} name */
  #model(name) {
    return this.experiment.sources.find((each) => each.name === name);
  }

  /** @param {string} what @returns {string} */
  #name(what) {
    const model = this.#model(what);
    return model ? pick(model.title) : whoInWords(what);
  }

  /** @param {string} name */
  #toggle(name) {
    const button = element("button", { type: "button", "data-model": name }, this.#name(name));
    button.addEventListener("click", () => {
      const { session, experiment } = this;
      const every = session.models.length === experiment.models.length;
      const chosen = new Set(every ? [] : session.models); // who chooses one while all take part, means this one
      if (chosen.has(name)) chosen.delete(name);
      else chosen.add(name);
      session.models = experiment.models.filter((each) => !chosen.size || chosen.has(each));
      this.renew();
    });
    return button;
  }
}
