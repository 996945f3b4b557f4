// What the browser remembers between visits. Where it remembers nothing (private windows), everything works without.

function kept(storage, name, fallback) {
  try {
    const value = JSON.parse(window[storage].getItem(name)) ?? fallback;
    return typeof value === typeof fallback ? value : fallback;
  } catch {
    return fallback;
  }
}

function keep(storage, name, value) {
  try {
    if (value === null) window[storage].removeItem(name);
    else window[storage].setItem(name, JSON.stringify(value));
  } catch {
    // full or forbidden
  }
}

/** Return what was remembered under a name, or a fallback if that is nothing, or of another type. */
export function recall(name, fallback) {
  return kept("localStorage", `ppocr.${name}`, fallback);
}

/** Remember a value that JSON can hold; null forgets it. */
export function remember(name, value) {
  keep("localStorage", `ppocr.${name}`, value);
}

const KEY = "ppocr.key";

let given = ""; // in this page

/** Return the API key that was given, or an empty text. */
export function knownKey() {
  return given || kept("sessionStorage", KEY, "") || kept("localStorage", KEY, "");
}

/** Keep an API key until the tab is closed, or for good. */
export function keepKey(key, forGood) {
  given = key;
  keep("sessionStorage", KEY, key);
  keep("localStorage", KEY, forGood ? key : null);
}
