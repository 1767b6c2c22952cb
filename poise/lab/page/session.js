/** What the reader has done with one experiment: guessed, run, looked at. Kept as long as the page is open; who was right, longer. */

/** @typedef {import("./contract.js").Result} Result */
/** @typedef {import("./contract.js").Files} Files */

/**
 * @typedef {{
 *   chosen: string | null, models: string[], status: "idle" | "running" | "done" | "refused", done: number, what: string,
 *   refusal: {status: number, said: string} | null, result: Result | null, files: Files | null, signal: AbortController | null,
 *   film: {shown: string[], at: number} | null, changed: (ended: boolean) => void,
 * }} Session `changed` is whoever shows it now
 */

const KEPT = "poise.lab";

/** @type {Map<string, Session>} */
const sessions = new Map();

/** @param {string} id @param {string[]} models @returns {Session} */
export function session(id, models) {
  let found = sessions.get(id);
  if (!found) {
    found = {
      chosen: null,
      models: [...models],
      status: "idle",
      done: 0,
      what: "",
      refusal: null,
      result: null,
      files: null,
      signal: null,
      film: null,
      changed: () => undefined,
    };
    sessions.set(id, found);
  }
  return found;
}

/** @returns {Record<string, "seen" | "right" | "wrong">} */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {string} id @param {boolean | null} correct */
export function remember(id, correct) {
  const all = remembered();
  all[id] = correct === null ? "seen" : correct ? "right" : "wrong";
  try {
    localStorage.setItem(KEPT, JSON.stringify(all));
  } catch {
    // A browser that keeps nothing still runs.
  }
}
