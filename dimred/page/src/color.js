// Colors of points by category or number, readable on light and dark.

const LIGHT = "#ffffff";
const DARK = "#16181d";

// Viridis and, for what goes round, a ring through it and back, at equal steps.
const RISING = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];
const ROUND = ["#5b2a9b", "#0072b2", "#009e73", "#a3b61a", "#e69f00", "#d55e00", "#c2459b", "#5b2a9b"];
const UNKNOWN = [0.55, 0.55, 0.55];

export function background(dark) {
  return dark ? DARK : LIGHT;
}

function parts(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
}

function luminance([r, g, b]) {
  return 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2;
}

/** A color that is seen on the background: lighter on dark, darker on light, where it has to be. */
function visible(color, dark) {
  let mixed = color;
  while (dark && luminance(mixed) < 0.12) mixed = mixed.map((part) => part + (1 - part) * 0.15);
  while (!dark && luminance(mixed) > 0.65) mixed = mixed.map((part) => part * 0.95);
  return mixed;
}

/** Of a category: the palette's, or hues apart where it has too few; gray for rows without one. */
export function categoryColor(column, code, palette, dark) {
  if (code === 0 && column.name !== "class" && column.names[0] === "none") return UNKNOWN;
  const count = column.names.length;
  if (count <= palette.length) return visible(parts(palette[code]), dark);
  const hue = (code * 0.618034) % 1;
  const light = 0.4 + 0.2 * (code % 3);
  return visible(fromHue(hue, 0.75, light), dark);
}

function fromHue(h, s, l) {
  const a = s * Math.min(l, 1 - l);
  return [0, 8, 4].map((n) => {
    const k = (n + h * 12) % 12;
    return l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  });
}

function along(scale, share) {
  const place = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
  const i = Math.min(Math.floor(place), scale.length - 2);
  const [from, to] = [parts(scale[i]), parts(scale[i + 1])];
  return from.map((part, n) => part + (to[n] - part) * (place - i));
}

/** Least and greatest of the finite values; a period goes from 0 to its end. */
export function range(column, numbers) {
  if (column.period) return [0, column.period];
  const finite = Array.from(numbers).filter(Number.isFinite).sort((a, b) => a - b);
  if (!finite.length) return [0, 1];
  // The ends of a loss are far out: the scale ends where all but 1 % are within.
  const cut = column.skewed ? Math.floor(finite.length * 0.01) : 0;
  return [finite[cut], finite[finite.length - 1 - cut]];
}

/** Colors (3 n,) of all rows by a column; gray where its value is not known. */
export function tints(column, numbers, palette, dark) {
  const out = new Float32Array(3 * numbers.length);
  if (column.kind === "category") {
    const colors = column.names.map((_, code) => categoryColor(column, code, palette, dark));
    numbers.forEach((code, row) => out.set(colors[code], 3 * row));
    return out;
  }
  const [low, high] = range(column, numbers);
  const scale = column.period ? ROUND : RISING;
  numbers.forEach((value, row) => {
    const turned = column.period ? ((value % high) + high) % high : value;
    const share = high > low ? (turned - low) / (high - low) : 0.5;
    const color = Number.isFinite(value) ? visible(along(scale, share), dark) : UNKNOWN;
    out.set(color, 3 * row);
  });
  return out;
}

/** The colors of a scale from its low to its high end, as CSS. */
export function gradient(column, dark) {
  const stops = Array.from({ length: 12 }, (_, i) =>
    css(visible(along(column.period ? ROUND : RISING, i / 11), dark)),
  );
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

export function css(color) {
  return `rgb(${color.map((part) => Math.round(part * 255)).join(" ")})`;
}
