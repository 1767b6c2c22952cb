/** Texts that come in both languages at once, as an experiment has them. */

import { known, spoken, text } from "../../seeing/page/texts.js";

/** @typedef {import("./contract.js").Words} Words */

/** @param {Words} words @returns {string} in the reader's language */
export function pick(words) {
  return /** @type {Record<string, string>} */ (words)[spoken()] ?? words.en;
}

/** A program's source with its comments in the reader's language, if it is there in both. @param {{source: string, chinese?: string}} program @returns {string} */
export function read({ source, chinese }) {
  return spoken() === "zh" ? (chinese ?? source) : source;
}

/** What a run calls one of its programs, in words: "program, half-close". @param {string} who @returns {string} */
export function whoInWords(who) {
  const parts = who.split(", ").map((part) => (known(`lab.who.${part}`) ? text(`lab.who.${part}`) : part));
  return parts.join(spoken() === "zh" ? "：" : ": ");
}

/** @param {number} seconds that something takes @returns {number} as they are told: whole ones, and never none */
export function told(seconds) {
  return Math.max(1, Math.round(seconds));
}

/** @param {import("./contract.js").Machine} of @returns {string} what stands under every measurement */
export function machineInWords(of) {
  const cores = spoken() === "zh" ? `${of.cores} 核` : `${of.cores} ${of.cores === 1 ? "core" : "cores"}`;
  return `${of.implementation} ${of.python} · ${of.system} ${of.release} ${of.machine} · ${cores}`;
}

/** @param {import("./contract.js").Axis} axis @returns {string} "time (ms)", and that it is logarithmic */
export function named(axis) {
  const inside = [pick(axis.unit), axis.log ? text("lab.log") : ""].filter(Boolean).join(", ");
  return pick(axis.label) + (inside ? ` (${inside})` : "");
}
