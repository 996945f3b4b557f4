// The options of a request: a form made from what the server says it has, remembered in the browser.

import { byId, element } from "./dom.js";
import { canSay, onLanguage, say } from "./language.js";
import { recall, remember } from "./memory.js";

const GROUPS = {
  reading: ["words", "reading_order", "orientation", "reread_score", "drop_score", "languages"],
  documents: ["pages", "dpi", "pdf_text", "password"],
};
const PLACED = Object.values(GROUPS).flat();
// The page decides about these itself.
const HIDDEN = ["format", "partial", "page_images", "region"];
// Doubtful words are tinted, and searchable PDFs are better with words.
const DEFAULTS = { words: true };

let known = null;
let chosen = {};
let password = "";

/** Return the options that were chosen, as texts by name. */
export function choices() {
  const given = Object.entries({ ...DEFAULTS, ...chosen, ...(password && { password }) });
  const taken = given.filter(([name]) => known === null || name in known);
  return Object.fromEntries(taken.map(([name, value]) => [name, String(value)]));
}

/** Connect the dialog; `readOn` is called to read everything again. */
export function startOptions(readOn) {
  const dialog = byId("options");
  chosen = recall("options", {});
  byId("show-options").addEventListener("click", () => dialog.showModal());
  byId("reset").addEventListener("click", () => {
    chosen = {};
    password = "";
    remember("options", null);
    showForm();
    mark();
  });
  byId("again").addEventListener("click", () => {
    if (!dialog.querySelector("form").reportValidity()) return;
    dialog.close();
    readOn();
  });
  byId("fields").addEventListener("change", ({ target }) => take(target));
  dialog.addEventListener("close", showForm); // without what was not valid
  onLanguage(showForm);
  mark();
}

/** Make the form from the options that a server has. */
export function offer(options) {
  known = Object.fromEntries(Object.entries(options).filter(([name]) => !HIDDEN.includes(name)));
  chosen = Object.fromEntries(Object.entries(chosen).filter(([name, value]) => Object.hasOwn(known, name) && isOffered(name, value)));
  showForm();
  mark();
}

function valuesOf(schema) {
  return schema.type === "boolean" ? [true, false] : schema.enum;
}

function isOffered(name, value) {
  return valuesOf(known[name])?.includes(value) ?? typeof value === "string";
}

function take(field) {
  if (!field.checkValidity()) {
    field.reportValidity();
    return;
  }
  const { name } = field;
  const value = field.value.trim();
  if (name === "password") {
    password = field.value;
    return;
  }
  if (value === "") delete chosen[name];
  else chosen[name] = known[name].type === "boolean" ? value === "true" : value;
  remember("options", chosen);
  mark();
}

/** Show on the button that something is not as it is by default. */
function mark() {
  byId("show-options").classList.toggle("changed", Object.keys(chosen).length > 0);
}

function showForm() {
  if (known === null) return;
  const finding = Object.keys(known).filter((name) => !PLACED.includes(name));
  const sections = Object.entries({ ...GROUPS, finding }).map(([group, names]) => {
    const rows = names.filter((name) => name in known).map(row);
    const title = element("legend", { textContent: say(`group_${group}`) });
    return element("fieldset", {}, title, ...rows);
  });
  byId("fields").replaceChildren(...sections);
}

function row(name) {
  const schema = known[name];
  const id = `option-${name}`;
  const about = canSay(`about_${name}`) ? say(`about_${name}`) : schema.description;
  const field = control(name, schema);
  Object.assign(field, { id, name });
  field.setAttribute("aria-describedby", `${id}-about`);
  const label = element("label", { htmlFor: id }, canSay(`option_${name}`) ? say(`option_${name}`) : name, " ");
  label.append(element("code", { textContent: name }));
  return element("div", { className: "field" }, label, field, element("p", { id: `${id}-about`, className: "quiet", textContent: about }));
}

function control(name, schema) {
  const standard = DEFAULTS[name] ?? schema.default;
  const values = valuesOf(schema);
  const value = name === "password" ? password : (chosen[name] ?? "");
  if (values) {
    const list = element("select", {}, element("option", { value: "", textContent: say("by_default", spoken(standard)) }));
    for (const one of values) list.append(element("option", { value: String(one), textContent: spoken(one) }));
    list.value = String(value);
    return list;
  }
  const field = element("input", { type: "text", autocomplete: "off", spellcheck: false });
  if (schema.type === "integer" || schema.type === "number") {
    const { minimum, maximum } = schema;
    Object.assign(field, { type: "number", min: minimum, max: maximum, step: schema.type === "integer" ? 1 : "any" });
  }
  if (name === "password") Object.assign(field, { type: "password", autocomplete: "new-password", maxLength: 128 });
  if (standard !== null && standard !== undefined) field.placeholder = say("by_default", standard);
  field.value = value;
  return field;
}

function spoken(value) {
  return canSay(`value_${value}`) ? say(`value_${value}`) : String(value);
}
