/** The contents: what there is to try, in teaching order, and where each row of the notes is shown. */

import { element } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";
import { link } from "./route.js";
import { remembered } from "./session.js";
import { pick, told } from "./words.js";

/** @typedef {import("./contract.js").About} About */
/** @typedef {import("./contract.js").Experiment} Experiment */

/** @param {About} about @returns {HTMLElement} */
export function contents(about) {
  const done = remembered();
  const items = about.experiments.map((each) => item(each, done[each.id]));
  const seen = about.experiments.filter((each) => done[each.id]).length;
  const said = seen ? text("lab.contents.done", { seen, all: about.experiments.length }) : text("lab.contents.about");
  return element(
    "article",
    { class: "contents" },
    element("header", { class: "head" }, element("h1", { tabindex: -1 }, text("lab.contents.title", { n: about.experiments.length })), element("p", {}, said)),
    element("section", { "aria-labelledby": "list-title" }, element("h2", { id: "list-title", class: "unseen" }, text("lab.all")), element("ol", { class: "list" }, ...items)),
    rows(about),
    exercises(about),
    element("p", { class: "quiet keys" }, text("lab.keys")),
  );
}

/** @param {Experiment} experiment @param {string | undefined} done */
function item(experiment, done) {
  const state = done ? element("span", { class: `done done-${done}` }, text(`lab.done.${done}`)) : "";
  const about = text("lab.item", { seconds: told(experiment.seconds), rows: experiment.rows.join(", ") });
  return element(
    "li",
    { class: "item" },
    element("a", { href: link(experiment.id) }, pick(experiment.title)),
    state,
    element("p", {}, pick(experiment.question)),
    element("p", { class: "quiet" }, about),
  );
}

/** @param {About} about */
function rows(about) {
  const lines = about.rows.map((row) => {
    const shown = about.experiments.filter((each) => each.rows.includes(row.number));
    const links = shown.map((each) => element("a", { href: link(each.id) }, pick(each.title)));
    const also = row.exercises.map((each) => element("code", {}, each));
    return element(
      "tr",
      {},
      element("td", { class: "row-number" }, String(row.number)),
      element("th", { scope: "row" }, pick(row.text)),
      element("td", { class: "row-links" }, ...[...links, ...also].flatMap((each) => [each, " "])),
    );
  });
  const head = ["lab.row", "lab.notes", "lab.shown.in"].map((id) => element("th", { scope: "col" }, text(id)));
  return element(
    "section",
    { "aria-labelledby": "rows-title" },
    element("h2", { id: "rows-title" }, text("lab.rows.title")),
    element("p", { class: "quiet" }, text("lab.rows.about")),
    element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines)),
  );
}

/** @param {About} about */
function exercises(about) {
  const names = [...new Set(about.rows.flatMap((row) => row.exercises))];
  if (!names.length) return "";
  const commands = ["poise lab exercises DIR", "poise lab check DIR/FILE"].map((each) => element("code", {}, each));
  return element(
    "section",
    { "aria-labelledby": "exercises-title" },
    element("h2", { id: "exercises-title" }, text("lab.exercises")),
    element("p", {}, text("lab.exercises.about")),
    element("pre", { class: "listing" }, ...commands.flatMap((each) => [each, "\n"])),
  );
}
