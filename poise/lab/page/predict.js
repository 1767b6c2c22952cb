/** The guess, before anything runs; afterwards the same list says what was right. */

import { element, mark } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { absent } from "./verdict.js";
import { pick } from "./words.js";

/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./session.js").Session} Session */

/**
 * @param {Experiment} experiment
 * @param {Session} session
 * @param {() => void} changed
 * @returns {HTMLElement}
 */
export function predict(experiment, session, changed) {
  const over = session.result !== null && session.result.claim.length > 0 && !absent(experiment, session.result);
  const rows = experiment.choices.map((choice, index) => {
    const own = session.result?.prediction.chosen === choice.id;
    const input = element("input", { type: "radio", name: "choice", value: choice.id, disabled: session.status === "running" });
    input.checked = session.chosen === choice.id;
    input.addEventListener("change", () => {
      session.chosen = choice.id;
      changed();
    });
    const key = element("kbd", { "aria-hidden": "true" }, String(index + 1));
    const row = element("label", { class: "choice" }, input, key, element("span", {}, pick(choice.text)));
    if (over && (choice.right || own)) {
      mark(row, "data-answer", choice.right ? "right" : "wrong");
      const said = choice.right ? (own ? "lab.choice.both" : "lab.choice.right") : "lab.choice.own";
      row.append(element("small", {}, text(said)));
    }
    return row;
  });
  return element("fieldset", { class: "choices" }, element("legend", { class: "unseen" }, text("lab.predict")), ...rows);
}
