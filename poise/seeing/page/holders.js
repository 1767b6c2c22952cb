/** Who held the loop in the last minute, and every stall by itself, each with the stack that was seen. */

import { byId, element, keyed, mark, say } from "./dom.js";
import { place, stackList } from "./stack.js";
import { apply, text } from "./texts.js";
import { count, duration, NONE, share, since } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */
/** @typedef {import("./contract.js").Holder} Holder */
/** @typedef {import("./contract.js").Stall} Stall */
/** @typedef {import("./contract.js").Worst} Worst */

const CALM = 3000; // milliseconds that a ranking stands before it is put in order again
const STALLS = 8; // shown
const COLUMNS = ["page.share", "page.holders.total", "page.holders.longest", "page.holders.calls"];

export class Holders {
  /** @param {{when: (ns: number) => void}} hands what the reader can do */
  constructor(hands) {
    this.hands = hands;
    this.body = byId("holders-rows");
    this.stalls = byId("stalls-rows");
    /** @type {string[]} */
    this.order = [];
    this.ordered = -Infinity;
  }

  /** @param {Picture} picture */
  show(picture) {
    const holders = this.#ranked(picture);
    byId("holders-none").hidden = holders.length > 0;
    byId("holders-table").hidden = holders.length === 0;
    keyed(this.body, holders, (holder) => holder.name, () => holderRow(), (node, holder) => renewHolder(node, holder, picture));
    const stalls = picture.stalls.slice(-STALLS).reverse();
    byId("stalls").hidden = stalls.length === 0;
    keyed(
      this.stalls,
      stalls,
      (stall) => String(stall.id),
      (stall) => stallItem(stall, this.hands),
      (node, stall) => renewStall(node, stall, picture),
    );
  }

  /** The ranking, calm: a new order at most every few seconds, and not while somebody reads in it. @param {Picture} picture */
  #ranked({ holders, live }) {
    const now = performance.now();
    const reading = live && (this.body.matches(":hover") || this.body.contains(document.activeElement));
    if (!live || (!reading && now - this.ordered > CALM)) {
      this.order = holders.map((holder) => holder.name);
      this.ordered = now;
    }
    const rank = new Map(this.order.map((name, index) => [name, index]));
    return [...holders].sort((a, b) => (rank.get(a.name) ?? Infinity) - (rank.get(b.name) ?? Infinity));
  }
}

function holderRow() {
  const meter = element("span", { class: "meter" }, element("span"));
  const worst = element("details", { class: "worst" }, element("summary"), element("div"));
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("span"), worst),
    element("td", { class: "share" }, element("span"), meter),
    element("td"),
    element("td"),
    element("td"),
  );
}

/** @param {Element} node @param {Holder} holder @param {Picture} picture */
function renewHolder(node, holder, picture) {
  const [name, part, total, longest, calls] = node.children;
  if (!name || !part || !total || !longest || !calls) return;
  if (name.firstElementChild) say(name.firstElementChild, holder.name);
  if (part.firstElementChild) say(part.firstElementChild, share(holder.share));
  const bar = part.querySelector(".meter > span");
  if (bar instanceof HTMLElement) bar.style.width = `${(100 * holder.share).toFixed(1)}%`;
  [part, total, longest, calls].forEach((cell, index) => mark(cell, "data-name", text(COLUMNS[index] ?? "")));
  say(total, duration(holder.total_ns));
  say(longest, duration(holder.longest_ns));
  mark(longest, "class", holder.longest_ns >= picture.hello.thresholds.warn_ns ? "long" : null);
  say(calls, count(holder.calls));
  const fold = name.querySelector("details");
  if (fold) renewWorst(fold, holder.worst);
}

/** @param {HTMLDetailsElement} fold @param {Worst | null} worst */
function renewWorst(fold, worst) {
  fold.hidden = worst === null;
  if (!worst) return;
  const [summary, body] = fold.children;
  const args = { ns: worst.ns, kind: text(`kind.${worst.kind}`), place: place(worst.file, worst.line) };
  if (summary) say(summary, text("page.holders.worst", args));
  const key = `${worst.at} ${worst.stack.length}`;
  if (body && fold.dataset["key"] !== key) {
    fold.dataset["key"] = key;
    body.replaceChildren(stackList(worst.stack));
  }
}

/** @param {Stall} stall @param {{when: (ns: number) => void}} hands */
function stallItem(stall, hands) {
  const show = element("button", { type: "button", "data-text": "page.stalls.show" });
  show.addEventListener("click", () => hands.when(stall.at));
  const item = element("li", {}, element("details", {}, element("summary"), stackList(stall.stack), show));
  apply(item);
  return item;
}

/** @param {Element} node @param {Stall} stall @param {Picture} picture */
function renewStall(node, stall, { at }) {
  const summary = node.querySelector("summary");
  const whom = stall.fd === null ? "" : text("page.hold.whom", { fd: stall.fd, peer: stall.peer || NONE });
  const args = {
    ns: stall.ns,
    cpu_ns: stall.cpu_ns,
    name: stall.name,
    kind: text(`kind.${stall.kind}`),
    place: place(stall.file, stall.line),
    whom,
    ago: since(at - stall.at - stall.ns),
  };
  if (summary) say(summary, text("page.stalls.one", args));
}
