// The lines of the shown page in reading order: to look at, to copy, to correct.

import { breathe, byId, copyText, element, onPointer, toast } from "./dom.js";
import { figure, onLanguage, percentage, say } from "./language.js";
import { library } from "./library.js";

const AT_ONCE = 50; // rows that are made before the browser gets a turn
const SURE = 0.9;
const UNSURE = 0.7;
const TILTED = 10; // degrees from which a line's angle is shown

let rows = [];
let active = 0;

/** Return how sure a confidence is: `sure`, `unsure` or `doubtful`. */
export function levelOf(confidence) {
  if (confidence >= SURE) return "sure";
  return confidence >= UNSURE ? "unsure" : "doubtful";
}

/** Copy a line of the shown page. */
export async function copyLine(index) {
  const { text } = library.page.lines[index];
  toast((await copyText(text)) ? say("copied", text) : say("not_copied"));
}

/** Return the rows that show the lines, in order; those at the end may not be there yet. */
export function shownRows() {
  return rows;
}

/** Connect the list. */
export function startLines() {
  const list = byId("lines");
  const indexOf = (event) => Number(event.target.closest(".line")?.dataset.index ?? -1);
  onPointer(list, (event) => activate(indexOf(event), "hover"));
  list.addEventListener("focusin", (event) => activate(indexOf(event), "focus"));
  list.addEventListener("click", (event) => {
    const index = indexOf(event);
    if (index < 0) return;
    if (event.target.closest(".correct")) correct(index);
    else if (event.target.closest(".restore")) {
      const { page } = library;
      finish(page, index, page.read.get(page.lines[index]).text);
      rows[index].querySelector(".copy").focus();
    }
    else if (event.target.closest(".copy")) void copyLine(index);
  });
  list.addEventListener("keydown", (event) => onKey(event, indexOf(event)));
  library.on("shown", () => void show());
  library.on("active", ({ index, from }) => {
    rows[active]?.classList.remove("active");
    setStop(index);
    rows[index]?.classList.add("active");
    if (from === "picture" || from === "search") rows[index]?.scrollIntoView({ block: "nearest" });
  });
  onLanguage(() => void show());
}

function activate(index, from) {
  if (index >= 0 && (index !== active || !rows[index].classList.contains("active"))) library.say("active", { index, from });
}

/** Make a row the one that the Tab key reaches: a stop for each of 5000 rows would be too many. */
function setStop(index) {
  for (const [at, stop] of [[active, -1], [index, 0]]) {
    for (const button of rows[at]?.querySelectorAll("button") ?? []) button.tabIndex = stop;
  }
  active = index;
}

function onKey(event, index) {
  if (index < 0 || event.target.tagName === "INPUT") return;
  const last = rows.length - 1;
  const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: last, PageDown: index + 10, PageUp: index - 10 };
  if (event.key in next) rows[Math.max(0, Math.min(last, next[event.key]))].querySelector(".copy").focus();
  else if (event.key === "F2") correct(index);
  else return;
  event.preventDefault();
}

async function show() {
  const { page } = library;
  const list = byId("lines");
  list.replaceChildren();
  const made = (rows = []);
  active = 0;
  byId("whole").hidden = !page?.whole;
  byId("nothing").hidden = !page || page.lines.length > 0 || Boolean(page.data.error);
  if (!page) return;
  const firsts = new Set(page.data.paragraphs.map((paragraph) => paragraph.lines[0]));
  for (let from = 0; from < page.lines.length; from += AT_ONCE) {
    if (from) await breathe();
    if (made !== rows) return; // another page is shown meanwhile
    const some = page.lines.slice(from, from + AT_ONCE).map((line, at) => row(line, from + at, firsts.has(line)));
    made.push(...some);
    list.append(element("div", { className: "block" }, ...some));
    if (!from) setStop(0);
    else if (active >= from && rows[active]) {
      // A match that was gone to before its row was there.
      setStop(active);
      rows[active].classList.add("active");
      rows[active].scrollIntoView({ block: "nearest" });
    }
  }
  library.say("listed");
}

function row(line, index, isFirst) {
  const { page } = library;
  const isCorrected = page.read.has(line);
  const shown = element("div", { className: `line ${levelOf(line.confidence)}`, role: "listitem" });
  shown.dataset.index = index;
  shown.classList.toggle("first", isFirst && index > 0);
  const text = element("button", { type: "button", className: "copy", dir: "auto", tabIndex: -1 }, ...tinted(line));
  if (!line.text) text.append(element("em", { textContent: say("left_out") }));
  const angle = Math.round(((line.angle + page.data.angle + 540) % 360) - 180);
  const tools = element("span", { className: "tools" });
  if (Math.abs(angle) >= TILTED) tools.append(element("span", { className: "angle", title: say("angle"), textContent: `∠ ${figure(angle)}°` }));
  if (isCorrected) {
    tools.append(element("span", { className: "corrected", textContent: say("corrected") }), tool("restore", "↶", say("restore", index + 1)));
  } else {
    tools.append(element("span", { className: "confidence", title: say("confidence"), textContent: percent(line.confidence) }));
  }
  tools.append(tool("correct", "✎", say("correct", index + 1)));
  shown.append(text, tools);
  return shown;
}

function tool(name, sign, label) {
  const button = element("button", { type: "button", className: name, title: label, textContent: sign, tabIndex: -1 });
  button.setAttribute("aria-label", label);
  return button;
}

function percent(confidence) {
  return percentage(Math.floor(confidence * 100) / 100);
}

/** Return a line's text with its doubtful words marked. */
function tinted(line) {
  const parts = [];
  let told = 0; // characters of the text that are in `parts`
  let at = 0;
  for (const word of line.words ?? []) {
    const start = line.text.indexOf(word.text, at);
    if (start < 0) continue;
    at = start + word.text.length;
    const level = levelOf(word.confidence);
    if (level === "sure") continue;
    const mark = element("mark", { className: level, title: percent(word.confidence), textContent: word.text });
    parts.push(line.text.slice(told, start), mark);
    told = at;
  }
  return [...parts, line.text.slice(told)];
}

function correct(index) {
  const { page } = library;
  const line = page.lines[index];
  const text = rows[index].querySelector(".copy");
  if (!text) return;
  const field = element("input", { type: "text", className: "correction", dir: "auto", value: line.text, maxLength: 10_000 });
  field.setAttribute("aria-label", say("correct", index + 1));
  const typed = () => (field.value === line.text ? line.text : field.value.trim());
  const end = (value, isKept) => {
    if (!field.isConnected || field.dataset.ended) return;
    field.dataset.ended = "1";
    finish(page, index, value);
    if (isKept) rows[index].querySelector(".copy").focus();
  };
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return; // Enter chooses a Chinese character; 229 is Safari's way to say so
    if (event.key === "Enter") event.preventDefault(); // it would press the button that gets the focus
    if (event.key === "Enter") end(typed(), true);
    if (event.key === "Escape") end(line.text, true);
  });
  field.addEventListener("blur", () => end(typed(), false));
  text.replaceWith(field);
  field.focus();
  field.select();
}

function finish(page, index, text) {
  const line = page.lines[index];
  page.correct(line, text);
  if (page !== library.page) return; // another page has taken its place, and the field away
  const isFirst = rows[index].classList.contains("first");
  const fresh = row(line, index, isFirst);
  rows[index].replaceWith(fresh);
  rows[index] = fresh;
  setStop(index);
  library.say("text");
}
