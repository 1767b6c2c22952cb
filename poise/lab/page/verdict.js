/** What came of a run: the guess beside what is so, and each claim with its measured number and its bound. */

import { element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { short } from "./ticks.js";
import { pick } from "./words.js";

/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./contract.js").Result} Result */
/** @typedef {import("./contract.js").Check} Check */

const SIGNS = { ">=": "≥", "<=": "≤", "==": "=" };

/** @param {Experiment} experiment @param {Result} result @returns {string} in one sentence */
export function sentence(experiment, result) {
  if (result.outcome === "cannot" || result.outcome === "failed") return result.reason ? pick(result.reason) : text("lab.failed");
  if (result.outcome === "not shown") return text("lab.not.shown");
  const missing = absent(experiment, result);
  if (missing) return text("lab.absent", { model: pick(missing.title) });
  const right = pick(rightChoice(experiment).text);
  if (result.prediction.correct === null) return text("lab.answer", { right });
  return text(result.prediction.correct ? "lab.right" : "lab.wrong", { right });
}

/** The server that the question is about, when it took no part. @param {Experiment} experiment @param {Result} result */
export function absent(experiment, result) {
  return result.models.includes(experiment.about) ? undefined : experiment.sources.find((each) => each.name === experiment.about);
}

/** @param {Experiment} experiment */
export function rightChoice(experiment) {
  return /** @type {import("./contract.js").Choice} */ (experiment.choices.find((choice) => choice.right));
}

/** @param {Result} result @returns {HTMLElement} */
export function claims(result) {
  const rows = result.claim.map((check) =>
    element(
      "tr",
      { class: check.holds ? "holds" : "fails" },
      element("th", { scope: "row" }, pick(check.text)),
      element("td", {}, element("b", {}, short(check.measured))),
      element("td", { class: "bound" }, `${SIGNS[check.relation]} ${short(check.bound)}`),
      element("td", { class: "holds-cell" }, element("span", { "aria-hidden": "true" }, check.holds ? "✓" : "✗"), " ", text(check.holds ? "lab.holds" : "lab.fails")),
    ),
  );
  const heads = ["lab.claim", "lab.measured", "lab.bound", "lab.holds.head"].map((id, index) =>
    element("th", { scope: "col", class: index ? "number" : "" }, text(id)),
  );
  return element("table", { class: "claims" }, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}
