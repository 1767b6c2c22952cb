/** Axes: from zero, with round ticks; logarithmic in whole powers of ten. Numbers as people write them. */

const STEPS = [1, 2, 2.5, 5, 10];
const TICKS = 5; // about so many
const MOST = 7; // powers of ten that are written

/** @typedef {{low: number, high: number, ticks: number[], log: boolean, at: (value: number) => number}} Scale `at`: 0 to 1 */

/** @param {number[]} values @param {boolean} log @returns {Scale} one that holds all of them */
export function scale(values, log) {
  const known = values.filter(Number.isFinite);
  return log ? logarithmic(known) : linear(known);
}

/** @param {number[]} values @returns {Scale} */
function linear(values) {
  const largest = Math.max(0, ...values) || 1;
  const power = 10 ** Math.floor(Math.log10(largest / TICKS));
  const step = power * (STEPS.find((each) => each * power * TICKS >= largest * 0.999) ?? 10);
  const count = Math.ceil(largest / step - 1e-9);
  const high = count * step;
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { low: 0, high, ticks, log: false, at: (value) => clamp(value / high) };
}

/** @param {number[]} values @returns {Scale} */
function logarithmic(values) {
  const positive = values.filter((value) => value > 0);
  const first = Math.floor(Math.log10(Math.min(...positive, Infinity) === Infinity ? 1 : Math.min(...positive)));
  const last = Math.max(Math.ceil(Math.log10(Math.max(1e-9, ...positive))), first + 1);
  const every = Math.ceil((last - first) / MOST);
  const ticks = [];
  for (let power = first; power <= last; power += every) ticks.push(10 ** power);
  const low = 10 ** first;
  return {
    low,
    high: 10 ** last,
    ticks,
    log: true,
    at: (value) => clamp((Math.log10(Math.max(value, low)) - first) / (last - first)),
  };
}

/** @param {number} part */
const clamp = (part) => Math.min(1, Math.max(0, part));

/** @param {number} value @returns {string} `1.2M`, `340`, `0.05` */
export function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9) return `${three(value / 1e9)}G`;
  if (size >= 1e6) return `${three(value / 1e6)}M`;
  if (size >= 1e4) return `${three(value / 1e3)}k`;
  if (size >= 100) return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
  return three(value);
}

/** @param {number} value @returns {string} three digits, without zeros that say nothing */
function three(value) {
  return Math.abs(value) >= 999.5 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}
