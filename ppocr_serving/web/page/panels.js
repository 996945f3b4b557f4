// The tabs: lines, the plain text, JSON, and how a program asks for the same.

import { byId, copyText, element, toast } from "./dom.js";
import { onLanguage, say } from "./language.js";
import { library } from "./library.js";
import { snippets } from "./snippets.js";

const NAMES = ["lines", "text", "json", "request"];
const MOST_SHOWN = 200_000; // characters; downloads and copies have all

let open_ = "lines";

/** Connect the tabs. */
export function startPanels() {
  const tabs = NAMES.map((name) => byId(`tab-${name}`));
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => choose(NAMES[at]));
    tab.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = (steps[event.key] + tabs.length) % tabs.length;
      choose(NAMES[next]);
      tabs[next].focus();
    });
  });
  byId("copy").addEventListener("click", async () => toast(say((await copyText(copied())) ? "copied_all" : "not_copied")));
  library.on("shown text", show);
  library.on("pages", (file) => file === library.file && show());
  library.on("file", () => open_ === "request" && showSnippets());
  for (const id of ["options", "key"]) byId(id).addEventListener("close", show);
  onLanguage(show);
  choose(open_);
}

/** Return the text of pages: paragraphs, unless lines go across them, and pages are separated by an empty line. */
function textOf(pages) {
  return pages.map(textOfPage).filter(Boolean).join("\n\n");
}

function textOfPage(page) {
  const paragraphs = page.data.paragraphs.map(({ lines }) => lines);
  const isAcross = paragraphs.flat().some((line, at) => line !== page.lines[at]);
  const texts = (isAcross ? [page.lines] : paragraphs).map((lines) => lines.map(({ text }) => text).filter(Boolean).join("\n"));
  return texts.filter(Boolean).join("\n\n");
}

function choose(name) {
  open_ = name;
  for (const one of NAMES) {
    const isChosen = one === name;
    const tab = byId(`tab-${one}`);
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
    byId(`panel-${one}`).hidden = !isChosen;
  }
  show();
}

function show() {
  if (open_ === "text") put("panel-text", library.file ? textOf(library.file.pages) : "");
  if (open_ === "json") put("panel-json", library.page ? json() : "");
  if (open_ === "request") showSnippets();
}

function put(id, text) {
  const shown = byId(id).querySelector("pre");
  const isLong = text.length > MOST_SHOWN;
  const next = isLong ? `${text.slice(0, MOST_SHOWN)}\n… ${say("shortened")}` : text;
  if (shown.textContent !== next) shown.textContent = next;
}

function json() {
  return JSON.stringify(library.file.document([library.page]).pages[0], null, 2);
}

function copied() {
  if (open_ === "json") return json();
  return textOf(library.files.flatMap((file) => file.pages));
}

let shownCode = "";

function showSnippets() {
  const programs = snippets(library.file, library.page);
  const all = JSON.stringify([say("copy"), programs]);
  if (all === shownCode) return; // what is selected in them stays so
  shownCode = all;
  const shown = programs.map(({ name, code }) => {
    const button = element("button", { type: "button", textContent: say("copy") });
    button.setAttribute("aria-label", `${say("copy")} ${name}`);
    button.addEventListener("click", async () => toast(say((await copyText(code)) ? "copied_all" : "not_copied")));
    const block = element("pre", { tabIndex: 0, textContent: code });
    block.setAttribute("aria-label", name);
    return element("section", {}, element("h2", {}, name, " ", button), block);
  });
  byId("snippets").replaceChildren(...shown);
}
