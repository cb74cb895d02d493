// The images of the map: thumbnails in sheets, decoded when first seen.

import { about, array } from "./data.js";

const { width, height, cell, columns, perSheet, sheets } = about.atlas;
const KEPT = 24; // decoded sheets, 4 MiB each

const decoded = new Map(); // number -> Image, the least recently used first
const waiting = new Map(); // number -> Promise

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
  await image.decode();
  decoded.set(number, image);
  if (decoded.size > KEPT) {
    const [oldest] = decoded.keys();
    decoded.delete(oldest);
    waiting.delete(oldest);
  }
}

/** Draw a row's image into a rectangle; returns whether it could be, else `later` is called once. */
export function draw(context, row, x, y, w, h, later) {
  const slot = array("slot")[row];
  const number = Math.floor(slot / perSheet);
  const sheet = decoded.get(number);
  if (!sheet) {
    const isNew = !waiting.has(number);
    const ready = load(number);
    if (later && isNew) ready.then(later);
    return false;
  }
  decoded.delete(number);
  decoded.set(number, sheet); // used last
  const place = slot % perSheet;
  const left = (place % columns) * cell;
  const top = Math.floor(place / columns) * cell;
  context.imageSmoothingEnabled = w < width;
  context.drawImage(sheet, left, top, width, height, x, y, w, h);
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
export const count = sheets;
