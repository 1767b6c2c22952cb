"""The look of every page that the server makes itself: listing, search, error, redirect.

It is a constant, hash included, and not a file beside the code: an error page must come out even when the
server has no descriptor left to open anything with. A test says the hash anew when the style has changed.

One column of lines, three sizes of type, system fonts, one accent; both themes keep a contrast of at least
4.5 : 1 for every text (WCAG 2.2, 1.4.3). Sizes follow the width of the window, from telephone to projector.
"""

from __future__ import annotations

BRIEF_STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fcfbf9;
  --ink: #1f1f1d;
  --quiet: #64635e;
  --line: #e5e3dd;
  --edge: #8c8a83;
  --hover: #f3f1ec;
  --accent: #0a6290;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171816;
    --ink: #e9e7e2;
    --quiet: #a4a19a;
    --line: #31322f;
    --edge: #6f6e69;
    --hover: #20211f;
    --accent: #86c9ee;
  }
}
html {
  font-size: clamp(100%, .4vw + .6rem, 175%);
  -webkit-text-size-adjust: 100%;
  text-size-adjust: 100%;
}
body {
  max-width: 58rem;
  margin: 0 auto;
  padding: clamp(1rem, 5vw, 4rem) clamp(1rem, 4vw, 3rem) 4rem;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  font-variant-numeric: tabular-nums;
}
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
h1 { margin: 0; font-size: 1.5rem; font-weight: 400; line-height: 1.35; text-wrap: pretty; overflow-wrap: anywhere; }
p { margin: 1rem 0 0; }
.quiet { margin: 0 0 .5rem; color: var(--quiet); font-size: .875rem; }
@media print {
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; background: none; color: #000; }
  a { color: inherit; }
}
"""
"""Of a page that says one thing, an error or a redirect: whoever asks for made-up names should not be sent a table's look."""

BRIEF_HASH = "sha256-wljy8mVAO0JHU3PWRRnag9ajPtm2nGibxKCAzswD84Y="
"""What a Content-Security-Policy calls :data:`BRIEF_STYLE` (CSP 3, 6.7.3.3)."""

STYLE = (
    BRIEF_STYLE
    + """\
h1 b { font-weight: 600; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem; background: var(--paper); }
nav li, th:first-child { overflow-wrap: anywhere; }
nav ol { display: flex; flex-wrap: wrap; gap: 0 .5rem; margin: 0 0 .5rem; padding: 0; list-style: none; }
nav ol, thead th, tbody td { font-size: .875rem; }
nav li + li::before { content: "/"; margin-inline-end: .5rem; color: var(--quiet); }
nav [aria-current] { color: var(--quiet); }
table { width: 100%; margin-top: 2rem; border-collapse: collapse; }
th, td { padding: .5rem 0 .5rem 1.5rem; border-bottom: 1px solid var(--line); }
th, td { text-align: end; vertical-align: baseline; white-space: nowrap; }
thead th { padding-block: 0 .5rem; color: var(--quiet); font-weight: 400; }
th:first-child { width: 100%; padding-inline-start: 0; text-align: start; white-space: normal; }
tbody th { font-weight: 400; }
tbody td { color: var(--quiet); }
main tbody a { display: block; margin: -.5rem 0; padding: .5rem 0 .5rem 1.6em; text-indent: -1.6em; }
main tbody tr:hover { background: var(--hover); }
main thead a { color: inherit; }
svg { width: 1em; height: 1em; margin-inline-end: .6em; vertical-align: -.125em; }
svg { fill: none; stroke: var(--quiet); stroke-linejoin: round; }
svg.marks { display: none; }
.way { color: var(--quiet); }
.folder { font-weight: 600; }
.folder::after { content: "/"; font-weight: 400; }
.tools { display: flex; flex-wrap: wrap; align-items: baseline; gap: .5rem 1.5rem; margin-top: 1.5rem; }
.tools, .tools p { font-size: .875rem; }
.tools p { margin: 0 0 0 auto; color: var(--quiet); }
.tools p a { margin-inline-start: .5rem; }
form { display: flex; gap: .5rem; }
input, button {
  padding: .25rem .5rem;
  border: 1px solid var(--edge);
  border-radius: 2px;
  background: none;
  color: inherit;
  font: inherit;
}
input { width: 14rem; max-width: 100%; box-sizing: border-box; }
input::placeholder { color: var(--quiet); opacity: 1; }
button { cursor: pointer; }
button:hover { background: var(--hover); }
input:focus-visible, button:focus-visible { outline: 2px solid var(--accent); outline-offset: 0; }
header + main > p:first-child { margin-top: 2rem; }
.pages p { font-size: .875rem; color: var(--quiet); }
.pages a { margin-inline-start: 1rem; }
.readme { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
.readme > * { max-width: 44rem; overflow-wrap: break-word; }
.readme h2, .readme h3, .readme h4 { margin: 1.5rem 0 0; font-size: 1rem; font-weight: 600; }
.readme ul, .readme ol { margin: 1rem 0 0; padding-inline-start: 1.5rem; }
.readme blockquote, .readme pre { margin: 1rem 0 0; padding-inline-start: 1rem; border-inline-start: 2px solid var(--line); }
.readme blockquote { color: var(--quiet); }
.readme blockquote > :first-child { margin-top: 0; }
.readme img { max-width: 100%; height: auto; }
.readme pre, .readme .table { overflow-x: auto; }
.readme pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.readme code, .readme pre { font: .875rem/1.5 ui-monospace, monospace; }
.readme .table { display: block; margin-top: 1rem; }
.readme th, .readme td { padding: .25rem 1.5rem .25rem 0; text-align: start; white-space: normal; overflow-wrap: normal; }
.readme th:first-child { width: auto; }
.readme td { color: inherit; }
@media (max-width: 34rem) {
  th, td { padding-inline-start: 1rem; }
  .wide { display: none; }
  .tools > *, .tools form input { flex: 1 1 100%; }
  .tools form input { width: auto; min-width: 0; flex-basis: 0; }
  .tools input, .tools button { font-size: 1rem; }
}
@media print {
  .skip, .tools, .pages a { display: none; }
  tr { break-inside: avoid; }
}
"""
)
"""Of a page with a table: a listing, what a search has found."""

STYLE_HASH = "sha256-/5ZxH0qQDkg6unMxnxGuyrhoTCjOXmDTYppNLyBLERA="
"""What a Content-Security-Policy calls :data:`STYLE`."""
