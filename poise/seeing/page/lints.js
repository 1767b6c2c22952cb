/** The findings: each one sentence, one descriptor, one remedy. */

import { byId, element, keyed, say } from "./dom.js";
import { shape } from "./marks.js";
import { text } from "./texts.js";

/** @typedef {import("./contract.js").Picture} Picture */

/** @param {Picture} picture */
export function showLints({ lints, at, live }) {
  byId("lints-none").hidden = lints.length > 0;
  say(byId("lints-none"), text(live ? "page.lints.none" : "page.lints.past"));
  keyed(
    byId("lints-list"),
    lints,
    (lint) => `${lint.id} ${lint.fd}.${lint.gen}`,
    () => element("li", {}, shape("flag"), element("p", { class: "finding" }), element("p", { class: "fix" }), element("p", { class: "quiet" })),
    (node, lint) => {
      const args = { fd: lint.fd, peer: lint.peer, ...lint.args };
      const [, finding, fix, since] = node.children;
      if (finding) say(finding, text(`lint.${lint.id}`, args));
      if (fix) say(fix, text(`lint.${lint.id}.fix`, args));
      if (since) say(since, text("page.lints.since", { ago_ns: at - lint.since }));
    },
  );
}
