/**
 * The descriptor wall: a row for each open descriptor. A row keeps its place while it lives. Where one has been closed,
 * its place stays, dimmed, until a new one takes it or nobody is looking; rows are put in another order only when the reader asks.
 */

import { byId, keyed, mark, say } from "./dom.js";
import { lampNames } from "./lamps.js";
import { Scale } from "./levels.js";
import { lifeOf } from "./model.js";
import { buffered, descriptorRow, stateWord } from "./row.js";
import { text } from "./texts.js";

/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Row} Row */

const SHOWN = 16; // rows before the reader asks for all
const FAR = 9; // of so many rows out of sight one is renewed each time: four hundred changes a second would cost a core
const MUCH = 65536; // bytes that wait for a peer
const GRACE = 12; // pictures that the place of a closed descriptor is kept

/** @typedef {{row: Row, life: string, closed: number}} Place `closed`: pictures since it was, 0 while it lives */

const ORDERS = /** @type {Record<string, (a: Row, b: Row) => number>} */ ({
  fd: (a, b) => a.fd - b.fd,
  what: (a, b) => a.what.localeCompare(b.what) || a.fd - b.fd,
  state: (a, b) => a.state.localeCompare(b.state) || a.fd - b.fd,
  buffered: (a, b) => buffered(b) - buffered(a),
  rate: (a, b) => speed(b) - speed(a),
  held: (a, b) => b.held_ns - a.held_ns,
});

/** @param {Row} row */
const speed = (row) => (row.rate_in ?? 0) + (row.rate_out ?? 0);

/** Whether a row is shown although there is not room for all. @param {Row} row */
const matters = (row) => (row.queue ?? 0) > 0 || (row.out ?? 0) >= MUCH;

export class Wall {
  constructor() {
    this.body = byId("wall-rows");
    this.filter = /** @type {HTMLInputElement} */ (byId("wall-filter"));
    this.own = /** @type {HTMLInputElement} */ (byId("wall-own"));
    this.order = /** @type {HTMLSelectElement} */ (byId("wall-order"));
    this.more = byId("wall-more");
    this.scale = new Scale();
    /** @type {Place[]} */
    this.present = [];
    /** The places while the past is shown, which must not disturb those of the present. @type {Place[] | null} */
    this.past = null;
    this.all = false;
    /** @type {WeakMap<Element, {line: ReturnType<typeof descriptorRow>, renew: () => void, near: boolean, seen: string}>} */
    this.lines = new WeakMap();
    this.round = 0;
    this.watcher = new IntersectionObserver((seen) => this.#scrolled(seen), { rootMargin: "25%" });
    /** @type {Picture | null} */
    this.picture = null;
    byId("wall-lamps").replaceChildren(lampNames());
    this.#controls();
  }

  #controls() {
    const again = () => this.picture && this.show(this.picture);
    this.filter.addEventListener("input", again);
    this.own.addEventListener("change", again);
    this.order.addEventListener("change", () => this.#sort(this.order.value));
    for (const button of document.querySelectorAll("[data-order]")) {
      button.addEventListener("click", () => this.#sort(button.getAttribute("data-order") ?? ""));
    }
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      again();
    });
  }

  /** Show all again, and let go of the field. */
  unfilter() {
    this.filter.value = "";
    this.filter.blur();
    if (this.picture) this.show(this.picture);
  }

  /** @param {string} name */
  #sort(name) {
    const order = ORDERS[name];
    if (!order) return;
    this.present = this.present.filter((place) => !place.closed);
    for (const places of [this.present, this.past]) places?.sort((a, b) => order(a.row, b.row));
    this.order.value = name;
    for (const head of document.querySelectorAll("#wall th[data-sorts]")) {
      const sorted = head.getAttribute("data-sorts") === name;
      mark(head, "aria-sort", sorted ? (name === "fd" || name === "what" || name === "state" ? "ascending" : "descending") : null);
    }
    if (this.picture) this.show(this.picture);
  }

  /** @param {Picture} picture */
  show(picture) {
    this.picture = picture;
    const places = this.#settle(picture);
    const flags = new Map(picture.lints.filter((lint) => lint.fd !== null).map((lint) => [lifeOf(lint), lint]));
    const full = this.scale.fit(picture.rows);
    const { stuck } = picture.turn;
    const holder = stuck && picture.live && stuck.fd !== null ? lifeOf(stuck) : null;
    const called = new Set(picture.calls?.map((call) => call.row && lifeOf(call.row)));
    const words = this.filter.value.toLowerCase().split(/\s+/);
    const matching = places.filter(({ row, closed }) => {
      if (closed && !picture.live) return false;
      if (row.page && !this.own.checked) return false;
      const said = `${row.fd} ${row.kind} ${row.what} ${row.peer ?? ""} ${stateWord(row.state)}`.toLowerCase();
      return words.every((word) => said.includes(word));
    });
    const shown = matching.filter(
      ({ row, life }, index) => this.all || index < SHOWN || flags.has(life) || life === holder || matters(row),
    );
    keyed(
      this.body,
      shown,
      (place) => place.life,
      () => this.#line(),
      (node, place) => {
        const about = this.lines.get(node);
        if (!about) return;
        const { row, life } = place;
        const more = { full, flag: flags.get(life)?.id ?? null, called: called.has(life), holds: life === holder };
        const changed = `${row.state} ${more.flag} ${more.holds}`;
        about.renew = () => about.line.show(row, more);
        if (about.near || this.round++ % FAR === 0 || !picture.live || about.seen !== changed) about.renew();
        about.seen = changed;
      },
    );
    this.#said(picture, matching.length, shown.length, full);
  }

  /** @returns {Element} a row, which is kept up to date while it is near what the reader sees, and now and then else */
  #line() {
    const made = descriptorRow();
    this.lines.set(made.node, { line: made, renew: () => {}, near: true, seen: "" });
    this.watcher.observe(made.node);
    return made.node;
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #scrolled(seen) {
    for (const { target, isIntersecting } of seen) {
      const about = this.lines.get(target);
      if (!about) continue;
      if (!target.isConnected) this.watcher.unobserve(target);
      about.near = isIntersecting;
      if (isIntersecting) about.renew();
    }
  }

  /** @param {Picture} picture @param {number} matching @param {number} shown @param {number} full */
  #said(picture, matching, shown, full) {
    say(byId("wall-said"), text("page.wall.said", { total: picture.total, scale_bytes: full }));
    this.more.hidden = matching <= SHOWN;
    say(this.more, this.all ? text("page.wall.fewer") : text("page.wall.all", { count: matching }));
    mark(this.more, "aria-expanded", String(this.all));
    byId("wall-none").hidden = shown > 0;
  }

  /** Those that come first, in a good order: of the most used ones, as they are told, by number. @param {Row[]} rows @returns {Row[]} */
  #arrived(rows) {
    if (this.present.length || this.past?.length) return rows;
    const [most, rest] = [rows.slice(0, SHOWN), rows.slice(SHOWN)];
    return [...most.sort(ORDERS["fd"]), ...rest.sort(ORDERS["fd"])];
  }

  /** Give every row of the picture its place. @param {Picture} picture @returns {Place[]} */
  #settle(picture) {
    this.past = picture.live ? null : (this.past ?? this.present.map((place) => ({ ...place })));
    const places = this.past ?? this.present;
    const rows = new Map(this.#arrived(picture.rows).map((row) => [lifeOf(row), row]));
    for (const place of places) {
      const row = rows.get(place.life);
      if (row) {
        place.row = row;
        place.closed = 0;
        rows.delete(place.life);
      } else {
        place.row = { ...place.row, state: "closed", wanted: 0, returned: 0, in: null, queue: null, out: null };
        place.closed += 1;
      }
    }
    const free = picture.live ? places.filter((place) => place.closed > 1) : [];
    for (const [life, row] of rows) {
      const taken = free.shift();
      if (taken) Object.assign(taken, { row, life, closed: 0 });
      else places.push({ row, life, closed: 0 });
    }
    const looking = this.body.matches(":hover") || this.body.contains(document.activeElement);
    if (!picture.live) return places;
    if (!looking) this.present = places.filter((place) => place.closed <= GRACE);
    return this.present;
  }
}
