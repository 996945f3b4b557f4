// The language of the page: that of the browser, or the one that was chosen.

import { chinese } from "./chinese.js";
import { english } from "./english.js";
import { byId } from "./dom.js";
import { recall, remember } from "./memory.js";

const CATALOGUES = { en: english, zh: chinese };

const changes = new EventTarget();
let current = "en";

/** Return a text in the page's language; what a catalogue has as a function receives the values. */
export function say(name, ...values) {
  const text = CATALOGUES[current][name] ?? english[name] ?? name;
  return typeof text === "function" ? text(...values) : text;
}

/** Return whether there is a text of this name. */
export function canSay(name) {
  return name in english;
}

/** Return a number as the page's language writes it. */
export function figure(number, digits = 0) {
  return number.toLocaleString(current, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Return a part, from 0 to 1, in per cent. */
export function percentage(part) {
  return part.toLocaleString(current, { style: "percent" });
}

/** Call a function whenever another language is chosen. */
export function onLanguage(run) {
  changes.addEventListener("change", run);
}

/** Put the page's language into all elements that name a text. */
function translate() {
  for (const shown of document.querySelectorAll("[data-say]")) shown.textContent = say(shown.dataset.say);
  for (const shown of document.querySelectorAll("[data-label]")) {
    const label = say(shown.dataset.label);
    shown.setAttribute("aria-label", label);
    if (shown.tagName === "BUTTON") shown.title = label;
  }
  for (const shown of document.querySelectorAll("[data-hint]")) shown.placeholder = say(shown.dataset.hint);
}

/** Choose the language at the beginning, and let the user choose the other one. */
export function startLanguage() {
  const wanted = [recall("language", ""), ...navigator.languages].map((tag) => tag.slice(0, 2).toLowerCase());
  use(wanted.find((language) => language in CATALOGUES) ?? "en");
  delete document.documentElement.dataset.starting;
  byId("language").addEventListener("click", () => {
    use(current === "zh" ? "en" : "zh");
    remember("language", current);
    changes.dispatchEvent(new Event("change"));
  });
}

function use(language) {
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  const button = byId("language");
  button.textContent = language === "zh" ? "English" : "中文";
  button.lang = language === "zh" ? "en" : "zh-CN";
  translate();
}
