// Errors as people can read them, and what to do about them.

import { element } from "./dom.js";
import { canSay, say } from "./language.js";

/** Return what happened, and what to do, in the page's language. */
export function explain(fault) {
  const code = isAboutPassword(fault) ? "password" : fault.code;
  const name = canSay(`fault_${code}`) ? code : "other";
  return { what: say(`fault_${name}`, fault), way: canSay(`way_${name}`) ? say(`way_${name}`, fault) : "" };
}

/** Return whether another file is needed, because this one can never be read. */
export function isAboutFile(fault) {
  return ["image_decode_error", "unsupported_media_type"].includes(fault.code);
}

/** Return whether options are what to look at. */
export function isAboutOptions(fault) {
  return fault.code === "invalid_request";
}

function isAboutPassword(fault) {
  return isAboutOptions(fault) && /as password$/.test(fault.message);
}

/** Return elements that show an error, with the server's own words for those who want to know more. */
export function shownFault(fault, ...buttons) {
  const { what, way } = explain(fault);
  const shown = [element("p", {}, element("strong", { textContent: what }), way ? ` ${way}` : "")];
  if (fault.message) {
    const id = fault.requestId ? ` (${say("request_id")} ${fault.requestId})` : "";
    const words = element("code", { dir: "auto", textContent: `${fault.message}${id}` });
    shown.push(element("details", { open: isAboutOptions(fault) }, element("summary", { textContent: say("server_says") }), words));
  }
  if (buttons.length) shown.push(element("p", {}, ...buttons));
  return shown;
}
