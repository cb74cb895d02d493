// Which points are meant: the nearest to the pointer, those within an outline.

const REACH = 12; // pixels

/**
 * The row nearest to a place on the screen, within reach of it unless `anywhere`, or null. Images that
 * were placed afterwards lie on top.
 */
export function nearest(scene, overlay, x, y, anywhere = false) {
  let best = null;
  let least = Infinity;
  const consider = (row, px, py, isWithin) => {
    const [dx, dy] = [px - x, py - y];
    const distance = dx * dx + dy * dy;
    if (distance >= least || !(anywhere || isWithin(row, dx, dy))) return;
    least = distance;
    best = row;
  };
  const inImage = (row, dx, dy) => {
    const [w, h] = overlay.sizeOf(row);
    return Math.abs(dx) <= w / 2 && Math.abs(dy) <= h / 2;
  };
  const within = (reach) => (row, dx, dy) => dx * dx + dy * dy <= reach ** 2;
  const above = overlay.side ? inImage : within(REACH);
  for (const row of overlay.placedRows) consider(row, ...scene.placeOf(row), above);
  if (best !== null && !anywhere) return best;
  const isWithin = overlay.side ? inImage : within(Math.max(REACH, scene.pointSize));
  scene.seen((row, px, py) => consider(row, px, py, isWithin));
  return best;
}

/** The rows within a polygon on the screen, [[x, y], ...]. */
export function inside(scene, outline) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of outline) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  const found = [];
  scene.seen((row, x, y) => {
    const near = x >= left && x <= right && y >= top && y <= bottom;
    if (near && isInside(outline, x, y)) found.push(row);
  });
  return found.sort((a, b) => a - b);
}

/** By the number of edges to the right (even-odd rule). */
function isInside(outline, x, y) {
  let crossed = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [ax, ay] = outline[i];
    const [bx, by] = outline[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) crossed = !crossed;
  }
  return crossed;
}

/** The corners of the box between two places. */
export function box([ax, ay], [bx, by]) {
  return [
    [ax, ay],
    [bx, ay],
    [bx, by],
    [ax, by],
  ];
}
