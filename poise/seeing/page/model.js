/**
 * The present, folded from the feed: what is told once is kept, what is told in part is joined.
 * It knows no document, so that it can be tried without one.
 */

/** @typedef {import("./contract.js").Hello} Hello */
/** @typedef {import("./contract.js").State} State */
/** @typedef {import("./contract.js").Row} Row */
/** @typedef {import("./contract.js").Turn} Turn */
/** @typedef {import("./contract.js").Series} Series */
/** @typedef {import("./contract.js").Stall} Stall */
/** @typedef {import("./contract.js").Picture} Picture */

export const STRIP = 300; // turns shown
const SERIES = 300; // seconds shown
const STALLS = 50; // kept

/** One life of one descriptor number. @param {{fd: number | null, gen: number | null}} of @returns {string} */
export function lifeOf({ fd, gen }) {
  return `${fd}.${gen}`;
}

export class Model {
  /** @param {Hello} hello */
  constructor(hello) {
    this.hello = hello;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Turn[]} */
    this.strip = [];
    /** @type {Series} */
    this.series = { at: [], busy: [], lag: [], calls: [] };
    /** @type {Stall[]} */
    this.stalls = [];
    /** @type {State | null} */
    this.state = null;
  }

  /** @param {State} state */
  apply(state) {
    for (const row of state.rows) this.rows.set(lifeOf(row), row);
    for (const [fd, gen] of state.gone) this.rows.delete(lifeOf({ fd, gen }));
    const last = this.strip.at(-1)?.[0] ?? -1;
    this.strip.push(...state.strip.turns.filter((turn) => turn[0] > last));
    this.strip.splice(0, this.strip.length - STRIP);
    this.#lengthen(state.series);
    const known = new Set(this.stalls.map((stall) => stall.id));
    this.stalls.push(...state.stalls.filter((stall) => !known.has(stall.id)));
    this.stalls.splice(0, this.stalls.length - STALLS);
    this.state = state;
  }

  /** @param {Series} more */
  #lengthen(more) {
    const { series } = this;
    const last = series.at.at(-1) ?? -Infinity;
    more.at.forEach((at, index) => {
      if (at <= last) return;
      series.at.push(at);
      series.busy.push(more.busy[index] ?? 0);
      series.lag.push(more.lag[index] ?? null);
      series.calls.push(more.calls[index] ?? 0);
    });
    const beyond = series.at.length - SERIES;
    if (beyond > 0) for (const list of Object.values(series)) list.splice(0, beyond);
  }

  /** @returns {Picture | null} null until the first state has come */
  picture() {
    const { state } = this;
    if (!state) return null;
    return {
      live: true,
      hello: this.hello,
      at: state.at,
      wall: state.wall,
      level: state.level,
      verdict: state.verdict,
      numbers: state.numbers,
      cost: state.cost,
      turn: state.turn,
      strip: this.strip,
      selected: null,
      calls: null,
      series: this.series,
      rows: [...this.rows.values()],
      gone: state.gone,
      total: state.rows_total,
      holders: state.holders,
      stalls: this.stalls,
      timers: state.timers,
      timersTotal: state.timers_total,
      lags: state.lags,
      lints: state.lints,
      recorder: state.recorder,
    };
  }
}
