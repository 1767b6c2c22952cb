/**
 * Every word of the page, by its id, in the reader's language. The texts come from the server, which has them once for page,
 * terminal and log; an element that holds a fixed text names it in `data-text`, and its label in `data-label`.
 */

import { mark, say } from "./dom.js";
import { named } from "./units.js";

/** @typedef {Record<string, string>} Texts */

const KEPT = "poise.language";
const TAGS = /** @type {Record<string, string>} */ ({ en: "en", zh: "zh-Hans" });

/** @type {Record<string, Texts>} */
let all = { en: {}, zh: {} };
let language = "en";
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Fetch the texts and choose the language: what the reader chose before, else what the browser asks for.
 * @param {string} url
 */
export async function load(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
  all = await reply.json();
  const wanted = [remembered(), ...navigator.languages.map((tag) => tag.toLowerCase().replace(/-.*/, ""))];
  language = wanted.find((name) => name !== null && name in all) ?? "en";
  apply();
}

/** @returns {string} */
export function spoken() {
  return language;
}

/** @param {string} name */
export function speak(name) {
  if (!(name in all) || name === language) return;
  language = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // A browser that keeps nothing still speaks.
  }
  apply();
  for (const listener of listeners) listener();
}

/** @param {() => void} listener called after the language has changed */
export function onLanguage(listener) {
  listeners.add(listener);
}

/** @param {string} id @returns {boolean} */
export function known(id) {
  return id in (all[language] ?? {});
}

/**
 * The text, its gaps filled: a number is written with the unit that its name tells.
 * @param {string} id
 * @param {Record<string, unknown>} [args]
 * @returns {string}
 */
export function text(id, args = {}) {
  return parts(id, args).map((part) => part.text).join("");
}

/**
 * The text in pieces, so that what was filled in can be set apart.
 * @param {string} id
 * @param {Record<string, unknown>} [args]
 * @returns {{text: string, filled: string | null}[]}
 */
export function parts(id, args = {}) {
  const pattern = all[language]?.[id] ?? all.en?.[id] ?? id;
  return pattern
    .split(/(\{\w+\})/)
    .filter((piece) => piece !== "")
    .map((piece) => {
      const name = /^\{(\w+)\}$/.exec(piece)?.[1] ?? null;
      return name === null ? { text: piece, filled: null } : { text: whole(named(name, args[name])), filled: name };
    });
}

/** A figure and its unit stay together at the end of a line. @param {string} said @returns {string} */
const whole = (said) => (/^\S{1,8} \S{1,4}$/.test(said) ? said.replace(" ", "\u202f") : said);

/**
 * Put the fixed texts of a part of the page into it.
 * @param {ParentNode} [where]
 */
export function apply(where = document) {
  if (where === document) document.documentElement.lang = TAGS[language] ?? language;
  for (const node of where.querySelectorAll("[data-text]")) say(node, text(node.getAttribute("data-text") ?? ""));
  for (const node of where.querySelectorAll("[data-label]")) {
    mark(node, "aria-label", text(node.getAttribute("data-label") ?? ""));
  }
}

/** @returns {string | null} */
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
