/** The page of the lab: the contents or an experiment, in the reader's language, size and colours, and the keys for all of it. */

import { apply, load, onLanguage, text } from "../../seeing/page/texts.js";
import { byId, element, mark, say } from "../../seeing/page/dom.js";
import { keepPlace } from "../../seeing/page/place.js";
import { startSwitches } from "../../seeing/page/switches.js";
import { onTheme, start as startTheme } from "../../seeing/page/theme.js";
import { contents } from "./contents.js";
import { ExperimentView } from "./experiment.js";
import { link, onPlace, place } from "./route.js";
import { session } from "./session.js";
import { machineInWords, pick } from "./words.js";

/** @typedef {import("./contract.js").About} About */

const SIZE = "poise.lab.size";
const PROJECTOR = "projector";
const MOVED = "input, .listing, .scrolls"; // what has a use of its own for the arrows
const ACTED = "button, a, summary, input"; // and for the space bar

/** @type {About} */
let about;
/** @type {ExperimentView | null} */
let view = null;

async function start() {
  startTheme();
  const [, reply] = await Promise.all([load("/texts.json"), fetch("/lab.json")]);
  about = await reply.json();
  startSwitches();
  startSize();
  onPlace(() => show(true));
  onLanguage(() => keepPlace(renew));
  onTheme(() => keepPlace(renew));
  addEventListener("keydown", pressed);
  show(false);
}

/** @param {boolean} moved whether the reader has gone there from another place of this page */
function show(moved) {
  view?.leave(true);
  view = null;
  renew();
  if (!moved) return;
  scrollTo({ top: 0, behavior: "instant" });
  byId("view").querySelector("h1")?.focus({ preventScroll: true });
}

/** Everything anew, in the present language and colours. */
function renew() {
  const experiment = about.experiments.find((each) => each.id === place());
  view?.leave(false);
  view = experiment ? new ExperimentView(about, experiment, session(experiment.id, experiment.models)) : null;
  byId("view").replaceChildren(view ? view.node : contents(about));
  view?.entered();
  document.title = experiment ? `${pick(experiment.title)} · Poise` : text("lab.title");
  mark(byId("home"), "href", link(""));
  say(byId("machine"), machineInWords(about.machine));
  apply();
  mark(document.body, "data-view", experiment?.id ?? "contents");
}

function startSize() {
  const button = byId("projector");
  const set = (/** @type {string} */ size) => {
    mark(document.documentElement, "data-size", size || null);
    mark(button, "aria-pressed", String(size === PROJECTOR));
  };
  let size = "";
  try {
    size = localStorage.getItem(SIZE) ?? "";
  } catch {
    // Then the usual one.
  }
  set(size);
  button.addEventListener("click", () => {
    size = size === PROJECTOR ? "" : PROJECTOR;
    try {
      localStorage.setItem(SIZE, size);
    } catch {
      // A browser that keeps nothing still grows.
    }
    keepPlace(() => {
      set(size);
      view?.entered();
    }, lookedAt());
  });
}

/** The line that is lit, or else the section that one reads. @returns {Element | undefined} */
function lookedAt() {
  const parts = [...document.querySelectorAll(".stage .line[aria-current]"), ...document.querySelectorAll("article > section")];
  return parts.find((part) => part.getBoundingClientRect().bottom > 0 && part.getBoundingClientRect().top < innerHeight);
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.altKey || event.metaKey || target.closest("select, input:not([type=radio])")) return;
  if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
  else if (event.key === "r") view?.node.querySelector("#start:enabled, .plainly:not([hidden])")?.dispatchEvent(new MouseEvent("click"));
  else if (event.key === "n") go("next");
  else if (event.key === "b") go("prev");
  else if (event.key === "p") byId("projector").click();
  else if (view?.motion && !target.closest(event.key === " " ? ACTED : MOVED) && view.motion.key(event)) event.preventDefault();
}

/** @param {number} index */
function choose(index) {
  const radio = view?.node.querySelectorAll("#predict input")[index];
  if (radio instanceof HTMLInputElement && !radio.disabled) radio.click();
}

/** @param {string} rel */
function go(rel) {
  const anchor = view?.node.querySelector(`a[rel=${rel}]`);
  if (anchor instanceof HTMLAnchorElement) anchor.click();
}

start().catch((error) => {
  byId("view").replaceChildren(element("p", {}, String(error)));
});
