// What lies over the picture: a box per line, its text if wanted, and the region that is being drawn.

import { breathe, byId, drawn, onPointer, toast } from "./dom.js";
import { explain } from "./faults.js";
import { say } from "./language.js";
import { library } from "./library.js";
import { copyLine, levelOf } from "./lines.js";
import { readRegion } from "./reading.js";
import { pointOnPage, reveal, wasDragged } from "./viewer.js";

const LEAST_REGION = 8; // pixels of the page
const AT_ONCE = 500; // boxes that are drawn before the browser gets a turn

let polygons = [];
let active = -1;
let found = new Set();
let isDrawing = false;

/** Return whether drags draw a region. */
export function drawsRegion() {
  return isDrawing;
}

/** Connect the layer with the list of lines and the buttons. */
export function startBoxes() {
  const layer = byId("boxes");
  const indexOf = (event) => (event.target.dataset?.index === undefined ? -1 : Number(event.target.dataset.index));
  onPointer(byId("canvas"), (event) => {
    const index = indexOf(event);
    if (!isDrawing && index >= 0 && index !== active) library.say("active", { index, from: "picture" });
  });
  layer.addEventListener("click", (event) => {
    const index = indexOf(event);
    if (index >= 0 && !isDrawing && !wasDragged()) void copyLine(index);
  });
  library.on("shown", () => {
    active = -1;
    found = new Set();
    draw();
  });
  library.on("text", draw);
  library.on("active", ({ index, from }) => {
    polygons[active]?.classList.remove("active");
    active = index;
    polygons[active]?.classList.add("active");
    const line = library.page?.lines[index]; // its box may not have been drawn yet
    if (line && from !== "picture") reveal(line.box);
  });
  library.on("found", ({ indices }) => {
    found = indices;
    polygons.forEach((polygon, index) => polygon.classList.toggle("found", found.has(index)));
  });
  byId("overlay").addEventListener("click", ({ target }) => {
    target.setAttribute("aria-pressed", target.getAttribute("aria-pressed") !== "true");
    draw();
  });
  startRegion(byId("region"), byId("canvas"), layer);
}

function draw() {
  const layer = byId("boxes");
  const { page } = library;
  polygons = [];
  if (!page) {
    layer.replaceChildren();
    return;
  }
  const { width, height } = page.data;
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${width} ${height}`, width, height })) {
    layer.setAttribute(name, value);
  }
  const withText = byId("overlay").getAttribute("aria-pressed") === "true";
  layer.classList.toggle("with-text", withText);
  const [x, y, w, h] = page.region ?? [];
  layer.replaceChildren(...(page.region ? [drawn("rect", { x, y, width: w, height: h, class: "region" })] : []));
  void drawLines(layer, page.lines, polygons, withText);
}

async function drawLines(layer, lines, boxes, withText) {
  for (let from = 0; from < lines.length; from += AT_ONCE) {
    if (from) await breathe();
    if (boxes !== polygons) return; // something else is drawn meanwhile
    const some = lines.slice(from, from + AT_ONCE);
    boxes.push(...some.map((line, at) => boxOf(line, from + at)));
    layer.append(...boxes.slice(from), ...(withText ? some.map(textOver) : []));
  }
}

function boxOf(line, index) {
  const polygon = drawn("polygon", { points: line.box.join(" "), class: levelOf(line.confidence) });
  polygon.dataset.index = index;
  polygon.classList.toggle("active", index === active);
  polygon.classList.toggle("found", found.has(index));
  return polygon;
}

/** Return the text of a line as large as it is on the picture, and at its angle. */
function textOver(line) {
  const [origin, right, , below] = line.box;
  const along = Math.hypot(right[0] - origin[0], right[1] - origin[1]) || 1;
  const across = Math.hypot(below[0] - origin[0], below[1] - origin[1]) || 1;
  const angle = (Math.atan2(right[1] - origin[1], right[0] - origin[0]) * 180) / Math.PI;
  const isVertical = across > 1.5 * along && [...line.text].length > 1;
  const text = drawn("text", {
    transform: `translate(${origin.join(" ")}) rotate(${angle.toFixed(2)})`,
    x: isVertical ? along / 2 : 0,
    y: isVertical ? 0 : across * 0.78,
    "font-size": (isVertical ? along : across) * 0.78,
    textLength: isVertical ? across : along,
    lengthAdjust: "spacingAndGlyphs",
    "unicode-bidi": "plaintext", // Arabic and Hebrew begin at the right
    class: isVertical ? "vertical" : "",
  });
  text.textContent = line.text;
  return text;
}

function startRegion(button, canvas, layer) {
  let reading = new AbortController(); // of the latest region, which takes the place of one that is still being read
  let pen = null; // the pointer that draws, where it began, and the rectangle
  const setDrawing = (isOn) => {
    isDrawing = isOn;
    button.setAttribute("aria-pressed", isOn);
    canvas.classList.toggle("drawing", isOn);
    pen?.frame.remove();
    pen = null;
    if (isOn) toast(say("region_hint"));
  };
  const rectangle = (event) => {
    const { width, height } = library.page.data;
    const point = pointOnPage(event);
    const within = (value, most) => Math.round(Math.max(0, Math.min(most, value)));
    const [x1, x2] = [within(pen.start.x, width), within(point.x, width)].sort((one, other) => one - other);
    const [y1, y2] = [within(pen.start.y, height), within(point.y, height)].sort((one, other) => one - other);
    return [x1, y1, x2 - x1, y2 - y1];
  };
  button.addEventListener("click", () => setDrawing(!isDrawing && Boolean(library.page?.data.width)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isDrawing) setDrawing(false);
  });
  library.on("shown", () => isDrawing && setDrawing(false));
  canvas.addEventListener("pointerdown", (event) => {
    if (!isDrawing || pen || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pen = { id: event.pointerId, start: pointOnPage(event), frame: drawn("rect", { class: "region" }) };
    layer.append(pen.frame);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen?.id) return;
    const [x, y, width, height] = rectangle(event);
    for (const [name, value] of Object.entries({ x, y, width, height })) pen.frame.setAttribute(name, value);
  });
  canvas.addEventListener("pointercancel", (event) => event.pointerId === pen?.id && setDrawing(false));
  canvas.addEventListener("pointerup", async (event) => {
    if (event.pointerId !== pen?.id) return;
    const region = rectangle(event);
    setDrawing(false);
    if (region[2] < LEAST_REGION || region[3] < LEAST_REGION) return;
    reading.abort();
    reading = new AbortController();
    const { signal } = reading;
    try {
      canvas.classList.add("waiting");
      await readRegion(region, signal);
    } catch (fault) {
      if (!signal.aborted) toast(explain(fault).what);
    } finally {
      if (!signal.aborted) canvas.classList.remove("waiting");
    }
  });
  byId("whole").querySelector("button").addEventListener("click", () => library.replace(library.page.whole));
  library.on("lost", (lines) => toast(say("lost", lines)));
}
