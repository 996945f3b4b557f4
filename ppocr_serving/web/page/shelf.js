// Which files are open, how far each is, and which page is shown.

import { byId, element } from "./dom.js";
import { explain, isAboutFile, isAboutOptions, shownFault } from "./faults.js";
import { figure, onLanguage, percentage, say } from "./language.js";
import { library } from "./library.js";
import { readAgain, stop } from "./reading.js";
import { showTimes } from "./times.js";

/** Connect the list of files, the pages and the status. */
export function startShelf() {
  byId("clear").addEventListener("click", () => {
    library.remove(library.files);
    byId("main").focus();
  });
  byId("stop").addEventListener("click", stop);
  byId("page").addEventListener("change", ({ target }) => library.show(library.file, Number(target.value)));
  byId("previous-page").addEventListener("click", () => turnPage(-1));
  byId("next-page").addEventListener("click", () => turnPage(1));
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.("input, select, pre, dialog, #lines")) return;
    if (event.key === "PageDown") turnPage(1);
    if (event.key === "PageUp") turnPage(-1);
  });
  library.on("files", () => {
    showFiles();
    showStatus();
  });
  library.on("file", (file) => {
    if (chips.has(file)) showChip(file, chips.get(file));
    showStatus();
  });
  library.on("shown", () => {
    showFiles();
    showPages();
    showStatus();
  });
  library.on("pages", (file) => {
    if (file === library.file) showPages();
    showStatus();
  });
  onLanguage(() => {
    showFiles();
    showStatus();
  });
}

function turnPage(step) {
  const next = library.index + step;
  if (library.file?.pages[next]) library.show(library.file, next);
}

const chips = new Map(); // file -> its element, which stays while its state changes, so that it can be clicked

function showFiles() {
  byId("welcome").hidden = library.files.length > 0;
  byId("work").hidden = library.files.length === 0;
  for (const [file, shown] of chips) {
    if (library.files.includes(file)) continue;
    shown.remove();
    chips.delete(file);
  }
  for (const file of library.files) {
    if (!chips.has(file)) {
      chips.set(file, chip(file));
      byId("files").append(chips.get(file));
    }
    showChip(file, chips.get(file));
  }
}

function chip(file) {
  const state = element("span", { className: "state" });
  state.setAttribute("aria-hidden", "true");
  const name = element("span", { dir: "auto", textContent: file.name });
  const label = element("button", { type: "button", title: file.name }, state, " ", name, element("span", { className: "hidden" }));
  label.addEventListener("click", () => library.show(file, 0));
  const close = element("button", { type: "button", className: "close", textContent: "×" });
  const made = element("li", {}, label, close);
  close.addEventListener("click", () => {
    const next = made.nextElementSibling ?? made.previousElementSibling;
    library.remove([file]);
    (next?.querySelector(".close") ?? byId("main")).focus();
  });
  return made;
}

function showChip(file, shown) {
  const [label, close] = shown.children;
  shown.className = file.state;
  label.firstChild.textContent = { done: "✓", failed: "!" }[file.state] ?? "…";
  label.lastChild.textContent = ` ${say(`state_${file.state}`)}`;
  if (file === library.file) label.setAttribute("aria-current", "true");
  else label.removeAttribute("aria-current");
  close.title = say("close_file", file.name);
  close.setAttribute("aria-label", close.title);
}

function showPages() {
  const pages = library.file?.pages ?? [];
  const list = byId("page");
  list.length = Math.min(list.length, pages.length);
  pages.forEach((page, index) => {
    const shown = list.options[index] ?? list.appendChild(element("option", { value: index }));
    const label = String(page.data.number);
    if (shown.textContent !== label) shown.textContent = label;
  });
  list.value = String(library.index);
  list.closest(".pages").hidden = pages.length < 2;
  byId("previous-page").disabled = library.index === 0;
  byId("next-page").disabled = library.index >= pages.length - 1;
}

function showStatus() {
  const { file, page } = library;
  const state = !file ? "empty" : library.isReading ? "reading" : file.state;
  document.body.dataset.state = state;
  byId("stop").hidden = state !== "reading";
  const isReading = file?.state === "reading" || file?.state === "waiting";
  const progress = byId("progress");
  progress.hidden = !isReading;
  if (isReading && file.sent < 1) progress.value = file.sent;
  else progress.removeAttribute("value");
  byId("status").textContent = statusOf(file);
  document.title = file ? `${isReading ? "… " : ""}${file.name} – ppocr-serving` : "ppocr-serving";
  showFault(file, page);
  showTimes(file?.state === "done" ? file : null);
}

function statusOf(file) {
  if (!file) return "";
  const pages = file.pages.length;
  const lines = file.pages.reduce((sum, page) => sum + page.lines.length, 0);
  if (file.state === "waiting") return say("waiting");
  if (file.state === "failed") return pages ? say("read_partly", pages, lines) : say("not_read");
  if (file.state === "done") return say("read", pages, lines, figure(file.seconds, 2));
  if (file.sent < 1) return say("uploading", percentage(file.sent));
  return pages ? say("reading_page", pages + 1) : say("reading");
}

let lastFault = null;

function showFault(file, page) {
  const fault = file?.fault ?? page?.data.error ?? null;
  const box = byId("fault");
  box.hidden = fault === null;
  const shown = fault && JSON.stringify([fault.code, fault.message, fault.requestId, explain(fault), Boolean(file.fault)]);
  if (shown === lastFault) return;
  lastFault = shown;
  if (fault === null) {
    box.replaceChildren();
    return;
  }
  const again = element("button", { type: "button", textContent: say("try_again") });
  again.addEventListener("click", () => readAgain(library.files.filter((one) => one.fault?.code === library.file.fault?.code)));
  const options = element("button", { type: "button", textContent: say("options") });
  options.addEventListener("click", () => byId("show-options").click());
  const add = element("button", { type: "button", textContent: say("add") });
  add.addEventListener("click", () => byId("file").click());
  const way = isAboutFile(fault) ? add : again;
  box.replaceChildren(...shownFault(fault, ...(file.fault ? [way] : []), ...(isAboutOptions(fault) ? [options] : [])));
}
