// The images of the map: thumbnails in sheets, decoded when first seen.

import { about, array } from "./data.js";
import { byId, element } from "./dom.js";

const { width, height, cell, columns, perSheet, folder, beside } = about.atlas;
const KEPT = 24; // decoded sheets, 4 MiB each; more where a picture shows more
const RETRY = 5_000; // milliseconds, after which a sheet that failed is read again when it is seen
const FEW_PIXELS = 40; // along the longer side; larger ones are photographs, shown smooth

const decoded = new Map(); // number -> { image, used }, the least recently used first
const waiting = new Map(); // number -> Promise
const failed = new Set(); // numbers of sheets that could not be read
let pictures = 0; // drawn of the map
let ofFiles = null; // what is said where nothing has failed

/** Dispatches "sheet" when more images can be drawn. */
export const events = new EventTarget();

/** A picture of the map is begun: what it shows is kept at least until the next. */
export function beginPicture() {
  pictures++;
}

/** Decode a sheet unless it is; resolves when it can be drawn. */
function load(number) {
  if (!waiting.has(number)) {
    const element = document.getElementById(`sheet-${number}`);
    const isRead = folder || document.readyState !== "loading" || element?.nextSibling;
    if (!isRead) {
      // The end of a large page is still being read, and of a sheet perhaps its first part is there.
      const later = new Promise((done) =>
        document.addEventListener("DOMContentLoaded", done, { once: true }),
      );
      waiting.set(number, later.then(() => decode(number)));
    } else {
      waiting.set(number, decode(number));
    }
  }
  return waiting.get(number);
}

/** Say whether sheets are not where they belong: beside the page. */
function sayMissing() {
  const note = byId("missing");
  ofFiles ??= note.textContent;
  const text = `Images are missing: the folder ${beside}, which belongs beside this page, is not there or lacks files. They are shown as squares.`;
  note.textContent = [ofFiles, failed.size ? text : ""].filter(Boolean).join(" ");
  note.hidden = !note.textContent;
}

async function decode(number) {
  const image = new Image();
  image.src = folder
    ? `${folder}${number}.webp`
    : `data:image/webp;base64,${document.getElementById(`sheet-${number}`).textContent}`;
  try {
    await image.decode();
  } catch {
    if (!folder) return; // its images stay plain squares
    failed.add(number);
    sayMissing();
    setTimeout(() => waiting.delete(number), RETRY);
    return;
  }
  if (failed.delete(number)) sayMissing();
  decoded.set(number, { image, used: pictures });
  const [[oldest, { used }]] = decoded;
  if (decoded.size > KEPT && used < pictures) {
    decoded.delete(oldest);
    waiting.delete(oldest);
  }
  events.dispatchEvent(new Event("sheet"));
}

const sizes = array("size");

/** Width and height of a row's thumbnail in pixels. */
export function pixelsOf(row) {
  return sizes ? [sizes[2 * row] || 1, sizes[2 * row + 1] || 1] : [width, height];
}

/** Width and height of a row's image when its longer side is `side`. */
export function fitted(row, side) {
  const [w, h] = pixelsOf(row);
  const scale = side / Math.max(w, h);
  return [w * scale, h * scale];
}

/** Draw a row's image into a rectangle; returns whether it could be, else it is being decoded. */
export function draw(context, row, x, y, w, h) {
  const slot = array("slot")[row];
  const number = Math.floor(slot / perSheet);
  const sheet = decoded.get(number);
  if (!sheet) {
    load(number);
    return false;
  }
  if (sheet.used < pictures) {
    decoded.delete(number);
    decoded.set(number, { image: sheet.image, used: pictures });
  }
  const place = slot % perSheet;
  const left = (place % columns) * cell;
  const top = Math.floor(place / columns) * cell;
  const [ownWidth, ownHeight] = pixelsOf(row);
  context.imageSmoothingEnabled = w < ownWidth || Math.max(ownWidth, ownHeight) > FEW_PIXELS;
  context.drawImage(sheet.image, left, top, ownWidth, ownHeight, x, y, w, h);
  return true;
}

/** A canvas with a row's image, `side` CSS pixels at its longer side, drawn as soon as it can be. */
export function picture(row, side) {
  const [ownWidth, ownHeight] = pixelsOf(row);
  const canvas = element("canvas", { width: ownWidth, height: ownHeight, className: "picture" });
  const [w, h] = fitted(row, side);
  canvas.style.width = `${w}px`;
  canvas.style.aspectRatio = `${w} / ${h}`;
  if (Math.max(ownWidth, ownHeight) > FEW_PIXELS) canvas.classList.add("smooth");
  const context = canvas.getContext("2d");
  const number = Math.floor(array("slot")[row] / perSheet);
  const whole = () => draw(context, row, 0, 0, ownWidth, ownHeight);
  if (!whole()) load(number).then(whole);
  return canvas;
}
