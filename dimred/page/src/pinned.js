// The panels of one image, which is pinned, and of the images that were placed on the map afterwards.

import {
  LAST,
  about,
  array,
  columns,
  images,
  nameOf,
  neighbors,
  placedCount,
  placedOf,
  short,
  title,
  told,
} from "./data.js";
import { byId, element } from "./dom.js";
import { openFull } from "./full.js";
import { hasHeat, heatOf, heated } from "./heat.js";
import { picture } from "./images.js";
import { thumbnail, voteOf } from "./panels.js";
import { meaning, what, whatColumn } from "./words.js";

const SIDE = 52; // of a thumbnail in a gallery, in pixels
const LARGE = 296; // of the pinned image
const LISTED = 40; // new images at first, and more each time it is asked

function facts(row, stage) {
  const list = element("dl");
  const add = (name, text, mark = "") =>
    list.append(element("dt", {}, name, " ", mark), element("dd", {}, text));
  const placed = placedOf(row);
  if (placed) {
    add("new image", nameOf(row), what("placed", "new image"));
    if (placed.set) add("from", placed.set);
    if (voteOf(placed)) add("vote", voteOf(placed));
  } else {
    add("index", nameOf(row));
    for (const column of columns) {
      const text = column.plain ? "" : told(column, row, stage);
      if (text) add(column.title, text, meaning(column) && whatColumn(column));
    }
    if (about.sources) add("file", about.sources[row]);
    for (const { name, title: kind, notes } of about.findings) {
      if (notes[row]) add(kind, notes[row], what(name, kind));
    }
  }
  const [all, i] = placed ? [array("placed-z"), row - about.n] : [array(`z-${LAST}`), row];
  const z = all.subarray(i * about.dims, (i + 1) * about.dims);
  const name = about.projected ? "place" : "z";
  add(name, Array.from(z, (value) => value.toFixed(3)).join(", "), what("z", name));
  return list;
}

/** Show the pinned image in `button`, with its heat, where that is shown: that of its place, or of
 * what it shares with another row. */
function drawLarge(page, button, other = null) {
  const { pinned, heat } = page.state;
  const isHot = heat && hasHeat(pinned);
  button.replaceChildren(isHot ? heated(pinned, LARGE, heatOf(pinned, other)) : picture(pinned, LARGE));
}

/** Whether heat is shown, and how much of it there is. */
function heatLine(page) {
  const { pinned, heat } = page.state;
  const box = element("input", { type: "checkbox", id: "heat-shown", checked: heat });
  box.addEventListener("change", () => {
    page.state.heat = box.checked;
    drawPinned(page);
    byId("heat-shown").focus();
  });
  const most = short(Number(Math.max(...heatOf(pinned)).toPrecision(3)));
  const text = `: hidden, the brightest part moves it ${most} times as far as its ${about.heat.k}th nearest`;
  return element("p", { id: "heat" }, element("label", {}, box, "heat"), text, " ", what("heat", "heat"));
}

/** A neighbor in Z, with what holds it near the pinned image. */
function hotNeighbor(page, row, large) {
  const button = thumbnail(page, row, SIDE, heated(row, SIDE, heatOf(row, page.state.pinned)));
  for (const event of ["pointerenter", "focus"]) {
    button.addEventListener(event, () => drawLarge(page, large, row));
  }
  for (const event of ["pointerleave", "blur"]) {
    button.addEventListener(event, () => page.state.pinned !== null && drawLarge(page, large));
  }
  return button;
}

/** The image that is pinned, what is known of it, and its neighbors. */
export function drawPinned(page) {
  const { pinned, stage } = page.state;
  const section = byId("pinned");
  section.hidden = pinned === null;
  if (pinned === null) return;
  const body = byId("pinned-body");
  // A neighbor that was chosen by keys is gone in a moment, and the focus with it.
  const hadFocus = body.contains(document.activeElement);
  const large = element("button", { type: "button", id: "pinned-picture" });
  drawLarge(page, large);
  large.ariaLabel = `Image ${title(pinned)} in full`;
  large.title = "In full";
  large.addEventListener("click", () => openFull(pinned));
  body.replaceChildren(large);
  if (hasHeat(pinned)) body.append(heatLine(page));
  if (stage !== LAST) {
    const { name } = about.stages[LAST];
    const text = `Place and neighbors are those after ${name}, the last stage; the loss is that of ${about.stages[stage].name}.`;
    body.append(element("p", { className: "faint", id: "of-last" }, text));
  }
  body.append(facts(pinned, stage));
  const after = stage === LAST ? "" : ` after ${about.stages[LAST].name}`;
  for (const [space, name] of [
    ["z", "Nearest in Z"],
    ["h", "Nearest in H"],
  ]) {
    const rows = neighbors(space, pinned);
    if (!rows.length) continue;
    const strip = element("div", { className: `gallery near-${space}` });
    const isHot = space === "z" && page.state.heat && hasHeat(pinned);
    for (const row of rows) strip.append(isHot ? hotNeighbor(page, row, large) : thumbnail(page, row, SIDE));
    const heading = element("span", { className: `key-${space}` }, name + after);
    const shared = isHot ? [" ", what("shared", "heat of a neighbor")] : [];
    body.append(element("h3", {}, heading, " ", what(`near-${space}`, name), ...shared), strip);
    const said = about.approximate[space];
    if (said) body.append(element("p", { className: "faint" }, said));
  }
  if (hadFocus) byId("unpin").focus();
}

/** The images that were placed on the map afterwards, with what they were taken for. */
export function drawPlaced(page) {
  byId("placed").hidden = !placedCount;
  if (!placedCount) return;
  byId("placed-title").replaceChildren(
    `New: ${images(placedCount)}`,
    " ",
    what("placed", "new images"),
  );
  const list = byId("placed-body");
  const more = byId("placed-more");
  let done = 0;
  let set = null;
  const add = () => {
    for (const end = Math.min(done + LISTED, placedCount); done < end; done++) {
      const row = about.n + done;
      const one = placedOf(row);
      if (one.set !== set) list.append(element("li", { className: "faint" }, (set = one.set)));
      const text = element("div", {}, element("div", { className: "name" }, one.name));
      text.append(element("div", { className: one.far ? "warned" : "faint" }, voteOf(one)));
      list.append(element("li", {}, thumbnail(page, row, SIDE), text));
    }
    more.hidden = done >= placedCount;
    more.textContent = `Show more (${(placedCount - done).toLocaleString("en")} left)`;
  };
  more.onclick = add;
  add();
}
