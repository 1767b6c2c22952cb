/**
 * A recording as a Chrome trace, which Perfetto opens: the same events as `poise trace` writes, made in the browser
 * so that the watched program has nothing to do with it.
 *
 * The loop is one thread of complete slices, strictly nested; connections are asynchronous spans, because they overlap, and requests
 * are spans within them; how many were ready and how busy the loop was are counters; an arrow leads from the moment a descriptor was ready to its call. The recording
 * goes along, so that the trace can be replayed.
 */

import { KIND, WHY } from "./records.js";

/** @typedef {import("./contract.js").Records} Records */
/** @typedef {import("./contract.js").RecordRow} RecordRow */
/** @typedef {import("./contract.js").Stall} Stall */
/** @typedef {import("./contract.js").Seat} Seat */
/** @typedef {Record<string, unknown>} Event */
/** @typedef {{begin: number, end: number, name: string, status: unknown, bytes: unknown}} Asked a request */

const LOOP = 1; // the number of the loop's thread in the trace
const BUSY = 1e8; // ns between two points of the busy counter
const UNCONNECTED = new Set(["file", "files", "listener", "process", "signal", "terminal", "timer", "wakeup"]); // nobody connects by these
const CALLED = /** @type {number[]} */ ([KIND.CALL, KIND.TIMER, KIND.POSTED]);
const MASK = /** @type {const} */ ([
  [0x1, "READ"],
  [0x2, "PRIORITY"],
  [0x4, "WRITE"],
  [0x8, "ERROR"],
  [0x10, "HANGUP"],
  [0x20, "INVALID"],
  [0x2000, "PEER_CLOSED"],
]);

/** @param {RecordRow} row @param {number} index @returns {number} */
const at = (row, index) => /** @type {number} */ (row[index]);

/** @param {Seat} seat */
const idOf = ([fd, gen]) => `${fd}.${gen}`;

const double = new Float64Array(1);
const bits = new BigInt64Array(double.buffer);

/**
 * Nanoseconds as microseconds. Perfetto multiplies them by 1000 and cuts off what is behind the point, so they are written such
 * that this gives the nanosecond that was meant: slices that only touch would overlap otherwise.
 * @param {number} ns @returns {number}
 */
export function microseconds(ns) {
  double[0] = ns / 1000;
  while (Math.trunc(/** @type {number} */ (double[0]) * 1000) < ns) bits[0] = /** @type {bigint} */ (bits[0]) + 1n;
  return /** @type {number} */ (double[0]);
}

/** @param {number} mask @returns {string} */
function show(mask) {
  const words = MASK.filter(([bit]) => mask & bit).map(([, name]) => String(name));
  const unnamed = MASK.reduce((rest, [bit]) => rest & ~bit, mask);
  return [...words, ...(unnamed ? [`0x${unnamed.toString(16)}`] : [])].join("|") || "0";
}

/** @param {RecordRow} turn @returns {number} when it ended */
const endOf = (turn) => at(turn, 1) + at(turn, 4) + at(turn, 5) + at(turn, 6) + at(turn, 7);

/** @param {RecordRow} row @returns {number} when what it tells of began */
const began = (row) => at(row, 1) - (row[0] === KIND.REQUEST ? Math.max(0, at(row, 2)) : 0);

/** @param {Records} records @returns {object} */
export function trace(records) {
  const traceEvents = [...new Conversion(records).events()];
  return { traceEvents, displayTimeUnit: "ns", otherData: { poise: records } };
}

class Conversion {
  /** @param {Records} records */
  constructor(records) {
    this.records = records;
    this.first = records.rows.reduce((least, row) => Math.min(least, began(row)), Infinity);
    if (this.first === Infinity) this.first = 0;
    const turns = records.rows.filter((row) => row[0] === KIND.TURN);
    this.last = records.rows.reduce((most, row) => Math.max(most, at(row, 1)), 0);
    for (const turn of turns.slice(-1)) this.last = Math.max(this.last, endOf(turn));
    this.end = 0; // of the slices that are written already
    this.flows = 0;
  }

  /** @returns {Generator<Event>} */
  *events() {
    yield* this.names();
    /** @type {RecordRow[]} */
    let calls = [];
    for (const row of this.records.rows) {
      if (row[0] === KIND.TURN) {
        yield* this.turn(row, calls);
        calls = [];
      } else if (CALLED.includes(at(row, 0))) calls.push(row);
      else if (row[0] === KIND.INTEREST) yield this.interest(row);
      else if (row[0] === KIND.SHORT) yield this.short(row);
    }
    for (const row of calls) yield* this.call(row, Infinity); // of a turn that had not ended
    yield* this.lives();
    yield* this.busy();
    for (const stall of this.records.stalls) yield this.stall(stall);
  }

  /** @param {number} place @returns {Seat} */
  seat(place) {
    return /** @type {Seat} */ (this.records.seats[place]);
  }

  /** @param {string} ph @param {string} name @param {number} when @param {Event} [others] @returns {Event} */
  event(ph, name, when, others = {}) {
    const ts = microseconds(Math.max(0, when - this.first));
    return { ph, name, pid: this.records.hello.pid, tid: LOOP, ts, ...others };
  }

  /** @param {string} name @param {number} begin @param {number} end @param {string} cat @param {Event} [args] @returns {Event} */
  slice(name, begin, end, cat, args = {}) {
    return this.event("X", name, begin, { dur: microseconds(end - begin), cat, args });
  }

  *names() {
    const { pid, program, poller } = this.records.hello;
    for (const [name, value] of Object.entries({ process_name: program, thread_name: `loop (${poller})` })) {
      yield { ph: "M", name, pid, tid: LOOP, ts: 0, args: { name: value } };
    }
  }

  /** @param {RecordRow} row @param {RecordRow[]} calls @returns {Generator<Event>} */
  *turn(row, calls) {
    const began = Math.max(at(row, 1), this.end);
    const ended = Math.max(began, endOf(row));
    const wait = at(row, 4);
    const woken = Math.min(ended, began + wait);
    const why = WHY[at(row, 10)] ?? String(row[10]);
    const args = { turn: row[2], asked_ns: row[3], ready: row[8], cpu_ns: row[9], why };
    yield this.slice(`turn ${row[2]}`, began, ended, "turn", args);
    yield this.event("C", "ready", woken, { args: { ready: row[8] } });
    if (wait) yield this.slice("wait", began, woken, "phase");
    const left = [...calls];
    let from = woken;
    for (const [name, kind, length] of /** @type {[string, number, number][]} */ ([
      ["handle", KIND.CALL, at(row, 5)],
      ["timers", KIND.TIMER, at(row, 6)],
      ["posted", KIND.POSTED, at(row, 7)],
    ])) {
      const end = Math.min(ended, from + length);
      if (length) yield this.slice(name, from, end, "phase");
      this.end = from;
      while (left[0]?.[0] === kind) {
        const call = /** @type {RecordRow} */ (left.shift());
        if (kind === KIND.CALL && wait) yield* this.flow(call, woken - 1, end);
        yield* this.call(call, end);
      }
      from = end;
    }
    this.end = ended;
  }

  /** From the wait that found it ready to its call. @param {RecordRow} row @param {number} ready @param {number} end */
  *flow(row, ready, end) {
    this.flows += 1;
    const run = Math.min(Math.max(at(row, 1), this.end), end);
    const common = { cat: "ready", id: this.flows };
    yield this.event("s", "ready", ready, common);
    yield this.event("f", "ready", run, { bp: "e", ...common });
  }

  /**
   * A call, after the one before it and not beyond the phase that it belongs to: readings of a clock can be a little off.
   * @param {RecordRow} row @param {number} latest @returns {Generator<Event>}
   */
  *call(row, latest) {
    const begin = Math.min(Math.max(at(row, 1), this.end), latest);
    const end = Math.min(Math.max(begin, at(row, 1) + at(row, 2)), latest);
    this.end = end;
    if (row[0] === KIND.CALL) {
      const seat = this.seat(at(row, 3));
      const about = { fd: idOf(seat), kind: seat[2], peer: seat[4], returned: show(at(row, 4)), wanted: show(at(row, 5)) };
      yield this.slice(seat[3], begin, end, "call", about);
    } else if (row[0] === KIND.TIMER) yield this.slice(String(row[3]), begin, end, "timer", { lag_ns: row[4] });
    else yield this.slice(String(row[3]), begin, end, "posted");
  }

  /** @param {RecordRow} row @returns {Event} */
  interest(row) {
    const id = idOf(this.seat(at(row, 2)));
    const args = { fd: id, before: show(at(row, 3)), after: show(at(row, 4)), where: row[5] };
    return this.event("i", `interest ${id}`, at(row, 1), { s: "t", cat: "interest", args });
  }

  /** @param {RecordRow} row @returns {Event} */
  short(row) {
    const id = idOf(this.seat(at(row, 2)));
    const args = { fd: id, asked: row[3], taken: row[4], where: row[5] };
    return this.event("i", `short write ${id}`, at(row, 1), { s: "t", cat: "short", args });
  }

  /** @param {Stall} stall @returns {Event} */
  stall(stall) {
    const { id, ...rest } = stall;
    const args = { ...rest, stack: (stall.stack ?? []).map(([file, line, name]) => `${file}:${line} ${name}`) };
    return this.event("i", `stall: ${stall.name}`, stall.at, { s: "t", cat: "stall", args });
  }

  /** The span of each connection, and how many are open. @returns {Generator<Event>} */
  *lives() {
    /** @type {Map<number, number>} */
    const opened = new Map();
    /** @type {Map<number, number>} */
    const ended = new Map();
    for (const row of this.records.rows) {
      if (row[0] === KIND.LIFE) (row[3] === "open" ? opened : ended).set(at(row, 2), at(row, 1));
    }
    /** @type {[number, number][]} */
    const changes = [];
    const asked = this.asked();
    for (const [place, seat] of this.records.seats.entries()) {
      if (UNCONNECTED.has(seat[2])) continue;
      const begin = opened.get(place) ?? this.first;
      const end = Math.max(begin, ended.get(place) ?? this.last);
      const common = { cat: "connection", id: idOf(seat) };
      const name = `${seat[2]} ${idOf(seat)}`;
      yield this.event("b", name, begin, { args: { what: seat[3], peer: seat[4] }, ...common });
      yield* this.requests(asked.get(place) ?? [], begin, end, common);
      asked.delete(place);
      yield this.event("e", name, end, common);
      changes.push([begin, 1], [end, -1]);
    }
    for (const [place, each] of asked) {
      // Of newcomers, who were answered before they became anything else.
      yield* this.requests(each, this.first, this.last, { cat: "request", id: idOf(this.seat(place)) });
    }
    let open = 0;
    for (const [when, change] of changes.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
      open += change;
      yield this.event("C", "open", when, { args: { open } });
    }
  }

  /** The requests of each seat in the order of time, one after the other. @returns {Map<number, Asked[]>} */
  asked() {
    /** @type {Map<number, Asked[]>} */
    const found = new Map();
    /** @type {Map<number, Asked>} */
    const underWay = new Map();
    /** @param {number} place @param {Asked} asked */
    const add = (place, asked) => {
      const before = found.get(place);
      if (before) before.push(asked);
      else found.set(place, [asked]);
    };
    for (const row of this.records.rows) {
      if (row[0] !== KIND.REQUEST) continue;
      const [when, took, place] = [at(row, 1), at(row, 2), at(row, 3)];
      const name = `${row[4]} ${row[5]}`.trim() || "?";
      if (took < 0) underWay.set(place, { begin: when, end: this.last, name, status: null, bytes: null });
      else {
        underWay.delete(place);
        add(place, { begin: when - took, end: when, name, status: row[6], bytes: row[7] });
      }
    }
    for (const [place, asked] of underWay) add(place, asked);
    return found;
  }

  /**
   * The spans of one connection's requests, inside of its own.
   * @param {Asked[]} asked @param {number} begin @param {number} end @param {Event} common @returns {Generator<Event>}
   */
  *requests(asked, begin, end, common) {
    for (const each of asked) {
      begin = Math.min(Math.max(begin, each.begin), end);
      yield this.event("b", each.name, begin, { args: { status: each.status, bytes: each.bytes }, ...common });
      begin = Math.min(Math.max(begin, each.end), end);
      yield this.event("e", each.name, begin, common);
    }
  }

  /** What share of a tenth of a second the loop did not wait; what a turn worked counts when it ended. @returns {Generator<Event>} */
  *busy() {
    let worked = 0;
    let since = this.first;
    for (const row of this.records.rows) {
      if (row[0] !== KIND.TURN) continue;
      worked += at(row, 5) + at(row, 6) + at(row, 7);
      const ended = endOf(row);
      if (ended - since < BUSY) continue;
      const busy = Math.round(Math.min(1, worked / (ended - since)) * 1e4) / 1e4;
      yield this.event("C", "busy", since, { args: { busy } });
      worked = 0;
      since = ended;
    }
  }
}
