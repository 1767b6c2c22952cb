/** What the reader is looking at stays where it is, although what is above it grows or shrinks. */

/**
 * @param {() => void} change
 * @param {Element | undefined} [seen] what the reader is looking at, when that is known
 */
export function keepPlace(change, seen = topmost()) {
  const before = seen?.getBoundingClientRect().top ?? 0;
  change();
  const after = seen?.getBoundingClientRect().top ?? 0;
  if (seen && scrollY > 0 && after !== before) scrollBy({ top: after - before, behavior: "instant" });
}

/** The section at the top of the window. @returns {Element | undefined} */
function topmost() {
  const parts = [...document.querySelectorAll("main > section, main > header")];
  return parts.find((part) => part.getBoundingClientRect().bottom > 0);
}
