"""The script of a listing: a filter for the names on the page, and the arrow keys.

The page is whole without it. Like the style it is a constant that the page's policy allows by its hash; a test says the hash
anew when the script has changed.
"""

from __future__ import annotations

SOURCE = """\
"use strict";
const filter = document.getElementById("filter");
const rows = [...document.querySelectorAll("main tbody tr")];
const shown = () => rows.filter(row => !row.hidden).map(row => row.querySelector("a"));
if (filter && rows.length > 1) {
  const none = document.createElement("p");
  none.setAttribute("role", "status");
  document.querySelector("main table").after(none);
  filter.hidden = false;
  filter.addEventListener("input", () => {
    const words = filter.value.toLocaleLowerCase().split(/\\s+/);
    for (const head of document.querySelectorAll("main thead th + th")) {
      head.style.minWidth ||= getComputedStyle(head).width; // the columns keep their places
    }
    for (const row of rows) {
      const name = row.querySelector("a").textContent.toLocaleLowerCase();
      row.hidden = !words.every(word => name.includes(word));
    }
    none.textContent = shown().length ? "" : filter.dataset.none;
  });
}
document.addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const at = document.activeElement, typing = at && at.tagName === "INPUT";
  if (event.key === "Escape" && at === filter) {
    filter.value = "";
    filter.dispatchEvent(new Event("input"));
    filter.blur();
  } else if (event.key === "/" && !typing && filter && !filter.hidden) {
    filter.focus();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const links = shown(), step = event.key === "ArrowDown" ? 1 : -1, here = links.indexOf(at);
    const next = links[here < 0 ? (step > 0 ? 0 : -1) : here + step];
    if (!next || (typing && at !== filter)) return;
    next.focus();
  } else if (event.key === "Backspace" && !typing) {
    const up = document.querySelector("a[rel=up]");
    if (!up) return;
    up.click();
  } else {
    return;
  }
  event.preventDefault();
});
"""

SCRIPT = f"<script>{SOURCE}</script>\n"

SCRIPT_HASH = "sha256-UMHtdkq1tn5DRJbclW/5GWUbuU0bIP2CFEyDvfZpdeU="
"""What a Content-Security-Policy calls SOURCE (CSP 3, 6.7.3.3)."""
