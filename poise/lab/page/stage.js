/**
 * One program in slow motion: the kernel's side left of a line, the program's side right of it, on the line the descriptors,
 * which both sides know by number, and the call that crosses with its real arguments and result.
 */

import { drawn, element, keyed, mark, say } from "../../seeing/page/dom.js";
import { lampNames, lamps } from "../../seeing/page/lamps.js";
import { reshape, shape } from "../../seeing/page/marks.js";
import { known, text } from "../../seeing/page/texts.js";

import { listing, says } from "./listing.js";

/** @typedef {import("./film.js").Film} Film */
/** @typedef {import("./film.js").Scene} Scene */
/** @typedef {import("./film.js").Thing} Thing */
/** @typedef {import("./contract.js").Call} Call */
/** @typedef {{film: Film, title: string, program: {file: string, source: string} | null}} Lane */

const STEPS = /** @type {const} */ (["mark", "submit", "handle"]);
const SLEPT = 1000; // microseconds that are worth a word
const MOST = 16; // rows: more of them are counted
const READABLE = 72; // letters of arguments or of a result
const BEGINNING = 40; // letters of one that is longer

/** @param {Lane} lane @returns {{node: HTMLElement, show: (index: number) => void, said: () => string}} */
export function stage(lane) {
  const { film, program } = lane;
  const steps = STEPS.map((step) => element("li", { class: `step step-${step}` }, text(`lab.step.${step}`)));
  const turn = element("span", { class: "turn-number" });
  const kernel = { does: element("p", { class: "does" }), answer: element("p", { class: "answer-state" }) };
  const own = { call: element("p", { class: "code call" }), answer: element("p", { class: "code answer" }), why: element("p", { class: "why quiet" }) };
  const list = element("span", { class: "list-kept" });
  const go = arrow("go");
  const come = arrow("come");
  const crossing = element(
    "div",
    { class: "crossing" },
    element("p", { class: "side" }, text("lab.kernel"), list),
    element("p", { class: "side side-line" }),
    element("p", { class: "side" }, text("lab.program"), program ? element("small", {}, ` ${program.file.split("/").at(-1)}`) : ""),
    kernel.does,
    go,
    own.call,
    kernel.answer,
    come,
    element("div", { class: "answers" }, own.answer, own.why),
  );
  const body = element("tbody");
  const more = element("p", { class: "quiet more" });
  const table = element("table", { class: "things" }, heads(), body);
  const code = program ? listing(program) : null;
  const both = element("div", { class: "both" }, crossing, table, more);
  const node = element(
    "section",
    { class: "stage", "aria-label": lane.title },
    element("div", { class: "stage-head" }, element("h3", {}, lane.title), turn, element("ol", { class: "steps" }, ...steps)),
    element("div", { class: "stage-body" }, both, code ? code.node : ""),
  );
  let sentence = "";
  return {
    node,
    said: () => sentence,
    show(index) {
      if (index < 0) return;
      const scene = film.scene(index);
      const { call, over, busy } = scene.moment;
      STEPS.forEach((step, place) => mark(/** @type {Element} */ (steps[place]), "aria-current", step === call.step ? "step" : null));
      say(turn, film.turns ? text("lab.turn", { n: scene.turn, turns: film.turns }) : "");
      say(list, scene.keeps === null ? "" : ` · ${text(scene.keeps ? "lab.kernel.keeps" : "lab.kernel.forgets")}`);
      say(own.call, written(call, brief(call.args)));
      mark(own.call, "title", call.args.length > READABLE ? written(call, call.args) : null);
      say(kernel.does, told("does", call.call));
      const waiting = over ? "" : text(call.call === "sleep" ? "lab.sleeps" : call.took < SLEPT ? "lab.looks" : "lab.asleep");
      const slept = call.took >= SLEPT ? text("lab.slept", { ns: call.took * 1000 }) : text("lab.took", { ns: call.took * 1000 });
      const again = call.times > 1 ? text("lab.times", { times: call.times }) : "";
      say(kernel.answer, over ? [slept, again].filter(Boolean).join(" · ") : waiting);
      say(own.answer, over ? call.error || brief(call.result) || text("lab.never") : "");
      mark(own.answer, "class", `code answer${over && call.error ? " is-error" : ""}`);
      say(own.why, over ? told("why", call.error.split(":")[0] ?? "") : "");
      mark(crossing, "data-now", over ? "over" : "inside");
      mark(crossing, "data-looks", !over && call.took < SLEPT ? "yes" : null);
      mark(crossing, "data-spin", call.times > 1 ? "yes" : null);
      mark(node, "data-step", call.step);
      if (busy) {
        say(own.call, text("lab.busy.call"));
        say(kernel.does, text("lab.busy.kernel"));
        say(kernel.answer, "");
        say(own.answer, text("lab.busy.answer", { ns: busy * 1000 }));
        say(own.why, "");
      }
      mark(crossing, "data-busy", busy ? "yes" : null);
      rows(body, scene);
      say(more, scene.things.length > MOST ? text("lab.more", { count: scene.things.length - MOST }) : "");
      code?.light(program && says(program.source, call.line, call.call) ? call.line : 0);
      sentence = `${lane.title}: ${own.call.textContent} ${over ? `→ ${own.answer.textContent}` : waiting}`;
    },
  };
}

/** @param {string} words @returns {string} what can be read at a glance */
function brief(words) {
  if (words.length <= READABLE) return words;
  return `${words.slice(0, BEGINNING)}… ${/\(\d+ bytes\)$/.exec(words)?.[0] ?? ""}`.trim();
}

/** @param {Call} call @param {string} args @returns {string} as it is written in Python, and for whom */
function written(call, args) {
  const method = `${call.call}(${args})`;
  const needless = call.fd === null || call.call.includes(".");
  return needless ? method.replace(/^select\(/, "select.select(").replace(/^sleep\(/, "time.sleep(") : `fd ${call.fd} . ${method}`;
}

/** What there is to say of it; nothing when nothing was written. @param {string} what @param {string} of @returns {string} */
function told(what, of) {
  const id = `lab.${what}.${of}`;
  return of && known(id) ? text(id) : "";
}

/** @param {"go" | "come"} way @returns {SVGSVGElement} */
function arrow(way) {
  const path = way === "go" ? "M62 8 H4 M12 2 L4 8 L12 14" : "M2 8 H60 M52 2 L60 8 L52 14";
  return drawn("svg", { class: `arrow arrow-${way}`, viewBox: "0 0 64 16", "aria-hidden": "true" }, drawn("path", { d: path }));
}

/** @returns {HTMLElement} */
function heads() {
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("th", { scope: "col" }, text("lab.asked"), lampNames()),
      element("th", { scope: "col", class: "on-line" }, element("span", {}, "fd")),
      element("th", { scope: "col" }, text("lab.object")),
    ),
  );
}

/** @param {Element} body @param {Scene} scene */
function rows(body, scene) {
  keyed(
    body,
    scene.things.slice(0, MOST),
    (thing) => `${thing.fd} ${thing.peer}`,
    () => row(),
    (node, thing) => /** @type {Made} */ (shown.get(node)).show(thing, scene),
  );
}

/** @typedef {{show: (thing: Thing, scene: Scene) => void}} Made @type {WeakMap<Element, Made>} */
const shown = new WeakMap();

/** @returns {HTMLElement} */
function row() {
  const lit = lamps();
  const inside = element("span", { class: "inside" });
  const number = element("span");
  const sign = shape("waiting");
  const name = element("span", { class: "object" });
  const moved = element("small", {});
  const node = element(
    "tr",
    {},
    element("td", { class: "lit" }, lit.node, inside),
    element("th", { scope: "row", class: "on-line" }, number),
    element("td", { class: "object-cell" }, sign, name, " ", moved),
  );
  shown.set(node, {
    show(thing, scene) {
      const { call } = scene.moment;
      const state = thing.closed ? "closed" : thing.inside ? "held" : thing.told & 1 ? "reading" : thing.told & 4 ? "writing" : thing.told ? "held" : "waiting";
      lit.show(thing.asked, thing.told);
      say(inside, thing.inside ? text("lab.inside", { call: thing.inside.call }) : "");
      say(number, String(thing.fd));
      reshape(sign, state);
      say(name, text(`lab.object.${thing.kind}`, { peer: thing.peer.replace(":", ":\u200b") }));
      say(moved, thing.got || thing.gave ? text("lab.moved", { in: thing.got, out: thing.gave }) : "");
      mark(node, "class", `thing is-${thing.kind}${call.fd === thing.fd ? " is-now" : ""}${thing.closed ? " is-closed" : ""}${thing.inside ? " is-inside" : ""}`);
    },
  });
  return node;
}

