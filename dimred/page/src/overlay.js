// What lies over the points: images in place of points where they have room, names, images that were
// placed afterwards, lines to neighbors, rings around marks, the outline of a selection.

import { LAST, about, neighbors, placedCount, placedOf } from "./data.js";
import { byId } from "./dom.js";
import { beginPicture, draw, events, fitted } from "./images.js";
import { DIM, HIDDEN } from "./cloud.js";
import { Names } from "./names.js";

const MAX_IMAGES = 700; // at a time
const LEAST_SIDE = 22; // pixels; below, points tell more than images
const MAX_SIDE = 88;
const NEAR_ZOOM = 1.2; // below, the whole map is seen: in images only where few lie over others
const COVERED = 0.55; // share of the view that images may cover
const FREE = 0.45; // share of the images of the whole map that lie in a place of their own

export class Overlay {
  /** canvas: over that of `scene`. state: of the page. frameColor(row): CSS of a point's color. */
  constructor(canvas, scene, state, frameColor) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.scene = scene;
    this.state = state;
    this.frameColor = frameColor;
    this.names = new Names(scene, state);
    this.images = []; // [row, x, y] in the order they are drawn
    this.side = 0; // of the images, 0 where points are shown
    scene.addEventListener("view", () => this.#choose());
    scene.addEventListener("frame", () => this.draw());
    events.addEventListener("sheet", () => scene.draw());
  }

  /** Whether images or points are shown, and which. */
  #choose() {
    const { scene, state } = this;
    const found = [];
    let shown = 0;
    const isNear = scene.camera.zoom >= NEAR_ZOOM;
    if (state.thumbnails && (isNear || scene.count <= MAX_IMAGES)) {
      scene.seen((row, x, y, depth) => {
        shown++;
        if (shown <= MAX_IMAGES) found.push([row, x, y, depth]);
      });
    }
    const room = (scene.width * scene.height * COVERED) / Math.max(shown, 1);
    let side = Math.min(Math.sqrt(room), MAX_SIDE);
    if (!isNear) side = sideApart(found, side);
    const fits = shown > 0 && shown <= MAX_IMAGES && side >= LEAST_SIDE;
    this.side = fits ? side : 0;
    this.images = fits ? found : [];
    if (scene.solid) this.images.sort((a, b) => b[3] - a[3]);
    scene.cloud.fade = fits ? 0 : 1;
  }

  /** Choose again and draw: what is shown has changed. */
  refresh() {
    this.names.forget();
    this.#choose();
    this.scene.draw();
  }

  /** Width and height of a row's image on the map. */
  sizeOf(row) {
    return fitted(row, this.side);
  }

  /** The images placed afterwards that are shown: on the map of the last stage. */
  get placedRows() {
    const { state, scene } = this;
    const isShown = state.placed && state.stage === LAST && scene.motion === null;
    return isShown ? Array.from({ length: placedCount }, (_, i) => about.n + i) : [];
  }

  draw() {
    const { scene, canvas, context, state } = this;
    const ratio = scene.renderer.getPixelRatio();
    const [width, height] = [scene.width * ratio, scene.height * ratio];
    if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height)) {
      canvas.width = Math.round(width);
      canvas.height = Math.round(height);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, scene.width, scene.height);
    // Chromium 156 without a GPU keeps the picture before if it is only cleared.
    context.fillStyle = "rgb(0 0 0 / 0.004)";
    context.fillRect(0, 0, 1, 1);
    this.#drawImages();
    const placed = this.placedRows;
    for (const row of placed) this.#drawPlaced(row);
    this.names.choose(context, () => this.#corner());
    this.names.draw(context);
    const isSeen = (row) => (row < about.n ? scene.states[row] !== HIDDEN : placed.includes(row));
    if (state.pinned !== null && isSeen(state.pinned)) this.#drawNeighbors();
    this.#drawMarks();
    if (state.outline.length) this.#drawOutline();
  }

  /** Where the buttons on the map are. */
  #corner() {
    const { offsetLeft: x, offsetTop: y, offsetWidth: width, offsetHeight: height } = byId("corner");
    return { x, y, width, height };
  }

  #drawImages() {
    const { context, scene } = this;
    beginPicture();
    context.lineWidth = this.side > 30 ? 2 : 1;
    for (const [row, x, y] of this.images) {
      context.globalAlpha = scene.states[row] === DIM ? 0.25 : 1;
      context.strokeStyle = context.fillStyle = this.frameColor(row);
      this.#drawImage(row, x, y);
    }
    context.globalAlpha = 1;
  }

  /** A framed image with its middle at a place; a small square until it is decoded. */
  #drawImage(row, x, y) {
    const { context } = this;
    const [w, h] = this.sizeOf(row);
    const [left, top] = [x - w / 2, y - h / 2];
    if (!draw(context, row, left, top, w, h)) {
      context.fillRect(left + w / 4, top + h / 4, w / 2, h / 2);
    }
    context.strokeRect(left, top, w, h);
  }

  /** A diamond, below its image where images are shown; hollow where it is far from everything. */
  #drawPlaced(row) {
    const { context, scene, state } = this;
    const [x, y] = scene.placeOf(row);
    if (x < -50 || y < -50 || x > scene.width + 50 || y > scene.height + 50) return;
    const [ink, paper] = state.dark ? ["#fff", "#16181d"] : ["#000", "#fff"];
    let below = 0;
    if (this.side) {
      context.lineWidth = 3;
      context.strokeStyle = context.fillStyle = ink;
      this.#drawImage(row, x, y);
      below = this.sizeOf(row)[1] / 2;
    }
    const reach = 7;
    context.beginPath();
    context.moveTo(x, y + below - reach);
    context.lineTo(x + reach, y + below);
    context.lineTo(x, y + below + reach);
    context.lineTo(x - reach, y + below);
    context.closePath();
    context.lineWidth = 5;
    context.strokeStyle = paper;
    context.stroke();
    context.lineWidth = 2;
    context.strokeStyle = ink;
    context.fillStyle = placedOf(row).far ? paper : ink;
    context.stroke();
    context.fill();
  }

  #ring(row, radius, color) {
    const { context } = this;
    const [x, y] = this.scene.placeOf(row);
    const reach = Math.max(radius, this.side * 0.62, this.scene.pointSize * 0.9 + 2);
    context.beginPath();
    context.arc(x, y, reach, 0, 2 * Math.PI);
    context.strokeStyle = this.state.dark ? "#000" : "#fff";
    context.lineWidth = 4;
    context.stroke();
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.stroke();
  }

  #drawNeighbors() {
    const { context, scene, state } = this;
    const from = scene.placeOf(state.pinned);
    for (const [space, color, dash] of [
      ["h", state.dark ? "#ffb057" : "#b35c00", [5, 4]],
      ["z", state.dark ? "#7db8ff" : "#0b57c2", []],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = 1.5;
      context.setLineDash(dash);
      for (const row of neighbors(space, state.pinned)) {
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...scene.placeOf(row));
        context.stroke();
      }
    }
    context.setLineDash([]);
    this.#ring(state.pinned, 10, state.dark ? "#fff" : "#000");
  }

  #drawMarks() {
    const color = this.state.dark ? "#ff7b7b" : "#c00000";
    for (const row of this.state.marked) this.#ring(row, 7, color);
    if (this.state.hovered !== null) {
      this.#ring(this.state.hovered, 8, this.state.dark ? "#fff" : "#333");
    }
  }

  #drawOutline() {
    const { context, state } = this;
    context.beginPath();
    for (const [x, y] of state.outline) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = "rgb(11 87 194 / 0.15)";
    context.strokeStyle = state.dark ? "#7db8ff" : "#0b57c2";
    context.lineWidth = 1.5;
    context.fill();
    context.stroke();
  }
}

/** The largest side, at most `most`, at which few images lie over others; 0 where none is readable. */
function sideApart(images, most) {
  for (let side = most; side >= LEAST_SIDE; side *= 0.85) {
    const cells = new Set(images.map(([, x, y]) => `${Math.floor(x / side)} ${Math.floor(y / side)}`));
    if (cells.size >= FREE * images.length) return side;
  }
  return 0;
}
