// Leads those who do not see the page, or use no mouse: what is said, and where the focus goes.

import { byId } from "./dom.js";
import { onLanguage, say } from "./language.js";
import { library } from "./library.js";

let wasReading = false;
let focused = null;

/** Speak of beginnings and ends, not of each page; never let the focus vanish with what had it. */
export function startGuide() {
  library.on("files file shown pages", speak);
  onLanguage(() => (byId("spoken").textContent = ""));
  document.addEventListener("focusin", ({ target }) => (focused = target));
  library.on("files file shown pages", () => requestAnimationFrame(keepFocus));
}

function speak() {
  if (library.isReading === wasReading) return;
  wasReading = library.isReading;
  if (library.files.length) byId("spoken").textContent = wasReading ? say("reading") : outcome();
}

function outcome() {
  const { files } = library;
  if (files.length === 1) return byId("status").textContent;
  return say("all_read", files.length, files.filter((file) => file.state === "failed").length);
}

function keepFocus() {
  const isLost = focused !== null && (!focused.checkVisibility() || focused.disabled);
  if (!isLost || ![document.body, focused].includes(document.activeElement)) return;
  byId(library.files.length ? "results" : "main").focus({ preventScroll: true });
}
