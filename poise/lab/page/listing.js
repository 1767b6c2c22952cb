/** The source of a program, with numbers before its lines; one of them can be lit, and some can be marked as changed. */

import { element, mark } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";

const STATEMENT = 4; // lines after the lit one in which the name of the call may stand

/**
 * @param {{file: string, source: string}} program
 * @param {{changed?: number, before?: string}} [about] a line that is another one than before
 * @returns {{node: HTMLElement, light: (line: number) => void}}
 */
export function listing(program, about = {}) {
  const lines = program.source.replace(/\n$/, "").split("\n").map((line, index) => lineOf(line, index + 1, about.changed));
  if (about.changed && about.before !== undefined) {
    const sign = element("span", { class: "line-number", "aria-hidden": "true" }, "−");
    const kept = element("span", { class: "line-text" }, indentation(program.source, about.changed) + about.before);
    const struck = element("del", { class: "line was" }, sign, kept, "\n");
    lines[about.changed - 1]?.before(struck);
    lines.splice(about.changed - 1, 0, struck);
  }
  const code = element("code", {}, ...lines);
  const node = element("pre", { class: "listing", tabindex: 0, role: "group", "aria-label": program.file }, code);
  /** @type {HTMLElement | undefined} */
  let lit;
  return {
    node,
    light(number) {
      if (lit) mark(lit, "aria-current", null);
      lit = lines.find((each) => each.dataset["line"] === String(number));
      if (!lit) return;
      mark(lit, "aria-current", "step");
      show(node, lit);
    },
  };
}

/** @param {string} line @param {number} number @param {number | undefined} changed */
function lineOf(line, number, changed) {
  const sign = element("span", { class: "line-number", "aria-hidden": "true" }, String(number));
  const comment = /^\s*#/.test(line) ? " comment" : "";
  const made = number === changed ? "ins" : "span";
  const words = element("span", { class: `line-text${comment}` }, line);
  return element(made, { class: number === changed ? "line is-new" : "line", "data-line": number }, sign, words, "\n");
}

/** @param {string} source @param {number} line @returns {string} */
const indentation = (source, line) => /^\s*/.exec(source.split("\n")[line - 1] ?? "")?.[0] ?? "";

/** Scroll the listing, and nothing but the listing. @param {HTMLElement} frame @param {HTMLElement} line */
function show(frame, line) {
  const top = line.offsetTop - frame.offsetTop;
  const third = frame.clientHeight / 3;
  if (top < frame.scrollTop + third / 2 || top > frame.scrollTop + third * 2.4) frame.scrollTo({ top: top - third });
}

/**
 * Whether the line may be lit for a call: a recorder names the line of whoever has made it, which may be in another file.
 * @param {string} source @param {number} line @param {string} call
 */
export function says(source, line, call) {
  const name = call === "close" ? "" : (call.split(".").at(-1) ?? call); // the end of a with block closes without a word
  return source.split("\n").slice(line - 1, line - 1 + STATEMENT).join("\n").includes(name);
}

/** The source folded away under its name. @param {{file: string, source: string}} program @returns {HTMLElement} */
export function folded(program) {
  const fold = element("details", { class: "program" }, element("summary", {}, text("lab.source", { file: program.file })));
  fold.addEventListener("toggle", () => {
    if (fold.open && fold.children.length === 1) fold.append(listing(program).node);
  });
  return fold;
}
