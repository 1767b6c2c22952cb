/**
 * What the program tells its page: the shapes of the feed and of the record, as the server writes them.
 *
 * Times are nanoseconds of the program's own steady clock unless a name says otherwise; `wall` is seconds since 1970.
 *
 * @typedef {{
 *   version: string, pid: number, program: string, poller: string, python: string, system: string, cores: number,
 *   started_wall: number, clock_ns: number, wall: number, ring_size: number, loop: string, replay?: boolean,
 *   thresholds: {note_ns: number, warn_ns: number, red_ns: number},
 * }} Hello
 *
 * @typedef {[file: string, line: number, name: string]} Frame
 * @typedef {{id: string, args: Record<string, unknown>}} Verdict
 * @typedef {{ns: number, name: string, fd: number | null, gen: number | null, ago_ns: number, kind: string}} Longest
 * @typedef {{
 *   busy: number | null, longest: Longest | null, lag_p99_ns: number | null, turns_per_s: number, callbacks_per_s: number,
 *   open: number,
 * }} Numbers
 * @typedef {{cpu: number, bytes_per_s: number, viewers: number, records_per_s: number}} Cost
 * @typedef {{
 *   ns: number, cpu_ns: number | null, kind: string, name: string, fd: number | null, gen: number | null,
 *   peer: string | null, file: string | null, line: number | null, stack: Frame[],
 * }} Stuck
 * @typedef {{n: number, phase: Phase, phase_ns: number, stuck: Stuck | null}} Now
 * @typedef {"timers" | "posted" | "wait" | "handle"} Phase
 * @typedef {[
 *   n: number, t0: number, wait: number, handle: number, timers: number, posted: number, ready: number,
 *   fd: number | null, longest: number,
 * ]} Turn
 * @typedef {{at: number[], busy: number[], lag: (number | null)[], calls: number[]}} Series
 * @typedef {{
 *   fd: number, gen: number, kind: string, what: string, peer: string | null, state: string, wanted: number,
 *   returned: number, in: number | null, queue: number | null, out: number | null, rate_in: number | null,
 *   rate_out: number | null, events: number, held_ns: number, longest_ns: number, last_ns: number, page: boolean,
 * }} Row
 * @typedef {{
 *   at: number, ns: number, kind: string, fd: number | null, gen: number | null, peer: string | null,
 *   file: string | null, line: number | null, stack: Frame[],
 * }} Worst
 * @typedef {{
 *   name: string, calls: number, total_ns: number, longest_ns: number, share: number, worst: Worst | null,
 * }} Holder
 * @typedef {Worst & {id: number, cpu_ns: number | null, runq_ns: number | null, name: string}} Stall
 * @typedef {{name: string, due_in_ns: number, every: number | null}} Timer `every` is in seconds
 * @typedef {{p50: number | null, p99: number | null, max: number | null}} Lags
 * @typedef {{
 *   id: string, fd: number | null, gen: number | null, peer: string | null, args: Record<string, unknown>, since: number,
 * }} Lint
 * @typedef {{held: number, overwritten: number, span_ns: number}} Recorder
 * @typedef {{
 *   at: number, wall: number, level: string, verdict: Verdict, numbers: Numbers, cost: Cost, turn: Now,
 *   strip: {first: number, turns: Turn[]}, series: Series, rows: Row[], gone: [number, number][], rows_total: number,
 *   holders: Holder[], stalls: Stall[], timers: Timer[], timers_total: number, lags: Lags, lints: Lint[],
 *   recorder: Recorder,
 * }} State
 *
 * @typedef {[fd: number, gen: number, kind: string, what: string, peer: string | null]} Seat
 * @typedef {(number | string | null)[]} RecordRow
 * @typedef {{format: string, hello: Hello, seats: Seat[], rows: RecordRow[], stalls: Stall[]}} Records
 *
 * One call of a turn as the page lists it: a descriptor's handler, a timer or a posted call.
 * @typedef {{
 *   kind: "call" | "timer" | "posted", t0: number, ns: number, name: string, row: Row | null, mask: number, wanted: number,
 * }} Call
 *
 * What the page shows: the present, or a moment of the past, in one and the same shape.
 * @typedef {{
 *   live: boolean, hello: Hello, at: number, wall: number, level: string, verdict: Verdict, numbers: Numbers,
 *   cost: Cost | null, turn: Now, strip: Turn[], selected: Turn | null, calls: Call[] | null, series: Series, rows: Row[],
 *   gone: [number, number][], total: number, holders: Holder[], stalls: Stall[], timers: Timer[], timersTotal: number,
 *   lags: Lags, lints: Lint[], recorder: Recorder,
 * }} Picture
 */

export {};
