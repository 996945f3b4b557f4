// Requests to the server, and what may go wrong with them.

import { knownKey } from "./memory.js";

/** Why a request failed: the server's code and message, or what happened on the way. */
export class Fault extends Error {
  constructor(code, message = "", details = {}) {
    super(message);
    Object.assign(this, { code, status: 0, requestId: "", retryAfter: 0, limit: 0 }, details);
  }
}

/** Return the address of a path of the server, as the browser sees it. */
export function addressOf(path) {
  return new URL(path, document.baseURI).href;
}

const MEBIBYTE = 2 ** 20;
const FORM_BYTES = 4096; // what a form has beside each file

let limits = {};

/** Return what the server runs, reads and allows. */
export async function capabilities() {
  const known = await (await send("v1/capabilities")).json();
  limits = known.limits;
  return known;
}

/** Return the bytes of an example as a file. */
export async function example(name) {
  const blob = await (await send(`examples/${name}`)).blob();
  return new File([blob], name, { type: blob.type });
}

/** Return documents, as they were read or corrected, in another format. */
export async function render(documents, files, format, password) {
  const form = new FormData();
  const described = new Blob([JSON.stringify({ documents })], { type: "application/json" });
  requireRoom([described, ...files]);
  form.append("documents", described, "documents.json");
  form.append("format", format);
  if (password) form.append("password", password);
  for (const file of files) form.append("file", file, file.name);
  return (await send("v1/render", { method: "POST", body: form })).blob();
}

/** Refuse what the server would: browsers hide an answer that comes while they still send. */
function requireRoom(files) {
  const limit = limits.max_body_mb;
  const bytes = files.reduce((sum, file) => sum + file.size + FORM_BYTES, 0);
  if (bytes > limit * MEBIBYTE) throw new Fault("too_large", "", { limit });
}

async function send(path, request = {}) {
  let response;
  try {
    response = await fetch(addressOf(path), { ...request, headers: credentials() });
  } catch {
    throw new Fault("unreachable");
  }
  const isForeign = /^text\/html/.test(response.headers.get("Content-Type")); // none of these answers is a page
  if (response.ok && !isForeign) return response;
  throw faultOf(response.status, await response.text(), (name) => response.headers.get(name));
}

/**
 * Read a file, page by page.
 *
 * @param {File} file What to read.
 * @param {Object<string, string>} options Those of the API.
 * @param {{onSent: function(number), onRecord: function(Object), signal: AbortSignal}} hooks The part of the file that
 *   has been sent, from 0 to 1; each record as it arrives; what ends the request.
 * @returns {Promise<?Object>} What made the answer.
 */
export async function read(file, options, hooks) {
  requireRoom([file]);
  try {
    return await exchange(file, options, hooks);
  } catch (fault) {
    // The browser may have hidden the reason: a key, or the server's end.
    if (fault.code === "cut_off") await capabilities();
    throw fault;
  }
}

/** This is no fetch, because only XMLHttpRequest says how much has been sent. */
function exchange(file, options, { onSent, onRecord, signal }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  form.append("file", file, file.name);
  const request = new XMLHttpRequest();
  request.open("POST", addressOf("v1/read?format=jsonl"));
  for (const [name, value] of Object.entries(credentials())) request.setRequestHeader(name, value);
  return new Promise((resolve, reject) => {
    const header = (name) => request.getResponseHeader(name);
    let sent = 0;
    let taken = 0;
    let searched = 0;
    let isComplete = false;
    const tell = (part) => {
      sent = part;
      onSent(part);
    };
    const take = () => {
      const text = request.responseText;
      for (let end; (end = text.indexOf("\n", searched)) >= 0; taken = searched = end + 1) {
        const record = recordOf(text.slice(taken, end), header("X-Request-Id"));
        isComplete ||= record.type === "end";
        onRecord(record);
      }
      searched = text.length; // a page may come in a hundred parts
    };
    const guarded = (run) => () => {
      try {
        run();
      } catch (fault) {
        reject(fault);
        request.abort();
      }
    };
    request.upload.onprogress = (event) => tell(event.loaded / (event.total || 1));
    request.upload.onload = () => tell(1);
    // At each part, unlike progress, which comes 20 times per second at most: an error takes away what is not taken by then.
    request.onreadystatechange = guarded(() => {
      if (request.readyState === XMLHttpRequest.LOADING && request.status === 200) take();
    });
    request.onload = guarded(() => {
      if (request.status !== 200) throw faultOf(request.status, request.responseText, header);
      take();
      if (!isComplete) throw new Fault("incomplete");
      resolve(JSON.parse(header("X-OCR-Origin")));
    });
    request.onerror = () => reject(new Fault(sent === 1 ? "incomplete" : sent ? "cut_off" : "unreachable"));
    request.onabort = () => reject(new Fault("stopped"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) reject(new Fault("stopped"));
    else request.send(form);
  });
}

function recordOf(line, requestId) {
  let record;
  try {
    record = JSON.parse(line);
  } catch {
    throw new Fault("proxy", "", { status: 200 });
  }
  if (record.error) record.fault = new Fault(record.error.code, record.error.message, { requestId });
  return record;
}

function credentials() {
  const key = knownKey().replace(/[^!-~]/g, "?"); // no header takes others, and no key has them
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function faultOf(status, body, header) {
  let error = {};
  try {
    error = JSON.parse(body).error ?? {};
  } catch {
    // a proxy's own page
  }
  return new Fault(error.code ?? "proxy", error.message ?? "", {
    status,
    requestId: error.request_id ?? header("X-Request-Id") ?? "",
    retryAfter: Number(header("Retry-After")) || 0,
  });
}
