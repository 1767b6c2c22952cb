/** The mask calculator: two numbers, an operation, and their bits as lamps that can be switched. It begins with 11 and 14. */

import { element, mark, say } from "../../seeing/page/dom.js";
import { text } from "../../seeing/page/texts.js";

const NAMES = ["IN", "PRI", "OUT", "ERR", "HUP", "NVAL"];
const TYPED = 8; // bits that a number may have
const FURTHEST = 4; // places that it may be shifted
const WIDTH = TYPED + FURTHEST;
const MOST = 2 ** TYPED - 1;
const PLACES = Array.from({ length: WIDTH }, (_, index) => WIDTH - 1 - index); // as numbers are written, highest first
const SHIFTS = ["<<", ">>"];
const OPERATIONS = /** @type {Record<string, (a: number, b: number) => number>} */ ({
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
});

const state = { a: 11, b: 14, by: 2, sign: "&" };

/** @returns {HTMLElement} */
export function calculator() {
  const signs = Object.keys(OPERATIONS).map((sign) => {
    const button = element("button", { type: "button", "data-sign": sign }, sign);
    button.addEventListener("click", () => {
      state.sign = sign;
      show();
    });
    return button;
  });
  const a = operand("a", (value) => (state.a = value));
  const b = operand("b", (value) => {
    if (SHIFTS.includes(state.sign)) state.by = Math.min(value, FURTHEST);
    else state.b = value;
  });
  const result = operand("result", null);
  const expression = element("p", { class: "expression", role: "status" });
  const rule = element("p", { class: "rule" });
  const names = element("p", { class: "code mask-names" });
  const heads = PLACES.map((bit) => element("th", { scope: "col" }, String(2 ** bit), element("small", {}, NAMES[bit] ?? "")));
  const head = element("tr", {}, element("td"), element("td"), ...heads);
  const table = element("table", { class: "calculator" }, element("thead", {}, head), element("tbody", {}, a.node, b.node, result.node));
  function show() {
    const shifts = SHIFTS.includes(state.sign);
    const other = shifts ? state.by : state.b;
    const value = /** @type {(a: number, b: number) => number} */ (OPERATIONS[state.sign])(state.a, other);
    for (const each of signs) mark(each, "aria-pressed", String(each.dataset["sign"] === state.sign));
    a.show(state.a, state.sign);
    b.show(other, state.sign);
    result.show(value, state.sign);
    const binary = (/** @type {number} */ number) => number.toString(2);
    say(expression, shifts ? `${state.a} ${state.sign} ${other} = ${value}` : `${state.a} ${state.sign} ${other} = ${value}`);
    say(rule, `${text(`lab.rule.${state.sign}`)}  ${binary(state.a)} ${state.sign} ${shifts ? other : binary(other)} = ${binary(value)}`);
    const named = NAMES.filter((name, bit) => name && value & (1 << bit)).map((name) => `POLL${name}`);
    say(names, text("lab.mask.names", { hex: `0x${value.toString(16)}`, names: named.join(" | ") || "0" }));
  }
  /** @param {string} name @param {((value: number) => void) | null} change */
  function operand(name, change) {
    const input = element("input", { type: "number", min: 0, max: MOST, "aria-label": text(`lab.operand.${name}`) });
    const output = element("b", {});
    const lamps = PLACES.map((bit) => {
      const sign = element("span", { class: `big-lamp lamp-${NAMES[bit] || "other"}` });
      const made = change ? element("button", { type: "button", class: "lamp-button" }, sign) : element("span", { role: "img" }, sign);
      made.addEventListener("click", () => {
        change?.(value ^ (1 << bit));
        show();
      });
      return { made, sign, bit };
    });
    let value = 0;
    input.addEventListener("input", () => {
      const typed = Number(input.value);
      if (!Number.isInteger(typed) || typed < 0 || typed > MOST) return;
      change?.(typed);
      show();
    });
    const cells = lamps.map(({ made }) => element("td", {}, made));
    const node = element("tr", { class: `row-${name}` }, element("th", { scope: "row" }, text(`lab.operand.${name}`)), element("td", { class: "number-cell" }, change ? input : output), ...cells);
    return {
      node,
      /** @param {number} now @param {string} sign */
      show(now, sign) {
        value = now;
        if (document.activeElement !== input) input.value = String(now);
        say(output, String(now));
        const shifted = name === "b" && SHIFTS.includes(sign);
        for (const { made, sign: lamp, bit } of lamps) {
          const lit = (now & (1 << bit)) !== 0;
          mark(lamp, "class", `big-lamp lamp-${NAMES[bit] || "other"}${lit ? " lit" : ""}`);
          mark(made, "aria-label", text("lab.bit", { bit: 1 << bit, value: lit ? "1" : "0" }));
          if (change) mark(made, "aria-pressed", String(lit));
          made.hidden = shifted || (change !== null && bit >= TYPED);
        }
      },
    };
  }
  show();
  return element(
    "section",
    { id: "calculator", "aria-labelledby": "calculator-title" },
    element("h2", { id: "calculator-title" }, text("lab.calculator")),
    element("p", { class: "quiet" }, text("lab.calculator.about")),
    element("div", { class: "toggles signs", role: "group", "aria-label": text("lab.operation") }, ...signs),
    expression,
    element("div", { class: "scrolls" }, table),
    rule,
    names,
  );
}
