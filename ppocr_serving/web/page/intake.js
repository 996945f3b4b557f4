// The ways in which files come: chosen, dropped, pasted, photographed, or an example.

import { byId, toast } from "./dom.js";
import { explain } from "./faults.js";
import { say } from "./language.js";
import { open } from "./reading.js";
import { example, Fault } from "./server.js";

const READABLE = /\.(jpe?g|png|webp|bmp|gif|tiff?|avif|hei[cf]|svg|pdf)$/i;

/** Take files from everywhere on the page. */
export function startIntake() {
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => byId(button.dataset.opens).click());
  }
  for (const id of ["file", "camera"]) {
    byId(id).addEventListener("change", ({ target }) => {
      open([...target.files]);
      target.value = ""; // so that the same file can be chosen again
    });
  }
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => void openExample(button));
  }
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    const isText = event.clipboardData.types.includes("text/plain") && event.target.closest?.("input, textarea");
    if (!files.length || isText) return; // spreadsheets copy their cells as a picture, too
    event.preventDefault();
    open(files.map(named));
  });
  startDropping();
}

function startDropping() {
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  const mark = (isOver) => document.body.classList.toggle("dropping", isOver);
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    mark(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  document.addEventListener("drop", (event) => {
    mark(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    if (entries.some((entry) => entry?.isDirectory)) void openFolders(entries);
    else open([...event.dataTransfer.files]);
  });
}

async function openFolders(entries) {
  try {
    const files = await filesIn(entries);
    if (files.length) open(files);
    else toast(say("empty_folder"));
  } catch {
    toast(explain(new Fault("unreadable")).what);
  }
}

/** Return what may be read of dropped files and folders, by name. */
async function filesIn(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry?.isFile && READABLE.test(entry.name)) {
      found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    } else if (entry?.isDirectory) {
      const reader = entry.createReader();
      const inside = [];
      for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
        inside.push(...some);
      }
      inside.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
      found.push(...(await filesIn(inside)));
    }
  }
  return found;
}

/** Browsers call every pasted picture image.png. */
function named(file, index) {
  if (file.name !== "image.png") return file;
  const time = new Date().toLocaleTimeString("sv").replaceAll(":", "-");
  return new File([file], `${say("pasted")} ${time}${index ? ` ${index + 1}` : ""}.png`, { type: file.type });
}

async function openExample(button) {
  button.disabled = true;
  try {
    open([await example(button.dataset.example)]);
  } catch (fault) {
    toast(explain(fault).what);
  } finally {
    button.disabled = false;
  }
}
