// The picture: zoomed, moved and turned by wheel, fingers, keys and buttons.

import { byId, oncePerFrame } from "./dom.js";
import { onLanguage, percentage, say } from "./language.js";
import { library } from "./library.js";

const LEAST = 0.02;
const MOST = 16;
const STEP = 1.25;
const KEY_PIXELS = 60;
const MARGIN = 12; // pixels around a page that fits
const LARGEST_FIT = 3; // a small picture is not blown up further than this
const CLICK_PIXELS = 4; // a pointer that moves less has clicked
const LEAST_SHOWN = 48; // pixels of the page that stay in the frame, however far it is moved

let scale = 1;
let left = 0;
let top_ = 0;
let isFitting = true;
let shownPage = null;
let hasMoved = false;
const pointers = new Map();

/** Return the point of the page under a point of the window. */
export function pointOnPage(event) {
  const frame = byId("canvas").getBoundingClientRect();
  return matrix().inverse().transformPoint(new DOMPoint(event.clientX - frame.left, event.clientY - frame.top));
}

/** Return whether the pointer that is released now has moved the picture, and so has not clicked. */
export function wasDragged() {
  return hasMoved;
}

/** Move the picture so that a box of the page can be seen, unless it can. */
export function reveal(box) {
  const canvas = byId("canvas");
  const corners = box.map(([x, y]) => matrix().transformPoint(new DOMPoint(x, y)));
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const x = middle(corners.map((corner) => corner.x));
  const y = middle(corners.map((corner) => corner.y));
  if (x >= 0 && y >= 0 && x <= canvas.clientWidth && y <= canvas.clientHeight) return;
  left += canvas.clientWidth / 2 - x;
  top_ += canvas.clientHeight / 2 - y;
  isFitting = false;
  place();
}

/** Connect the picture's frame and buttons. `isDrawing` says whether drags draw a region instead. */
export function startViewer(isDrawing) {
  const canvas = byId("canvas");
  byId("zoom-in").addEventListener("click", () => zoom(STEP));
  byId("zoom-out").addEventListener("click", () => zoom(1 / STEP));
  byId("fit").addEventListener("click", fit);
  byId("turn").addEventListener("click", () => {
    if (!shownPage) return;
    const quarters = (shownPage.quarters + 1) % 4;
    for (const page of [shownPage, shownPage.whole]) if (page) page.quarters = quarters;
    fit();
  });
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("keydown", onKey);
  startPointers(canvas, isDrawing);
  new ResizeObserver(oncePerFrame(() => (isFitting ? fit() : place()))).observe(canvas);
  library.on("shown", show);
  onLanguage(() => {
    place();
    explainMissing();
  });
}

function show() {
  const { page } = library;
  const isSamePlace = page !== null && shownPage !== null && (page.whole ?? page) === (shownPage.whole ?? shownPage);
  const picture = byId("picture");
  shownPage = page;
  if ((picture.getAttribute("src") ?? "") !== (page?.picture ?? "")) {
    if (page?.picture) picture.src = page.picture;
    else picture.removeAttribute("src");
  }
  picture.alt = page ? say("page_of", library.index + 1, library.file.name) : "";
  byId("sheet").hidden = !page?.data.width;
  explainMissing();
  if (!page) return;
  picture.width = page.data.width;
  picture.height = page.data.height;
  if (!isSamePlace) fit();
}

function explainMissing() {
  const missing = byId("no-picture");
  missing.hidden = Boolean(shownPage?.picture) || !shownPage;
  missing.textContent = say("no_picture");
}

function matrix() {
  const { width, height } = shownPage?.data ?? { width: 1, height: 1 };
  const placed = new DOMMatrix().translate(left, top_).scale(scale);
  switch (shownPage?.quarters) {
    case 1:
      return placed.translate(height, 0).rotate(90);
    case 2:
      return placed.translate(width, height).rotate(180);
    case 3:
      return placed.translate(0, width).rotate(270);
    default:
      return placed;
  }
}

/** The size of the page as it is turned. */
function turnedSize() {
  const { width, height } = shownPage.data;
  return shownPage.quarters % 2 ? [height, width] : [width, height];
}

function place() {
  const { clientWidth, clientHeight } = byId("canvas");
  if (!shownPage || !clientWidth) return;
  const [width, height] = turnedSize();
  left = Math.max(LEAST_SHOWN - width * scale, Math.min(clientWidth - LEAST_SHOWN, left));
  top_ = Math.max(LEAST_SHOWN - height * scale, Math.min(clientHeight - LEAST_SHOWN, top_));
  byId("sheet").style.transform = matrix().toString();
  byId("zoom").textContent = percentage(scale);
}

function fit() {
  const canvas = byId("canvas");
  if (!shownPage?.data.width || !canvas.clientWidth) return;
  const [width, height] = turnedSize();
  const room = [canvas.clientWidth - 2 * MARGIN, canvas.clientHeight - 2 * MARGIN];
  scale = Math.max(LEAST, Math.min(room[0] / width, room[1] / height, LARGEST_FIT));
  left = (canvas.clientWidth - width * scale) / 2;
  top_ = (canvas.clientHeight - height * scale) / 2;
  isFitting = true;
  place();
}

/** Zoom around a point of the frame; without one, around its middle. */
function zoom(factor, x = byId("canvas").clientWidth / 2, y = byId("canvas").clientHeight / 2) {
  const next = Math.max(LEAST, Math.min(MOST, scale * factor));
  left = x - ((x - left) * next) / scale;
  top_ = y - ((y - top_) * next) / scale;
  scale = next;
  isFitting = false;
  place();
}

function move(x, y) {
  left += x;
  top_ += y;
  isFitting = false;
  place();
}

function onWheel(event) {
  event.preventDefault();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
  if (event.shiftKey) {
    move(-(event.deltaX || event.deltaY) * lines, 0);
    return;
  }
  const frame = byId("canvas").getBoundingClientRect();
  const speed = event.ctrlKey ? 0.01 : 0.002; // browsers send what two fingers do on a touchpad as small steps with Ctrl
  zoom(Math.exp(-event.deltaY * lines * speed), event.clientX - frame.left, event.clientY - frame.top);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  if (event.key in moves) move(...moves[event.key].map((way) => way * KEY_PIXELS));
  else if (event.key === "+" || event.key === "=") zoom(STEP);
  else if (event.key === "-") zoom(1 / STEP);
  else if (event.key === "0") fit();
  else return;
  event.preventDefault();
}

function startPointers(canvas, isDrawing) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.isPrimary) {
      pointers.clear();
      hasMoved = false;
    }
    if (event.button === 0 && !isDrawing()) pointers.set(event.pointerId, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) pointers.delete(event.pointerId); // it was released outside of the frame
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const far = Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY) >= CLICK_PIXELS;
    if (!hasMoved && !far) return;
    if (!hasMoved) canvas.setPointerCapture(event.pointerId);
    hasMoved = true;
    if (pointers.size === 2) pinch(before, event, canvas.getBoundingClientRect());
    else move(event.clientX - before.clientX, event.clientY - before.clientY);
    pointers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
}

/** Zoom by as much as two fingers have moved apart, and move with the point between them. */
function pinch(before, after, frame) {
  const [other] = [...pointers.values()].filter((pointer) => pointer.pointerId !== after.pointerId);
  const distance = (event) => Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY) || 1;
  const x = (after.clientX + other.clientX) / 2 - frame.left;
  const y = (after.clientY + other.clientY) / 2 - frame.top;
  move((after.clientX - before.clientX) / 2, (after.clientY - before.clientY) / 2);
  zoom(distance(after) / distance(before), x, y);
}
