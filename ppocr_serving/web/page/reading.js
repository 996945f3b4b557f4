// Reads the files that wait, two at a time: one arrives while the other one is read.

import { choices } from "./options.js";
import { withKey } from "./keys.js";
import { say } from "./language.js";
import { library, OpenFile, Page } from "./library.js";
import { asReadable } from "./pictures.js";
import { Fault, read } from "./server.js";

const AT_ONCE = 2;
const CONCERNS_ALL = ["unauthorized", "unreachable"];

let running = 0;

/** Open files and read them. */
export function open(files) {
  if (!files.length) return;
  library.add(files.map((file) => new OpenFile(file)));
  work();
}

/** Read files again that are open, unless corrections would be lost that the user wants to keep. */
export function readAgain(files) {
  if (files.some((file) => file.isCorrected) && !confirm(say("lose_corrections"))) return;
  for (const file of files) {
    file.stopping.abort();
    file.reset();
  }
  library.say("files");
  library.show(library.file, 0);
  work();
}

/**
 * Read only a part of the page that is shown.
 *
 * @param {number[]} region Its x, y, width and height in pixels of the page.
 * @param {AbortSignal} signal What ends the request.
 */
export async function readRegion(region, signal) {
  const { file, page } = library;
  const whole = page.whole ?? page;
  const options = { ...optionsFor(file), region: region.join(",") };
  if (!file.isShown) options.pages = String(whole.data.number);
  let part = null;
  const onRecord = (record) => {
    if (record.fault) throw record.fault;
    if (record.type === "page") part = new Page(record.page, whole.picture, whole);
  };
  await withKey(() => read(file.file, options, { onSent() {}, onRecord, signal }));
  if (part === null || library.page !== page) return;
  part.quarters = whole.quarters;
  part.region = region;
  library.replace(part);
}

/** Stop what is being read, and what waits. */
export function stop() {
  for (const file of library.files) {
    if (isWaiting(file)) fail(file, new Fault("stopped"));
    file.stopping.abort();
  }
}

/** Pictures have one page, so the option is about the other files. */
function optionsFor(file) {
  const { pages, ...options } = { ...choices(), partial: "true" };
  return file.isShown || pages === undefined ? options : { ...options, pages };
}

function work() {
  while (running < AT_ONCE) {
    const next = library.files.find(isWaiting);
    if (!next) return;
    running += 1;
    next.state = "reading";
    void readFile(next).finally(() => {
      running -= 1;
      work();
    });
  }
}

async function readFile(file) {
  const { signal } = file.stopping;
  const isCurrent = () => signal === file.stopping.signal; // neither closed nor read again meanwhile
  const started = performance.now();
  library.say("file", file);
  try {
    Object.assign(file, await asReadable(file.file));
    const options = { ...optionsFor(file), ...(!file.isShown && { page_images: "true" }) };
    const hooks = {
      signal,
      onSent(part) {
        if (!isCurrent()) return;
        file.sent = part;
        library.say("file", file);
      },
      onRecord(record) {
        if (isCurrent()) take(file, record);
      },
    };
    const origin = await withKey(() => {
      file.sent = 0;
      return read(file.file, options, hooks);
    });
    if (!isCurrent()) return;
    Object.assign(file, { origin, state: file.fault ? "failed" : "done", seconds: (performance.now() - started) / 1000 });
    library.say("file", file);
  } catch (fault) {
    if (!isCurrent()) return;
    fail(file, fault instanceof Fault ? fault : new Fault("other", String(fault)));
    if (CONCERNS_ALL.includes(fault.code)) library.files.filter(isWaiting).forEach((other) => fail(other, fault));
    if (!(fault instanceof Fault)) throw fault;
  }
}

function isWaiting(file) {
  return file.state === "waiting";
}

function fail(file, fault) {
  Object.assign(file, { fault, state: "failed" });
  library.say("file", file);
}

function take(file, record) {
  if (record.type === "page") {
    const picture = file.isShown ? URL.createObjectURL(file.file) : pictureOf(record.image);
    library.append(file, new Page(record.page, picture));
  } else if (record.type === "error" && record.number === null) {
    file.fault = record.fault;
  } else if (record.type === "error") {
    const page = { number: record.number, width: 0, height: 0, angle: 0, paragraphs: [], error: record.error };
    library.append(file, new Page(page, ""));
  } else if (record.type === "end") {
    file.times = record.times;
  }
}

function pictureOf(image) {
  if (!image) return "";
  const text = atob(image.data);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = text.charCodeAt(at); // ten times as fast as Uint8Array.from
  return URL.createObjectURL(new Blob([bytes], { type: image.media_type }));
}
