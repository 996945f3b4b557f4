// What every other file needs of the document.

const SVG = "http://www.w3.org/2000/svg";

/** Return the element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Return a new element. Texts among its children are shown as they are and never become markup. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Return a new SVG element with attributes. */
export function drawn(tag, attributes = {}) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Return a function that runs another one at most once per frame, with its latest arguments. */
export function oncePerFrame(run) {
  let latest = null;
  return (...values) => {
    if (latest === null) {
      requestAnimationFrame(() => {
        const given = latest;
        latest = null;
        run(...given);
      });
    }
    latest = values;
  };
}

/** Wait until the browser has had a chance to paint and to react to the user. */
export function breathe() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    requestAnimationFrame(() => channel.port2.postMessage(null));
    setTimeout(resolve, 100); // a tab in the background has no frames
  });
}

/** Call a function when the pointer moves over an element, but not when the element is scrolled under it. */
export function onPointer(shown, run) {
  let last = "";
  shown.addEventListener("pointermove", (event) => {
    const place = `${event.screenX} ${event.screenY}`;
    if (place !== last) run(event);
    last = place;
  });
}

let hiding = 0;

/** Show a short message for a moment; screen readers say it. */
export function toast(message) {
  const shown = byId("toast");
  shown.textContent = message;
  shown.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => shown.classList.remove("shown"), 2000 + 50 * message.length); // as long as reading it takes
}

/** Copy a text to the clipboard, also where browsers offer no clipboard because the address is not https. */
export async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // not allowed; the old way may be
    }
  }
  const focused = document.activeElement;
  const area = element("textarea", { value: text, className: "hidden", readOnly: true });
  document.body.append(area);
  area.focus({ preventScroll: true });
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}

/** Have the browser save a file. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
