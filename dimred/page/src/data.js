// What the page is about, as document.py wrote it: JSON in #about, arrays as base64 beside it.

const about = JSON.parse(document.getElementById("about").textContent);

function bytes(id) {
  const text = document.getElementById(id).textContent;
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

const KINDS = { f4: Float32Array, i1: Int8Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };
const known = new Map();

/** A typed array by name; null where the page has none. Decoded on first use. */
export function array(name) {
  if (!known.has(name)) {
    const Kind = KINDS[about.arrays[name]];
    const raw = Kind && bytes(`array-${name}`);
    known.set(name, raw ? new Kind(raw.buffer, 0, raw.length / Kind.BYTES_PER_ELEMENT) : null);
  }
  return known.get(name);
}

/** Number of the last stage, whose map is the result. */
export const LAST = about.stages.length - 1;

const all = about.columns;
for (const column of all) column.plain = column.name === "plain"; // tells no rows apart
const ONE_COLOR = { name: "plain", title: "one color", kind: "category", names: [""], plain: true };

/** What points can be colored by; in one color always. */
export const columns = all.some(({ plain }) => plain) ? all : [...all, ONE_COLOR];

// What a map is not opened in: it says more of the training than of the images.
const OF_TRAINING = ["loss", "split", "class_split", "index"];
export const firstColumn = columns.find(({ name }) => !OF_TRAINING.includes(name));

/** What a row is of: train or test, and whether its class was learned from; "" where all are one. */
export function sideOf(row) {
  const said = (name) => {
    const column = all.find((one) => one.name === name);
    return column ? told(column, row, 0) : "";
  };
  const seen = said("class_split");
  return [said("split"), seen && `${seen} class`].filter(Boolean).join(", ");
}

let unseen = null;

/** Whether the images of a class were not learned from, for the column of classes. */
export function isUnseen(column, code) {
  if (column.name !== "class" || !all.some(({ name }) => name === "class_split")) return false;
  if (!unseen) {
    const [classes, seen] = [column, all.find(({ name }) => name === "class_split")].map((one) => values(one, 0));
    unseen = new Set(classes.filter((_, row) => seen[row] === 1));
  }
  return unseen.has(code);
}

/** The categories to describe a group of rows by: that of `shown` first, then classes, islands. */
export function describing(shown) {
  const named = ["class", "cluster"].map((name) => all.find((column) => column.name === name));
  const fit = [shown, ...named, ...all].filter((one) => one?.kind === "category" && !one.plain);
  return [...new Set(fit)];
}

/** Values of a column in one stage: its own where it has one for each, else the same in all. */
export function values(column, stage) {
  if (column.plain) return new Uint16Array(about.n);
  return array(column.staged ? `${column.array}-${stage}` : column.array);
}

/** What a column says of a row, as text in full; "" where it is not known. */
export function exact(column, row, stage) {
  const value = values(column, stage)[row];
  if (column.kind === "category") return column.names[value];
  return Number.isFinite(value) ? String(Number(value.toPrecision(8))) : ""; // of a float32
}

/** The same to be read: rounded, and with its unit. */
export function told(column, row, stage) {
  if (column.kind === "category") return exact(column, row, stage);
  const value = values(column, stage)[row];
  return Number.isFinite(value) ? withUnit(column, value) : "";
}

/** A number of a column to be read, with its unit. */
export function withUnit(column, value) {
  return `${short(value)}${column.unit ? ` ${column.unit}` : ""}`;
}

/** A number in four digits, a whole one in all of its own. */
export function short(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

// Images that `embed` placed on the map have the numbers after its rows.
const placed = about.placed ?? null;

/** How many images were placed on the map afterwards. */
export const placedCount = placed ? placed.n : 0;

/** What is known of an image that was placed afterwards; null for a row of the map. */
export function placedOf(row) {
  const i = row - about.n;
  if (i < 0) return null;
  const one = (list) => placed[list]?.[i];
  return {
    name: one("names") ?? "",
    vote: one("votes") ?? "",
    share: one("shares"),
    far: Boolean(one("far")),
    set: one("sets") ?? "",
  };
}

/** The nearest rows of a row in "z" or "h", nearest first. */
export function neighbors(space, row) {
  const isPlaced = row >= about.n;
  const all = array(isPlaced ? `placed-near-${space}` : `near-${space}`);
  if (!all) return [];
  const [k, i] = isPlaced ? [all.length / placedCount, row - about.n] : [about.k, row];
  return Array.from(all.subarray(i * k, (i + 1) * k));
}

/** What a row is called: the position of its image in the data set. */
export function nameOf(row) {
  return placedOf(row)?.name ?? String(array("index")[row]);
}

/**
 * Where the file of a row is; null where that is not known, and for a file that has changed. The
 * number of a page in it, as in "scan.tif[3]", is no part of its name.
 */
export function fileOf(row) {
  if (!about.files || !about.sources || row >= about.n || isAbsent(row)) return null;
  const file = about.sources[row].replace(/\[\d+\]$/, "");
  return about.files.base + file.split("/").map(encodeURIComponent).join("/");
}

/** Whether the file of a row is known to be gone, or to be another than it was. */
export function isAbsent(row) {
  return about.files?.absent.includes(row) ?? false;
}

/** "12 image(s)" with the right number. */
export function images(count) {
  return `${count.toLocaleString("en")} image${count === 1 ? "" : "s"}`;
}

/** One line on a row: its index and class, or its file where it has no class. */
export function title(row) {
  if (row >= about.n) return nameOf(row);
  const label = all.find((column) => column.name === "class");
  if (label) return `${nameOf(row)}: ${told(label, row, 0)}`;
  return about.sources ? about.sources[row] : nameOf(row);
}

export { about };
