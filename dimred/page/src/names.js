// Names of categories, written on the map where most of each lies: of the whole map's first, of
// parts of it as one zooms in.

import { about, values } from "./data.js";
import { HIDDEN } from "./cloud.js";

const MOST = 40; // names at a time
const NEAR = 1.6; // zoom from which parts of the map have names of their own
const LEVELS = 7; // at the last, the map is cut into 64 x 64 tiles
const CELLS = 24; // along the whole map, in search of the densest place
const CELLS_OF_TILE = 10;
const LEAST = 3; // images of a category in a tile to name it
const SHARE = 0.25; // of the images in the tile
const APART = 220; // pixels between two of the same name
const LONGEST = 26; // letters
const AT_ONCE = 5000; // points; of more, places for names are looked for when the map rests
const REST = 150; // milliseconds
const FONT = "600 13px system-ui, sans-serif";
const HEIGHT = 18;

/** What is written of a category; "" for none. */
function written(column, code) {
  const name = column.names[code];
  if (column.name === "cluster") return name === "none" ? "" : `${column.title} ${name}`;
  const letters = [...name];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : name;
}

/** The middle of the densest place of some rows, [x, y, z]. */
function densest(rows, positions, side) {
  const cells = new Map();
  const at = (row, i) => Math.floor(positions[3 * row + i] / side) + 1000;
  const key = (x, y, z) => (x * 2048 + y) * 2048 + z;
  for (const row of rows) {
    const own = key(at(row, 0), at(row, 1), at(row, 2));
    cells.set(own, (cells.get(own) ?? 0) + 1);
  }
  let best = null;
  let most = 0;
  for (const cell of cells.keys()) {
    let around = 0;
    for (const near of block(cell)) around += cells.get(near) ?? 0;
    if (around > most) [best, most] = [cell, around];
  }
  const within = new Set(block(best));
  const sum = [0, 0, 0];
  for (const row of rows) {
    if (!within.has(key(at(row, 0), at(row, 1), at(row, 2)))) continue;
    for (let i = 0; i < 3; i++) sum[i] += positions[3 * row + i] / most;
  }
  return sum;
}

function block(cell) {
  const flat = about.dims < 3;
  const found = [];
  for (let x = -1; x <= 1; x++) {
    for (let y = -1; y <= 1; y++) {
      for (let z = flat ? 0 : -1; z <= (flat ? 0 : 1); z++) {
        found.push(cell + (x * 2048 + y) * 2048 + z);
      }
    }
  }
  return found;
}

/** Where names may stand, heaviest first: [{ code, count, place }]. tiles: along each side. */
function anchorsOf(column, stage, scene, tiles) {
  const codes = values(column, stage);
  const { positions, states, n } = scene;
  const tile = (value) => Math.min(Math.max(Math.floor(((value + 1) / 2) * tiles), 0), tiles - 1);
  const sorted = new Float64Array(n);
  const crowd = new Uint32Array(tiles * tiles);
  let used = 0;
  for (let row = 0; row < n; row++) {
    if (states[row] === HIDDEN || !written(column, codes[row])) continue;
    const part = tile(positions[3 * row]) * tiles + tile(positions[3 * row + 1]);
    crowd[part]++;
    sorted[used++] = (codes[row] * tiles * tiles + part) * n + row;
  }
  const order = sorted.subarray(0, used).sort();
  const side = tiles === 1 ? 2 / CELLS : 2 / tiles / CELLS_OF_TILE;
  const found = [];
  for (let first = 0; first < used; ) {
    const group = Math.floor(order[first] / n);
    let end = first;
    while (end < used && Math.floor(order[end] / n) === group) end++;
    const count = end - first;
    if (tiles === 1 || count >= Math.max(LEAST, SHARE * crowd[group % (tiles * tiles)])) {
      const rows = Array.from(order.subarray(first, end), (key) => key - group * n);
      const place = densest(rows, positions, side);
      found.push({ code: Math.floor(group / tiles / tiles), count, place });
    }
    first = end;
  }
  return found.sort((a, b) => b.count - a.count);
}

export class Names {
  constructor(scene, state) {
    this.scene = scene;
    this.state = state;
    this.known = new Map(); // level -> anchors, of the column and stage that are shown
    this.latest = []; // anchors of the level shown before
    this.widths = new Map(); // text -> pixels
    this.shown = []; // { text, x, y, width, height }, the box around each name
    scene.addEventListener("placed", () => this.forget());
  }

  /** What is shown, or where, has changed. */
  forget() {
    this.known.clear();
    this.latest = [];
  }

  get #level() {
    const { scene } = this;
    const { zoom } = scene.camera;
    const isWhole = scene.solid || zoom < NEAR;
    return isWhole ? 0 : Math.min(Math.floor(Math.log2(zoom)) + 1, LEVELS - 1);
  }

  #anchors() {
    const level = this.#level;
    if (!this.known.has(level)) {
      if (this.scene.n > AT_ONCE) this.#findLater();
      else this.#find(level);
    }
    this.latest = this.known.get(level) ?? this.latest;
    return this.latest;
  }

  #find(level) {
    const { column, stage } = this.state;
    this.known.set(level, anchorsOf(column, stage, this.scene, 2 ** level));
  }

  #findLater() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.wanted) this.#find(this.#level);
      this.scene.draw();
    }, REST);
  }

  get wanted() {
    const { column, names } = this.state;
    const isSide = column.name === "split" || column.name === "class_split";
    const isNamed = column.kind === "category" && !column.plain && !isSide;
    return names && isNamed && this.scene.motion === null;
  }

  /** Choose the names that have room. takenBy(): a box that they may not touch. */
  choose(context, takenBy) {
    this.shown = [];
    if (!this.wanted) return;
    const { scene, state } = this;
    context.font = FONT;
    const boxes = [takenBy()];
    const nearby = new Map(); // code -> places
    const onScreen = scene.projection();
    for (const { code, place } of this.#anchors()) {
      if (this.shown.length === MOST) break;
      const [x, y] = onScreen(...place);
      if (x < 0 || y < 0 || x > scene.width || y > scene.height) continue;
      const own = nearby.get(code) ?? [];
      if (own.some(([ox, oy]) => Math.hypot(x - ox, y - oy) < APART)) continue;
      const box = this.#boxOf(context, written(state.column, code), x, y);
      if (boxes.some((other) => meet(box, other))) continue;
      boxes.push(box);
      this.shown.push({ ...box, code });
      nearby.set(code, [...own, [x, y]]);
    }
  }

  #boxOf(context, text, x, y) {
    if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width + 8);
    const width = this.widths.get(text);
    const { scene } = this;
    const left = Math.max(2, Math.min(x - width / 2, scene.width - width - 2));
    const top = Math.max(2, Math.min(y - HEIGHT / 2, scene.height - HEIGHT - 2));
    return { text, x: left, y: top, width, height: HEIGHT };
  }

  draw(context) {
    const { dark, highlight, column } = this.state;
    context.save(); // round joins would make the frames of images several times as slow
    context.font = FONT;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = dark ? "rgb(22 24 29 / 0.9)" : "rgb(255 255 255 / 0.9)";
    context.fillStyle = dark ? "#f2f4f8" : "#15171a";
    for (const { text, x, y, width, height, code } of this.shown) {
      const isDim = highlight && (highlight.column !== column || highlight.code !== code);
      context.globalAlpha = isDim ? 0.35 : 1;
      context.strokeText(text, x + width / 2, y + height / 2);
      context.fillText(text, x + width / 2, y + height / 2);
    }
    context.restore();
  }
}

function meet(a, b) {
  return (
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
  );
}
