// What lies over the points: images in place of points when zoomed in, lines to neighbors, rings
// around marks, the outline of a selection.

import { neighbors } from "./data.js";
import { aspect, beginPicture, draw, events } from "./images.js";
import { DIM, HIDDEN } from "./cloud.js";

const MAX_IMAGES = 700; // at a time
const LEAST_SIDE = 22; // pixels; below, points tell more than images
const MAX_SIDE = 88;
const LEAST_ZOOM = 1.2; // the whole map is shown in points, be they few
const COVERED = 0.55; // share of the view that images may cover

export class Overlay {
  /** canvas: over that of `scene`. state: of the page. frameColor(row): CSS of a point's color. */
  constructor(canvas, scene, state, frameColor) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.scene = scene;
    this.state = state;
    this.frameColor = frameColor;
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
    if (state.thumbnails && scene.camera.zoom >= LEAST_ZOOM) {
      scene.seen((row, x, y, depth) => {
        shown++;
        if (shown <= MAX_IMAGES) found.push([row, x, y, depth]);
      });
    }
    const room = (scene.width * scene.height * COVERED) / Math.max(shown, 1);
    const side = Math.min(Math.sqrt(room), MAX_SIDE);
    const fits = shown > 0 && shown <= MAX_IMAGES && side >= LEAST_SIDE;
    this.side = fits ? side : 0;
    this.images = fits ? found : [];
    if (scene.solid) this.images.sort((a, b) => b[3] - a[3]);
    scene.cloud.fade = fits ? 0 : 1;
  }

  /** Choose again and draw: what is shown has changed. */
  refresh() {
    this.#choose();
    this.scene.draw();
  }

  /** Width and height of the images in the map. */
  get size() {
    return aspect > 1 ? [this.side, this.side / aspect] : [this.side * aspect, this.side];
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
    if (state.pinned !== null && scene.states[state.pinned] !== HIDDEN) this.#drawNeighbors();
    this.#drawMarks();
    if (state.outline.length) this.#drawOutline();
  }

  #drawImages() {
    const { context, scene } = this;
    const [w, h] = this.size;
    beginPicture();
    context.lineWidth = this.side > 30 ? 2 : 1;
    for (const [row, x, y] of this.images) {
      const [left, top] = [x - w / 2, y - h / 2];
      context.globalAlpha = scene.states[row] === DIM ? 0.25 : 1;
      context.strokeStyle = this.frameColor(row);
      if (!draw(context, row, left, top, w, h)) {
        context.fillStyle = this.frameColor(row);
        context.fillRect(left + w / 4, top + h / 4, w / 2, h / 2);
      }
      context.strokeRect(left, top, w, h);
    }
    context.globalAlpha = 1;
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
