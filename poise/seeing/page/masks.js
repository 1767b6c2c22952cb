/** The bits of readiness, as poll and epoll number them, in the order in which they are always shown. */

export const BITS = /** @type {const} */ ([
  ["IN", 0x1],
  ["OUT", 0x4],
  ["PRI", 0x2],
  ["ERR", 0x8],
  ["HUP", 0x10],
  ["RDHUP", 0x2000],
]);

/** @param {number} mask @returns {string} "IN | HUP"; a bit without a name is written as a number */
export function names(mask) {
  const found = [];
  let rest = mask;
  for (const [name, bit] of BITS) {
    if (mask & bit) found.push(name);
    rest &= ~bit;
  }
  if (rest) found.push(hex(rest));
  return found.join(" | ");
}

/** @param {number} mask @returns {string} */
export function hex(mask) {
  return `0x${mask.toString(16).padStart(4, "0")}`;
}
