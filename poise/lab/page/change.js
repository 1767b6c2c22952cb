/** "What changed when I changed this line": the program with one line changed, and what came of it in this run. */

import { element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { listing } from "./listing.js";
import { pick, read } from "./words.js";

/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./contract.js").Variant} Variant */
/** @typedef {import("./motion.js").Motion} Motion */

/**
 * @param {Experiment} experiment
 * @param {Motion | null} motion that has both programs, when they have been run
 * @returns {HTMLElement}
 */
export function changes(experiment, motion) {
  const shown = element("div");
  const buttons = experiment.variants.map((variant) => {
    const button = element("button", { type: "button", "aria-pressed": "false" }, `${variant.model}: ${pick(variant.text)}`);
    button.addEventListener("click", () => choose(variant));
    return button;
  });
  /** @param {Variant} variant */
  const choose = (variant) => {
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(experiment.variants[index] === variant)));
    shown.replaceChildren(...change(experiment, variant, motion));
    const code = shown.querySelector(".listing");
    const line = shown.querySelector(".is-new");
    if (code instanceof HTMLElement && line instanceof HTMLElement) code.scrollTop = line.offsetTop - code.offsetTop - code.clientHeight / 3;
  };
  const made = element("div", {}, element("div", { role: "group", class: "toggles", "aria-label": text("lab.change") }, ...buttons), shown);
  queueMicrotask(() => experiment.variants[0] && choose(experiment.variants[0]));
  return made;
}

/** @param {Experiment} experiment @param {Variant} variant @param {Motion | null} motion @returns {HTMLElement[]} */
function change(experiment, variant, motion) {
  const file = experiment.sources.find((each) => each.name === variant.model)?.file ?? variant.model;
  const { node } = listing({ file, source: read(variant) }, { changed: variant.line, before: read({ source: variant.before, chinese: variant.chinese_before }) });
  const parts = [element("p", { class: "quiet" }, text("lab.change.where", { file, line: variant.line })), node];
  const whos = motion?.lanes.map((lane) => lane.film.who) ?? [];
  const before = whos.find((who) => who === variant.model) ?? whos.find((who) => who !== variant.who && who.startsWith(`${variant.model},`));
  if (motion && before && whos.includes(variant.who)) {
    const button = element("button", { type: "button" }, text("lab.change.beside"));
    button.addEventListener("click", () => {
      motion.set(1, variant.who);
      motion.set(0, before);
      motion.node.scrollIntoView({ block: "start", behavior: "instant" });
    });
    parts.push(element("p", {}, button));
  }
  return parts;
}
