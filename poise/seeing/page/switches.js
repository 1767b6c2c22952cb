/** Language and theme, chosen by the reader: two small groups of buttons. */

import { mark } from "./dom.js";
import { keepPlace } from "./place.js";
import { onLanguage, speak, spoken } from "./texts.js";
import { choose, chosen } from "./theme.js";

/** Join the buttons that carry `data-speak` and `data-theme-choice` to what they do. */
export function startSwitches() {
  const speakers = [...document.querySelectorAll("[data-speak]")];
  const themes = [...document.querySelectorAll("[data-choose]")];
  const show = () => {
    for (const each of speakers) mark(each, "aria-pressed", String(each.getAttribute("data-speak") === spoken()));
    for (const each of themes) mark(each, "aria-pressed", String(each.getAttribute("data-choose") === chosen()));
  };
  for (const each of speakers) {
    each.addEventListener("click", () => keepPlace(() => speak(each.getAttribute("data-speak") ?? "en")));
  }
  for (const each of themes) {
    each.addEventListener("click", () => {
      choose(each.getAttribute("data-choose") ?? "auto");
      show();
    });
  }
  onLanguage(show);
  show();
}
