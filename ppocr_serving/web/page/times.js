// Where the time went, as a bar.

import { byId, element } from "./dom.js";
import { figure, say } from "./language.js";

// The server's stages by the beginnings of their names.
const STAGES = {
  picture: ["decode", "render"],
  finding: ["det_", "orient"],
  reading: ["crop", "rec_"],
  again: ["reread_"],
  direction: ["cls_"],
  other: [""],
};

/** Show the stages of a file; null shows nothing. */
export function showTimes(file) {
  const shown = byId("times");
  const sums = Object.fromEntries(Object.keys(STAGES).map((stage) => [stage, 0]));
  for (const [name, milliseconds] of Object.entries(file?.times ?? {})) {
    const stage = Object.keys(STAGES).find((one) => STAGES[one].some((start) => name.startsWith(start)));
    sums[stage] += milliseconds;
  }
  const used = Object.entries(sums).filter(([, milliseconds]) => milliseconds > 0);
  shown.hidden = used.length === 0;
  const bar = element("div", { className: "times" });
  bar.setAttribute("aria-hidden", "true");
  const legend = element("ul", {});
  for (const [stage, milliseconds] of used) {
    const part = element("span", { className: stage });
    part.style.flexGrow = milliseconds;
    bar.append(part);
    const text = `${say(`stage_${stage}`)} ${figure(milliseconds)} ms`;
    legend.append(element("li", { className: stage, textContent: text }));
  }
  shown.replaceChildren(bar, legend);
}
