/**
 * Figures with their units, three digits each. The unit is joined by a narrow no-break space, so a figure never
 * ends a line without it. Symbols are those of SI and IEC, the same in every language.
 */

export const NONE = "–";
const LEAST = 0.01; // percent; less is not nothing
const GAP = "\u202f";

/** @param {number} value @returns {string} three digits, without an exponent */
function three(value) {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {number | null | undefined} ns @returns {string} */
export function duration(ns) {
  if (ns === null || ns === undefined) return NONE;
  if (ns < 0) return `−${duration(-ns)}`;
  if (ns === 0) return `0${GAP}ms`;
  if (ns < 999.5) return `${ns.toFixed(0)}${GAP}ns`;
  if (ns < 999.5e3) return `${three(ns / 1e3)}${GAP}µs`;
  if (ns < 999.5e6) return `${three(ns / 1e6)}${GAP}ms`;
  if (ns < 60e9) return `${three(ns / 1e9)}${GAP}s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${GAP}min ${seconds % 60}${GAP}s`;
  return `${Math.floor(seconds / 3600)}${GAP}h ${Math.floor((seconds % 3600) / 60)}${GAP}min`;
}

/** How long ago, to the second: more would only flicker. @param {number} ns @returns {string} */
export function since(ns) {
  return duration(Math.max(1, Math.round(ns / 1e9)) * 1e9).replace(/\.\d+/, "");
}

/** @param {number | null | undefined} count @returns {string} */
export function bytes(count) {
  if (count === null || count === undefined) return NONE;
  if (count < 1000) return `${count.toFixed(0)}${GAP}B`;
  let value = count / 1024;
  for (const unit of ["KiB", "MiB", "GiB"]) {
    if (value < 999.5) return `${three(value)}${GAP}${unit}`;
    value /= 1024;
  }
  return `${three(value)}${GAP}TiB`;
}

/** @param {number | null | undefined} perSecond @returns {string} */
export function rate(perSecond) {
  return perSecond === null || perSecond === undefined ? NONE : `${bytes(perSecond)}/s`;
}

/** @param {number | null | undefined} part of 1 @returns {string} */
export function share(part) {
  if (part === null || part === undefined) return NONE;
  const percent = part * 100;
  if (percent > 0 && percent < LEAST) return `<${LEAST}${GAP}%`;
  const digits = percent >= 9.95 || percent === 0 ? 0 : percent >= 0.095 ? 1 : 2;
  return `${percent.toFixed(digits)}${GAP}%`;
}

/** @param {number | null | undefined} value @returns {string} grouped by thousands */
export function count(value) {
  if (value === null || value === undefined) return NONE;
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} wall seconds since 1970 @returns {string} the reader's own time of day */
export function clock(wall) {
  const date = new Date(wall * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}

/**
 * A value as a sentence says it. What it measures is told by its name, as in the texts: `ns`, `lag_ns`, `share`, `queue_bytes`.
 * @param {string} name
 * @param {unknown} value
 * @returns {string}
 */
export function named(name, value) {
  if (value === null || value === undefined) return NONE;
  if (typeof value !== "number") return String(value);
  if (/^ago(_ns)?$/.test(name)) return since(value);
  if (/(^|_)ns$/.test(name)) return duration(value);
  if (/(^|_)(share|busy|free|cpu)$/.test(name)) return share(value);
  if (/(^|_)per_s$/.test(name)) return rate(value);
  if (/(^|_)(bytes|queue|in|out)$/.test(name)) return bytes(value);
  return /^(fd|gen|pid|line|port)$/.test(name) ? String(value) : count(value);
}
