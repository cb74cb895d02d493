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

const KINDS = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array };
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

/** Values of a column in one stage: its own where it has one for each, else the same in all. */
export function values(column, stage) {
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
  if (!Number.isFinite(value)) return "";
  return `${short(value)}${column.unit ? ` ${column.unit}` : ""}`;
}

/** A number in four digits, a whole one in all of its own. */
export function short(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** The k nearest rows of a row in "z" or "h", nearest first. */
export function neighbors(space, row) {
  const all = array(`near-${space}`);
  return all ? Array.from(all.subarray(row * about.k, (row + 1) * about.k)) : [];
}

/** What a row is called: the position of its image in the data set. */
export function nameOf(row) {
  return String(array("index")[row]);
}

export { about };
