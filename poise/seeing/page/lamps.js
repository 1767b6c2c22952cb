/**
 * Six lamps, one for each bit of readiness: an outline is what was asked for, a filled one what the kernel reported.
 * A lamp without an outline that is filled was reported unasked, as ERR and HUP are.
 */

import { element, mark } from "./dom.js";
import { BITS, hex, names } from "./masks.js";
import { text } from "./texts.js";

/** The names above the lamps, for the head of a table. @returns {HTMLElement} */
export function lampNames() {
  return element("span", { class: "lamps lamp-names" }, ...BITS.map(([name]) => element("span", {}, name)));
}

/** @returns {{node: HTMLElement, show: (wanted: number, returned: number) => void}} */
export function lamps() {
  const each = BITS.map(([name]) => element("span", { class: "lamp", "data-name": name }));
  const node = element("span", { class: "lamps", role: "img" }, ...each);
  return {
    node,
    show(wanted, returned) {
      BITS.forEach(([name, bit], index) => {
        const lamp = /** @type {HTMLElement} */ (each[index]);
        const asked = wanted & bit ? " asked" : "";
        const told = returned & bit ? " told" : "";
        mark(lamp, "class", `lamp lamp-${name}${asked}${told}`);
      });
      const none = text("page.lamps.none");
      const said = text("page.lamps.label", { wanted: names(wanted) || none, returned: names(returned) || none });
      mark(node, "aria-label", said);
      mark(node, "title", `${said} (${hex(wanted)}, ${hex(returned)})`);
    },
  };
}
