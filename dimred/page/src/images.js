// The images of the map: thumbnails in sheets, decoded when first seen.

import { about, array } from "./data.js";

const { width, height, cell, columns, perSheet } = about.atlas;
const KEPT = 24; // decoded sheets, 4 MiB each; more where a picture shows more

const decoded = new Map(); // number -> { image, used }, the least recently used first
const waiting = new Map(); // number -> Promise
let pictures = 0; // drawn of the map

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
    if (!element) {
      // The end of a large page is still being read.
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

async function decode(number) {
  const image = new Image();
  image.src = `data:image/webp;base64,${document.getElementById(`sheet-${number}`).textContent}`;
  try {
    await image.decode();
  } catch {
    return; // its images stay plain squares
  }
  decoded.set(number, { image, used: pictures });
  const [[oldest, { used }]] = decoded;
  if (decoded.size > KEPT && used < pictures) {
    decoded.delete(oldest);
    waiting.delete(oldest);
  }
  events.dispatchEvent(new Event("sheet"));
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
  context.imageSmoothingEnabled = w < width;
  context.drawImage(sheet.image, left, top, width, height, x, y, w, h);
  return true;
}

/** A canvas with a row's image, `side` CSS pixels at its longer side, drawn as soon as it can be. */
export function picture(row, side) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const scale = side / Math.max(width, height);
  canvas.style.width = `${width * scale}px`;
  canvas.style.height = `${height * scale}px`;
  const context = canvas.getContext("2d");
  const number = Math.floor(array("slot")[row] / perSheet);
  if (!draw(context, row, 0, 0, width, height)) {
    load(number).then(() => draw(context, row, 0, 0, width, height));
  }
  return canvas;
}

export const aspect = width / height;
