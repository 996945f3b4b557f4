// Light or dark: as the system is, or as was chosen.

import { byId } from "./dom.js";
import { onLanguage, say } from "./language.js";
import { recall, remember } from "./memory.js";

const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };

/** Use the remembered theme, and let the user choose another one. */
export function startTheme() {
  const button = byId("theme");
  let theme = recall("theme", "auto");
  const show = () => {
    document.documentElement.dataset.theme = theme;
    button.textContent = SIGNS[theme];
    button.title = `${say("theme")}: ${say(`theme_${theme}`)}`;
    button.setAttribute("aria-label", button.title);
  };
  if (!THEMES.includes(theme)) theme = "auto";
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    remember("theme", theme);
    show();
  });
  onLanguage(show);
  show();
}
