// Downloads: what was read, as it was corrected, in every format of the server.

import { byId, element, save, toast } from "./dom.js";
import { explain } from "./faults.js";
import { withKey } from "./keys.js";
import { canSay, onLanguage, say } from "./language.js";
import { library } from "./library.js";
import { choices } from "./options.js";
import { render } from "./server.js";

const NEEDS_FILES = ["pdf", "png"];
const ONE_PAGE = ["png"];

let formats = [
  { name: "pdf", extension: "pdf" },
  { name: "text", extension: "txt" },
];

/** Connect the buttons. */
export function startDownloads() {
  const more = byId("more");
  document.addEventListener("click", ({ target }) => {
    const isChosen = target.closest("#formats button");
    if (!more.open || (more.contains(target) && !isChosen)) return;
    more.open = false;
    if (isChosen) more.querySelector("summary").focus();
  });
  more.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !more.open) return;
    more.open = false;
    more.querySelector("summary").focus();
  });
  for (const button of document.querySelectorAll("[data-format]")) connect(button);
  library.on("files file pages shown", enable);
  onLanguage(showFormats);
  onLanguage(enable);
  enable();
}

/** Offer the formats that a server has. */
export function offerFormats(offered) {
  formats = offered;
  showFormats();
  enable();
}

function showFormats() {
  const buttons = formats.map(({ name, extension }) => {
    const label = canSay(`format_${name}`) ? say(`format_${name}`) : name;
    const button = element("button", { type: "button" }, label, " ", element("code", { textContent: `.${extension}` }));
    button.dataset.format = name;
    connect(button);
    return button;
  });
  byId("formats").replaceChildren(...buttons);
}

function connect(button) {
  button.addEventListener("click", async () => {
    if (button.ariaBusy) return;
    button.ariaBusy = "true"; // not disabled: it would lose the focus
    try {
      await download(button.dataset.format);
    } catch (fault) {
      const { what, way } = explain(fault);
      toast(`${what} ${way}`);
    } finally {
      button.ariaBusy = null;
      // The browser takes the focus from a menu that is closed.
      if (document.activeElement === document.body) (button.checkVisibility() ? button : byId("more").firstElementChild).focus();
    }
  });
}

function readable() {
  return library.files.filter((file) => file.pages.length);
}

function enable() {
  const hasNone = readable().length === 0 || library.isReading;
  for (const button of document.querySelectorAll("[data-format]")) {
    button.disabled = hasNone || (ONE_PAGE.includes(button.dataset.format) && !library.page);
  }
  const { length } = readable();
  byId("copy").disabled = length === 0;
  byId("scope").hidden = length < 2;
  byId("scope").textContent = say("all_files", length);
}

async function download(name) {
  const { extension } = formats.find((format) => format.name === name);
  const isOnePage = ONE_PAGE.includes(name);
  const files = isOnePage ? [library.file] : readable();
  const documents = files.map((file) => file.document(isOnePage ? [library.page] : file.pages));
  const sent = NEEDS_FILES.includes(name) ? files.map((file) => file.file) : [];
  const blob = await withKey(() => render(documents, sent, name, choices().password));
  const stem = files[0].name.replace(/(?<=.)\.[^.]*$/, "");
  const page = isOnePage && files[0].pages.length > 1 ? `-${library.page.data.number}` : "";
  const others = files.length > 1 ? `-${say("and_more", files.length - 1)}` : "";
  save(blob, `${stem}${page}${others}.${extension}`);
  // The server puts text over the pages of a single PDF that have none of their own.
  const isKept = (page) => page.data.text_source === "pdf" && page.read.size > 0;
  const isWithout = name === "pdf" && files.length === 1 && files[0].pages.some(isKept);
  toast(say(isWithout ? "own_text" : "saved"));
}
