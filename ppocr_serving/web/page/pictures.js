// Which pictures the browser shows, and which it must convert before the server can read them.

import { element } from "./dom.js";
import { Fault } from "./server.js";

// By their first bytes: names and types are what somebody called them.
const SHOWN = /^(\x89PNG|\xff\xd8\xff|BM|RIFF.{4}WEBP)/s;
const CONVERTED = /^.{4}ftyp/s; // AVIF and HEIC
const LEAST_SIDE = 1200; // pixels: drawings have no size of their own

/**
 * Return a picture as it is, or as PNG or JPEG if only the browser can decode it.
 *
 * @param {File} file What was opened.
 * @returns {Promise<{file: File, isShown: boolean}>} What to send, and whether the browser shows it as the server sees
 *   it: pictures with a single page.
 */
export async function asReadable(file) {
  let start;
  try {
    start = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  } catch {
    throw new Fault("unreadable"); // it was moved, changed, or is a folder
  }
  const isDrawing = file.type === "image/svg+xml" || /\.svg$/i.test(file.name);
  const converted = isDrawing || CONVERTED.test(start) ? await convert(file, isDrawing) : null;
  return { file: converted ?? file, isShown: converted !== null || SHOWN.test(start) };
}

/** Return a picture as another file, or null if the browser cannot decode it; the server says what is wrong with it. */
async function convert(file, isDrawing) {
  const url = URL.createObjectURL(isDrawing ? new Blob([file], { type: "image/svg+xml" }) : file);
  const [type, ending] = isDrawing ? ["image/png", "png"] : ["image/jpeg", "jpg"]; // photos are large as PNG
  try {
    const picture = element("img", { src: url });
    await picture.decode();
    const { naturalWidth: width, naturalHeight: height } = picture;
    const scale = isDrawing ? Math.max(1, LEAST_SIDE / Math.max(width, 1)) : 1;
    const canvas = element("canvas", { width: width * scale || LEAST_SIDE, height: height * scale || LEAST_SIDE });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const made = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.95));
    return made && new File([made], `${file.name.replace(/\.[^.]*$/, "")}.${ending}`, { type });
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}
