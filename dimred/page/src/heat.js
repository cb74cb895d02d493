// What holds images at their places: how far they move where a square of them is hidden.

import { LAST, about, array } from "./data.js";
import { element } from "./dom.js";
import { picture } from "./images.js";

const CURTAIN = 0.65; // how much of the picture is covered, as on the sheets of `dimred locate`
// matplotlib's inferno, in equal steps.
const COLORS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];

/** Whether there is heat of a row: not of images placed afterwards. */
export function hasHeat(row) {
  return Boolean(about.heat) && row < about.n;
}

/** Where a row is on the map, and where it moves below each square. */
function places(row) {
  const { dims } = about;
  const count = about.heat.x.length * about.heat.y.length * dims;
  const z = array(`z-${LAST}`).subarray(row * dims, (row + 1) * dims);
  const step = array("heat-step")[row];
  const moved = Float64Array.from(
    array("heat-moved").subarray(row * count, (row + 1) * count),
    (value) => value * step,
  );
  return { z, moved };
}

/** The heat of a row's squares, row by row, in distances to its k-th nearest: how far it moves, or,
 * with another row, how much farther from that one, where it does. */
export function heatOf(row, other = null) {
  const { dims } = about;
  const { z, moved } = places(row);
  const to = other === null ? z : array(`z-${LAST}`).subarray(other * dims, (other + 1) * dims);
  const before = Math.hypot(...z.map((value, i) => value - to[i]));
  const unit = array("heat-unit")[row];
  return Array.from({ length: moved.length / dims }, (_, square) => {
    const apart = Array.from(z, (value, i) => value + moved[square * dims + i] - to[i]);
    return Math.max(Math.hypot(...apart) - before, 0) / unit;
  });
}

function color(share) {
  const at = share * (COLORS.length - 1);
  const low = Math.min(Math.floor(at), COLORS.length - 2);
  return COLORS[low].map((value, i) => value + (at - low) * (COLORS[low + 1][i] - value));
}

/** Heat as a small picture, a pixel for each square, and one more at each edge. */
function small(heat) {
  const { x, y } = about.heat;
  const [width, height] = [x.length + 2, y.length + 2];
  const most = Math.max(...heat) || 1;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const row = Math.min(Math.max(i - 1, 0), y.length - 1);
      const column = Math.min(Math.max(j - 1, 0), x.length - 1);
      const rgb = color(heat[row * x.length + column] / most);
      pixels.data.set([...rgb, 255], 4 * (i * width + j));
    }
  }
  const canvas = element("canvas", { width, height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Where the padded line of squares begins and how long it is, as shares of the image. Squares begin
 * at whole pixels, so that the first step alone would carry its rounding to the other end. */
function extent(centers) {
  const step = centers.length > 1 ? (centers.at(-1) - centers[0]) / (centers.length - 1) : 1;
  return [centers[0] - 1.5 * step, (centers.length + 2) * step];
}

/** A row's picture below its heat (see `heatOf`), `side` CSS pixels at its longer side. */
export function heated(row, side, heat) {
  const below = picture(row, side);
  const ratio = side / Math.max(below.width, below.height);
  const [width, height] = [below.width * ratio, below.height * ratio];
  const canvas = element("canvas", { width, height, className: "heat" });
  const context = canvas.getContext("2d");
  context.globalAlpha = CURTAIN;
  const [left, wide] = extent(about.heat.x);
  const [top, tall] = extent(about.heat.y);
  context.drawImage(small(heat), left * width, top * height, wide * width, tall * height);
  return element("span", { className: "heated" }, below, canvas);
}
