/**
 * One program's calls as a film that can be shown in slow motion, forwards and backwards.
 *
 * A call that is short is one moment; one that waits is two, when it begins and when it returns, so that whoever watches can stay
 * inside it. What both sides hold at a moment follows from the calls up to it, and from nothing else.
 */

/** @typedef {import("./contract.js").Call} Call */
/** @typedef {import("./contract.js").Masks} Masks */

const LONG = 1000; // microseconds: a call that takes longer has waited
const BUSY = 20_000; // microseconds between two calls: then the program has computed
const ALIKE = 4; // calls back: a recorder counts those that come again and again so far back
const LISTED = /^(select$|e?poll\.)/; // calls about a list; only epoll's is the kernel's own, the others hand theirs over each time
const WAITS = new Set(["select", "poll.poll", "epoll.poll", "sleep"]);
const BITS = /** @type {Record<string, number>} */ ({
  IN: 0x1,
  PRI: 0x2,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  NVAL: 0x20,
  RDHUP: 0x2000,
});

/**
 * @typedef {{call: Call, first: boolean, over: boolean, at: number, busy: number}} Moment `over`: the call has returned; `at`:
 *   microseconds; `busy`: microseconds that the program computes now, after the call
 */
/**
 * @typedef {{
 *   fd: number, kind: "listener" | "client" | "other", peer: string, asked: number, told: number, got: number, gave: number,
 *   inside: Call | null, closed: boolean,
 * }} Thing a descriptor: `asked` and `told` are masks, `got` and `gave` bytes, `inside` a call on it that has not returned
 */
/**
 * @typedef {{moment: Moment, turn: number, things: Thing[], asleep: Call | null, keeps: boolean | null}} Scene `asleep`: a call for no
 *   descriptor in particular; `keeps`: whether the kernel keeps the list of what is asked for, null when nobody hands it one
 */

export class Film {
  /** @param {string} who @param {Call[]} calls in their order */
  constructor(who, calls) {
    this.who = who;
    this.calls = calls;
    const zero = began(calls);
    this.moments = calls
      .flatMap((call, index) => [...momentsOf(call, zero), ...computing(calls, index, zero)])
      .sort((a, b) => a.at - b.at);
    this.turns = calls.filter((call) => call.step === "submit").length;
    this.known = knownFromTheStart(calls);
  }

  /** @param {number} index of a moment @returns {Scene} */
  scene(index) {
    const last = /** @type {Moment} */ (this.moments[index]);
    const things = new Map(this.known.map((thing) => [thing.fd, { ...thing }]));
    let turn = 0;
    /** @type {Call | null} */
    let asleep = null;
    for (const moment of this.moments.slice(0, index + 1)) {
      if (moment.busy) continue;
      if (moment.first && moment.call.step === "submit") turn += 1;
      if (moment.call.fd === null) asleep = moment.over ? null : moment.call;
      apply(things, moment, moment === last);
    }
    return { moment: last, turn, things: [...things.values()].sort((a, b) => a.fd - b.fd), asleep, keeps: this.#keeps(index) };
  }

  /** What the latest call about a list says, before which the first one's is as good. @param {number} index of a moment */
  #keeps(index) {
    const listed = (/** @type {Moment} */ { call }) => LISTED.test(call.call);
    const found = this.moments.slice(0, index + 1).findLast(listed) ?? this.moments.find(listed);
    return found ? found.call.call.startsWith("epoll.") : null;
  }
}

/** When the clock of a film begins: with its first client, so that films can be compared, else with its first call. @param {Call[]} calls */
function began(calls) {
  const first = calls.find((call) => call.call === "accept" && !call.error);
  return first ? first.at + first.took : (calls[0]?.at ?? 0);
}

/** @param {Call} call @param {number} zero @returns {Moment[]} */
function momentsOf(call, zero) {
  const start = call.at - zero;
  const ends = { call, first: true, over: true, at: start + call.took, busy: 0 };
  if (call.took < LONG && !WAITS.has(call.call)) return [ends];
  return [{ ...ends, over: false, at: start }, { ...ends, first: false }];
}

/** A long time without a call, unless calls were counted and not kept, or are made by several threads. @param {Call[]} calls @param {number} index @param {number} zero @returns {Moment[]} */
function computing(calls, index, zero) {
  const call = /** @type {Call} */ (calls[index]);
  const next = calls[index + 1];
  const end = Math.max(...calls.slice(0, index + 1).map((each) => each.at + each.took));
  const counted = calls.slice(Math.max(0, index + 1 - ALIKE), index + 1).some((each) => each.times > 1);
  if (!next || counted || next.at - end < BUSY) return [];
  return [{ call, first: false, over: true, at: end - zero + 1, busy: next.at - end }];
}

/** @param {number} fd @param {Thing["kind"]} kind @param {string} [peer] @returns {Thing} */
const thing = (fd, kind, peer = "") => ({ fd, kind, peer, asked: 0, told: 0, got: 0, gave: 0, inside: null, closed: false });

/** Descriptors that the program had before its first call: all that no accept has made. @param {Call[]} calls @returns {Thing[]} */
function knownFromTheStart(calls) {
  /** @type {Map<number, Thing>} */
  const found = new Map();
  const accepted = new Set();
  for (const call of calls) {
    const named = [call.fd, ...Object.keys({ ...call.watched, ...call.ready }).map(Number)];
    for (const fd of named) {
      if (fd === null || fd < 0 || accepted.has(fd)) continue;
      const kind = call.call === "accept" && fd === call.fd ? "listener" : "other";
      if (kind === "listener" || !found.has(fd)) found.set(fd, thing(fd, kind));
    }
    const made = newcomer(call);
    if (made) accepted.add(made.fd);
  }
  return [...found.values()];
}

/** What accept has made. @param {Call} call @returns {{fd: number, peer: string} | null} */
function newcomer(call) {
  const found = call.call === "accept" ? /^\(fd (\d+), \('([^']*)', (\d+)\)/.exec(call.result) : null;
  return found ? { fd: Number(found[1]), peer: `${found[2]}:${found[3]}` } : null;
}

/** @param {Map<number, Thing>} things @param {Moment} moment @param {boolean} present whether it is the one that is shown */
function apply(things, { call, over }, present) {
  const own = call.fd === null ? undefined : things.get(call.fd);
  if (own) own.inside = over ? null : call;
  if (call.watched) for (const each of things.values()) each.asked = call.watched[each.fd] ?? 0;
  if (call.step === "submit") for (const each of things.values()) each.told = 0;
  if (!over) return;
  if (call.ready) for (const each of things.values()) each.told = call.ready[each.fd] ?? each.told;
  const made = newcomer(call);
  if (made) things.set(made.fd, thing(made.fd, "client", made.peer));
  if (!own) return;
  if (call.call.startsWith("recv") || call.call === "read") own.got += call.count ?? 0;
  else if (call.call.startsWith("send")) own.gave += call.count ?? 0;
  else if (/^epoll\.(register|modify)$/.test(call.call)) own.asked = maskIn(call.args);
  else if (call.call === "epoll.unregister") own.asked = 0;
  else if (call.call === "close") {
    own.closed = true;
    if (!present) things.delete(own.fd);
  }
}

/** @param {string} args "5, IN|ET" @returns {number} */
function maskIn(args) {
  const names = args.split(",").at(-1)?.trim().split("|") ?? [];
  return names.reduce((mask, name) => mask | (BITS[name] ?? 0), 0);
}
