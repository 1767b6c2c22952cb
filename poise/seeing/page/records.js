/**
 * The past, from the recorder's rows: any turn that it holds, shown in the same shape as the present.
 *
 * A row is a list whose first item tells its kind. Calls are written when they end, and the turn after its calls, so the calls of a
 * turn are the rows before it. Levels of kernel buffers and findings are sampled and not recorded: in the past they are not
 * known, and are shown as not known.
 */

import { lifeOf, STRIP } from "./model.js";

/** @typedef {import("./contract.js").Records} Records */
/** @typedef {import("./contract.js").RecordRow} RecordRow */
/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Turn} Turn */
/** @typedef {import("./contract.js").Call} Call */
/** @typedef {import("./contract.js").Row} Row */
/** @typedef {import("./contract.js").Holder} Holder */
/** @typedef {import("./contract.js").Seat} Seat */
/** @typedef {import("./contract.js").Series} Series */

export const KIND = { TURN: 0, CALL: 1, TIMER: 2, POSTED: 3, LIFE: 4, INTEREST: 5, SHORT: 6, REQUEST: 7 };
export const WHY = ["fd", "timer", "wakeup", "signal", "posted", "caller"];

const SECOND = 1e9;
const MINUTE = 60 * SECOND;

/**
 * What happened in one turn. @typedef {{
 *   n: number, t0: number, asked: number, wait: number, handle: number, timers: number, posted: number, ready: number,
 *   cpu: number, why: string, rows: RecordRow[],
 * }} Moment
 */

/** @param {RecordRow} row @param {number} index @returns {number} */
const number = (row, index) => /** @type {number} */ (row[index] ?? 0);

/** @param {RecordRow} row @param {number} index @returns {string} */
const string = (row, index) => String(row[index] ?? "");

/** @param {Moment} moment @returns {number} */
const endOf = (moment) => moment.t0 + moment.wait + moment.handle + moment.timers + moment.posted;

export class Past {
  /** @param {Records} records @param {boolean} replay whether the program is no more, or another */
  constructor(records, replay) {
    this.records = records;
    this.hello = { ...records.hello, replay };
    /** @type {Moment[]} */
    this.moments = [];
    /** @type {RecordRow[]} */
    let rows = [];
    for (const row of records.rows) {
      if (row[0] !== KIND.TURN) {
        rows.push(row);
        continue;
      }
      const [, t0, n, asked, wait, handle, timers, posted, ready, cpu] = /** @type {number[]} */ (row);
      const why = string(row, 10);
      this.moments.push(/** @type {Moment} */ ({ n, t0, asked, wait, handle, timers, posted, ready, cpu, why, rows }));
      rows = [];
    }
    /** When the last turn ended. @type {number} */
    this.end = this.moments.length ? endOf(/** @type {Moment} */ (this.moments.at(-1))) : 0;
  }

  /** @returns {number} */
  get length() {
    return this.moments.length;
  }

  /** The index of turn `n`, or of the nearest that is held. @param {number} n @returns {number} */
  find(n) {
    const first = this.moments[0]?.n ?? 0;
    return Math.min(Math.max(n - first, 0), Math.max(this.length - 1, 0));
  }

  /** The index of the turn in which this moment was, or null if the record does not reach back to it. @param {number} ns @returns {number | null} */
  at(ns) {
    const after = this.moments.findIndex((moment) => moment.t0 > ns);
    return after === 0 || this.length === 0 ? null : (after < 0 ? this.length : after) - 1;
  }

  /** How long before the end of the record this turn ended, in ns. @param {number} index @returns {number} */
  ago(index) {
    const moment = this.moments[index];
    return moment ? this.end - endOf(moment) : 0;
  }

  /**
   * The picture after the turn with this index.
   * @param {number} index
   * @param {number} [last] the newest turn in the strip, which may be after this one
   * @returns {Picture | null}
   */
  picture(index, last = index) {
    const moment = this.moments[index];
    if (!moment) return null;
    const at = endOf(moment);
    const calls = this.#calls(moment);
    const longest = calls.reduce((a, b) => (b.ns > a ? b.ns : a), 0);
    const worst = calls.find((call) => call.ns === longest);
    const work = moment.handle + moment.timers + moment.posted;
    const rows = this.#rows(index);
    const lags = this.#lags(index, at);
    return {
      live: false,
      hello: this.hello,
      at,
      wall: this.hello.wall + (at - this.hello.clock_ns) / SECOND,
      level: "recorder",
      verdict: {
        id: worst ? "page.past" : "page.past.idle",
        args: { n: moment.n, ns: work, name: worst?.name ?? "", longest_ns: longest, ago_ns: this.ago(index) },
      },
      numbers: this.#numbers(index, at, rows.length, lags.p99),
      cost: null,
      turn: { n: moment.n, phase: "wait", phase_ns: 0, stuck: null },
      strip: this.moments.slice(Math.max(0, last + 1 - STRIP), last + 1).map((each) => this.#turn(each)),
      selected: this.#turn(moment),
      calls,
      series: this.#series(index),
      rows,
      gone: [],
      total: rows.length,
      holders: this.#holders(index, at),
      stalls: this.records.stalls.filter((stall) => stall.at <= at),
      timers: [],
      timersTotal: 0,
      lags,
      lints: [],
      recorder: { held: this.records.rows.length, overwritten: 0, span_ns: this.end - (this.moments[0]?.t0 ?? 0) },
    };
  }

  /** @param {number} place in the table of seats @returns {Seat | null} */
  #seat(place) {
    return this.records.seats[place] ?? null;
  }

  /** @param {Moment} moment @returns {Turn} */
  #turn(moment) {
    let fd = null;
    let longest = 0;
    for (const row of moment.rows) {
      if (row[0] === KIND.CALL && number(row, 2) > longest) {
        longest = number(row, 2);
        fd = this.#seat(number(row, 3))?.[0] ?? null;
      }
    }
    const { n, t0, wait, handle, timers, posted, ready } = moment;
    return [n, t0, wait, handle, timers, posted, ready, fd, longest];
  }

  /** @param {Moment} moment @returns {Call[]} */
  #calls(moment) {
    /** @type {Call[]} */
    const found = [];
    for (const row of moment.rows) {
      const about = { t0: number(row, 1), ns: number(row, 2), mask: 0, wanted: 0, row: null };
      if (row[0] === KIND.TIMER) found.push({ ...about, kind: "timer", name: string(row, 3) });
      else if (row[0] === KIND.POSTED) found.push({ ...about, kind: "posted", name: string(row, 3) });
      else if (row[0] === KIND.CALL) {
        const seat = this.#seat(number(row, 3));
        const mask = number(row, 4);
        const wanted = number(row, 5);
        found.push({ ...about, kind: "call", name: seat?.[3] ?? "", mask, wanted, row: seat && bare(seat, wanted, mask) });
      }
    }
    return found;
  }

  /**
   * Every descriptor that was open after this turn, as far as the record tells.
   * @param {number} index
   * @returns {Row[]}
   */
  #rows(index) {
    /** @type {Map<string, Row>} */
    const rows = new Map();
    const ended = new Set(); // a call is written when it ends, and the descriptor may have left in it
    for (let i = 0; i <= index; i++) {
      for (const row of /** @type {Moment} */ (this.moments[i]).rows) {
        if (row[0] === KIND.LIFE) {
          const seat = this.#seat(number(row, 2));
          if (string(row, 3) !== "open") {
            ended.add(row[2]);
            if (seat) rows.delete(lifeOf({ fd: seat[0], gen: seat[1] }));
          } else if (seat) this.#open(rows, seat);
        } else if (row[0] === KIND.CALL) {
          const seat = this.#seat(number(row, 3));
          if (!seat || ended.has(row[3])) continue;
          const known = this.#open(rows, seat);
          const ns = number(row, 2);
          known.returned = number(row, 4);
          known.wanted = number(row, 5);
          known.events += 1;
          known.held_ns += ns;
          known.longest_ns = Math.max(known.longest_ns, ns);
          known.last_ns = number(row, 1);
          known.state = i < index ? "waiting" : known.returned & 0x4 ? "writing" : "reading";
        }
      }
    }
    return [...rows.values()];
  }

  /** @param {Map<string, Row>} rows @param {Seat} seat @returns {Row} */
  #open(rows, seat) {
    const life = lifeOf({ fd: seat[0], gen: seat[1] });
    const known = rows.get(life) ?? bare(seat, 0, 0);
    rows.set(life, known);
    return known;
  }

  /**
   * The moments that ended in the last `span` before this one, newest first.
   * @param {number} index
   * @param {number} at
   * @param {number} span
   */
  *#recent(index, at, span) {
    for (let i = index; i >= 0; i--) {
      const moment = /** @type {Moment} */ (this.moments[i]);
      if (endOf(moment) < at - span) return;
      yield moment;
    }
  }

  /** @param {number} index @param {number} at @param {number} open @param {number | null} lag */
  #numbers(index, at, open, lag) {
    let wait = 0;
    let total = 0;
    let turns = 0;
    let callbacks = 0;
    for (const moment of this.#recent(index, at, 10 * SECOND)) {
      wait += moment.wait;
      total += endOf(moment) - moment.t0;
      turns += 1;
      callbacks += this.#calls(moment).length;
    }
    /** @type {import("./contract.js").Longest | null} */
    let longest = null;
    for (const moment of this.#recent(index, at, MINUTE)) {
      for (const call of this.#calls(moment)) {
        if (longest && call.ns <= longest.ns) continue;
        const { fd = null, gen = null } = call.row ?? {};
        longest = { ns: call.ns, name: call.name, fd, gen, ago_ns: at - call.t0 - call.ns, kind: call.kind };
      }
    }
    const seconds = Math.max(total / SECOND, 1e-9);
    return {
      busy: total ? 1 - wait / total : 0,
      longest,
      lag_p99_ns: lag,
      turns_per_s: turns / seconds,
      callbacks_per_s: callbacks / seconds,
      open,
    };
  }

  /** @param {number} index @param {number} at */
  #lags(index, at) {
    /** @type {number[]} */
    const found = [];
    for (const moment of this.#recent(index, at, MINUTE)) {
      for (const row of moment.rows) if (row[0] === KIND.TIMER) found.push(number(row, 4));
    }
    found.sort((a, b) => a - b);
    /** @param {number} part */
    const quantile = (part) => found[Math.min(found.length - 1, Math.floor(part * found.length))] ?? null;
    return { p50: quantile(0.5), p99: quantile(0.99), max: found.at(-1) ?? null };
  }

  /** @param {number} index @param {number} at @returns {Holder[]} */
  #holders(index, at) {
    /** @type {Map<string, Holder>} */
    const found = new Map();
    let all = 0;
    for (const moment of this.#recent(index, at, MINUTE)) {
      for (const call of this.#calls(moment)) {
        const holder = found.get(call.name) ?? { name: call.name, calls: 0, total_ns: 0, longest_ns: 0, share: 0, worst: null };
        holder.calls += 1;
        holder.total_ns += call.ns;
        holder.longest_ns = Math.max(holder.longest_ns, call.ns);
        found.set(call.name, holder);
        all += call.ns;
      }
    }
    const ranked = [...found.values()].sort((a, b) => b.total_ns - a.total_ns).slice(0, 12);
    for (const holder of ranked) {
      holder.share = all ? holder.total_ns / all : 0;
      const stalls = this.records.stalls.filter((stall) => stall.name === holder.name && stall.at <= at);
      holder.worst = stalls.sort((a, b) => b.ns - a.ns)[0] ?? null;
    }
    return ranked;
  }

  /** One point for each second of the record. @param {number} index @returns {Series} */
  #series(index) {
    /** @type {Series} */
    const series = { at: [], busy: [], lag: [], calls: [] };
    let second = -Infinity;
    let busy = 0;
    let all = 0;
    for (const moment of this.moments.slice(0, index + 1)) {
      const now = Math.floor(endOf(moment) / SECOND);
      if (now !== second) {
        second = now;
        busy = all = 0;
        series.at.push(now * SECOND);
        series.busy.push(0);
        series.lag.push(null);
        series.calls.push(0);
      }
      const last = series.at.length - 1;
      busy += moment.handle + moment.timers + moment.posted;
      all += endOf(moment) - moment.t0;
      series.busy[last] = all ? busy / all : 0;
      for (const row of moment.rows) {
        if (row[0] === KIND.TIMER) series.lag[last] = Math.max(series.lag[last] ?? 0, number(row, 4));
        if (row[0] === KIND.CALL) series.calls[last] = (series.calls[last] ?? 0) + 1;
      }
    }
    return series;
  }
}

/** A row of which nothing has been seen yet. @param {Seat} seat @param {number} wanted @param {number} returned @returns {Row} */
function bare([fd, gen, kind, what, peer], wanted, returned) {
  const unknown = { in: null, queue: null, out: null, rate_in: null, rate_out: null };
  const unused = { events: 0, held_ns: 0, longest_ns: 0, last_ns: 0, page: false };
  return { fd, gen, kind, what, peer, state: "waiting", wanted, returned, ...unknown, ...unused };
}
