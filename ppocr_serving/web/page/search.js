// Finds text in all pages of the shown file.

import { byId } from "./dom.js";
import { onLanguage, say } from "./language.js";
import { library } from "./library.js";
import { shownRows } from "./lines.js";

const MOST_MARKED = 300; // each takes a while

let matches = []; // {page, at, line}: positions in the file, and the line itself
let current = -1;

/** Connect the search field. */
export function startSearch() {
  const field = byId("find");
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) go(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      field.value = "";
      search();
    }
  });
  byId("next-match").addEventListener("click", () => go(1));
  byId("previous-match").addEventListener("click", () => go(-1));
  document.addEventListener("keydown", (event) => {
    const isFind = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f";
    if (!isFind || byId("panel-lines").hidden || byId("work").hidden) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  library.on("pages", (file) => file === library.file && wanted() && search());
  library.on("shown text listed", () => wanted() && search());
  onLanguage(count);
  count();
}

function wanted() {
  return folded(byId("find").value.trim());
}

function folded(text) {
  return text.toLowerCase(); // not as the browser's language does: in Turkish, i is no small I
}

function search() {
  const text = wanted();
  const kept = matches[current]?.line;
  matches = [];
  if (text) {
    library.file?.pages.forEach((page, index) => {
      page.lines.forEach((line, at) => {
        if (folded(line.text).includes(text)) matches.push({ page: index, at, line });
      });
    });
  }
  current = kept ? matches.findIndex(({ line }) => line === kept) : -1;
  mark(text);
  count();
}

function count() {
  const text = wanted();
  byId("found").textContent = text ? say("matches", current + 1, matches.length) : "";
  byId("next-match").disabled = byId("previous-match").disabled = matches.length === 0;
}

function go(step) {
  if (!matches.length) return;
  let next = current + step;
  if (current < 0) {
    const first = matches.findIndex(({ page }) => page >= library.index);
    next = (first < 0 ? 0 : first) + Math.min(step, 0);
  }
  current = (next + matches.length) % matches.length;
  const { page, at } = matches[current];
  if (page !== library.index) library.show(library.file, page);
  library.say("active", { index: at, from: "search" });
  count();
}

/** Mark the lines that match, and within their texts what was looked for where browsers can do that. */
function mark(text) {
  const here = matches.filter(({ page }) => page === library.index).map(({ at }) => at);
  const indices = new Set(here);
  shownRows().forEach((row, index) => row.classList.toggle("found", indices.has(index)));
  library.say("found", { indices });
  if (!globalThis.Highlight) return;
  const ranges = here.slice(0, MOST_MARKED).flatMap((index) => rangesIn(shownRows()[index], text));
  CSS.highlights.set("found", new Highlight(...ranges));
}

function rangesIn(row, text) {
  const shown = row?.querySelector(".copy");
  if (!shown) return [];
  const nodes = [];
  const walker = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const spot = (offset) => {
    let rest = offset;
    for (const node of nodes) {
      if (rest <= node.length) return [node, rest];
      rest -= node.length;
    }
    return [nodes.at(-1), nodes.at(-1).length];
  };
  const ranges = [];
  const whole = folded(shown.textContent);
  for (let at = whole.indexOf(text); at >= 0; at = whole.indexOf(text, at + text.length)) {
    const range = new Range();
    range.setStart(...spot(at));
    range.setEnd(...spot(at + text.length));
    ranges.push(range);
  }
  return ranges;
}
