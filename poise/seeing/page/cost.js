/** What watching costs, measured and said: by the watched program's own account. */

import { byId, say } from "./dom.js";
import { text } from "./texts.js";
import { rate, share } from "./units.js";

/** @typedef {import("./contract.js").Picture} Picture */

/** @param {Picture} picture */
export function showCost({ cost, level, recorder, hello }) {
  const { held, overwritten, span_ns } = recorder;
  say(byId("recorder-said"), text("page.recorder.said", { held, overwritten, span_ns, size: hello.ring_size }));
  byId("cost-said").hidden = !cost;
  if (!cost) return; // to look at a record costs the program nothing
  const { viewers, records_per_s: records } = cost;
  const args = { share: share(cost.cpu), rate: rate(cost.bytes_per_s), viewers, records, level: text(`page.level.${level}`) };
  say(byId("cost-said"), text("page.cost.said", args));
}
