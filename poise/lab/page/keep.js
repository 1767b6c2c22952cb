/** What a run leaves, as files: the result, the picture in the reader's language, the trace. */

import { element } from "../../seeing/page/dom.js";
import { spoken } from "../../seeing/page/texts.js";

const KEPT = 60_000; // milliseconds that the browser has for taking a file

/** @typedef {import("./session.js").Session} Session */

/**
 * @param {Session} session a run that has ended
 * @returns {[string, () => [string, string]][]} the name of each file, and what makes its kind and text
 */
export function kept(session) {
  const { result, files } = session;
  if (!result) return [];
  const id = result.experiment;
  /** @type {[string, () => [string, string]][]} */
  const all = [[`${id}.json`, () => ["application/json", `${JSON.stringify(result, null, 1)}\n`]]];
  const picture = files?.svg[spoken()];
  if (picture) all.push([`${id}.svg`, () => ["image/svg+xml", picture]]);
  if (files && result.events.length) all.push([`${id}.trace.json`, () => ["application/json", `${JSON.stringify(files.trace)}\n`]]);
  return all;
}

/** @param {string} name @param {string} kind @param {string} text */
export function save(name, kind, text) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}
