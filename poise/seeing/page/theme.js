/**
 * Light or dark: as the system has it, until the reader says otherwise. The colours are in the style sheet alone;
 * pictures on a canvas ask for them here.
 */

const KEPT = "poise.theme";
const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {string} what the reader has chosen */
export function chosen() {
  return root.dataset.theme ?? "auto";
}

/** @param {string} name of THEMES */
export function choose(name) {
  if (!THEMES.includes(name)) return;
  root.dataset.theme = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // A browser that keeps nothing still changes.
  }
  changed();
}

/** @param {() => void} listener called after the colours have changed */
export function onTheme(listener) {
  listeners.add(listener);
}

/** @type {Map<string, string>} */
const resolved = new Map();
const probe = document.createElement("i");

/**
 * A colour of the style sheet as it is in the present theme, for a pen that does not know style sheets.
 * @param {string} name of a custom property, without the dashes
 * @returns {string}
 */
export function colour(name) {
  const known = resolved.get(name);
  if (known !== undefined) return known;
  probe.hidden = true;
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  resolved.set(name, found);
  return found;
}

/** @returns {boolean} whether the reader has asked for stillness */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function changed() {
  resolved.clear();
  for (const listener of listeners) listener();
}

/** What was chosen before, and the system's own changes from now on. */
export function start() {
  let before = null;
  try {
    before = localStorage.getItem(KEPT);
  } catch {
    // As above.
  }
  if (before !== null && THEMES.includes(before)) root.dataset.theme = before;
  system.addEventListener("change", changed);
}
