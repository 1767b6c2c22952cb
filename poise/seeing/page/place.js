/** What the reader is looking at stays where it is, although what is above it grows or shrinks. */

/**
 * @param {() => void} change
 */
export function keepPlace(change) {
  const parts = [...document.querySelectorAll("main > section, main > header")];
  const seen = parts.find((part) => part.getBoundingClientRect().bottom > 0);
  const before = seen?.getBoundingClientRect().top ?? 0;
  change();
  const after = seen?.getBoundingClientRect().top ?? 0;
  if (seen && scrollY > 0 && after !== before) scrollBy({ top: after - before, behavior: "instant" });
}
