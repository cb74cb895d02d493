// The panels beside the map: legend, pinned image, selection. Texts of the data set (classes, file
// names) are only ever set as text, never as HTML.

import { about, array, exact, neighbors, nameOf, short, told, values } from "./data.js";
import { categoryColor, css, gradient, range } from "./color.js";
import { picture } from "./images.js";

const IN_GALLERY = 60; // images that a gallery shows at first, and more each time it is asked
const OF_GROUP = 10; // images of each of several groups, which is opened to see all

const byId = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** "12 image(s)" with the right number. */
export function images(count) {
  return `${count.toLocaleString("en")} image${count === 1 ? "" : "s"}`;
}

/** One line on a row: its index and class, or its file where it has no class. */
export function title(row) {
  const label = about.columns.find((column) => column.name === "class");
  if (label) return `${nameOf(row)}: ${told(label, row, 0)}`;
  return about.sources ? about.sources[row] : nameOf(row);
}

/** The colors in words: a list of categories to show, hide and highlight, or a scale. */
export function drawLegend(page) {
  const { state } = page;
  const { column } = state;
  const list = byId("legend");
  list.replaceChildren();
  byId("legend-title").textContent = column.title;
  const isCategory = column.kind === "category";
  byId("legend-all").hidden = byId("legend-none").hidden = !isCategory;
  if (!isCategory) return drawScale(column, state, list);
  const counts = new Uint32Array(column.names.length);
  for (const code of values(column, state.stage)) counts[code]++;
  const hidden = page.hiddenOf(column);
  column.names.forEach((name, code) => {
    if (!counts[code]) return;
    const box = element("input", { type: "checkbox", checked: !hidden.has(code) });
    box.addEventListener("change", () => page.setHidden(column, code, !box.checked));
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = css(
      categoryColor(code, column.names.length, about.palette, state.dark),
    );
    const count = element("span", { className: "count" }, counts[code].toLocaleString("en"));
    const label = element("label", {}, box, swatch, element("span", { className: "name" }, name));
    const strong = element("button", { type: "button", className: "highlight" }, "◉");
    strong.title = strong.ariaLabel = `Highlight ${name}`;
    strong.dataset.code = code;
    strong.addEventListener("click", () => page.highlight(column, code));
    list.append(element("li", {}, label, count, strong));
  });
  markHighlight(page);
}

/** Which category is highlighted, on the buttons that are there. */
export function markHighlight(page) {
  const { column, highlight } = page.state;
  for (const button of byId("legend").querySelectorAll(".highlight")) {
    const is = highlight?.column === column && highlight.code === Number(button.dataset.code);
    button.ariaPressed = String(is);
  }
}

function drawScale(column, state, list) {
  const [low, high] = range(column, values(column, state.stage));
  const bar = element("div", { className: "scale" });
  bar.style.background = gradient(column, state.dark);
  const unit = column.unit ? ` ${column.unit}` : "";
  const end = (value) => element("span", {}, `${short(value)}${unit}`);
  const ends = element("div", { className: "ends" }, end(low), end(high));
  list.append(element("li", { className: "whole" }, bar, ends));
}

/** A button with a row's image that pins it. */
function thumbnail(page, row, side) {
  const caption = title(row);
  const button = element("button", { type: "button", className: "thumbnail", title: caption });
  button.ariaLabel = `Image ${caption}`;
  button.dataset.row = row;
  button.append(picture(row, side));
  button.addEventListener("click", () => page.pin(row, true));
  button.addEventListener("pointerenter", () => page.hover(row));
  button.addEventListener("pointerleave", () => page.hover(null));
  return button;
}

function facts(row, stage) {
  const list = element("dl");
  const add = (name, text) => list.append(element("dt", {}, name), element("dd", {}, text));
  add("index", nameOf(row));
  for (const column of about.columns) {
    const text = told(column, row, stage);
    if (text) add(column.title, text);
  }
  if (about.sources) add("file", about.sources[row]);
  for (const { title: kind, notes } of about.findings) {
    if (notes[row]) add(kind, notes[row]);
  }
  const last = about.stages.length - 1;
  const z = array(`z-${last}`).subarray(row * about.dims, (row + 1) * about.dims);
  add(about.projected ? "place" : "z", Array.from(z, (value) => value.toFixed(3)).join(", "));
  return list;
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
  body.replaceChildren(picture(pinned, 140), facts(pinned, stage));
  for (const [space, name] of [
    ["z", "Nearest in Z"],
    ["h", "Nearest in H"],
  ]) {
    const rows = neighbors(space, pinned);
    if (!rows.length) continue;
    const strip = element("div", { className: `gallery near-${space}` });
    for (const row of rows) strip.append(thumbnail(page, row, 44));
    body.append(element("h3", { className: `key-${space}` }, name), strip);
  }
  if (hadFocus) byId("unpin").focus();
}

/** What the pointer is on. */
export function drawTip(row, place) {
  const tip = byId("tip");
  tip.hidden = row === null || !place;
  if (tip.hidden) return;
  if (tip.dataset.row !== String(row)) {
    tip.dataset.row = row;
    tip.replaceChildren(picture(row, 96), element("div", {}, title(row)));
    const split = about.columns.find((column) => column.name === "split");
    if (split) tip.append(element("div", { className: "faint" }, told(split, row, 0)));
    if (about.sources) tip.append(element("div", { className: "faint" }, about.sources[row]));
  }
  const { clientWidth: width, clientHeight: height } = tip.parentElement;
  const [x, y] = place;
  tip.style.left = `${x + 16 + tip.offsetWidth < width ? x + 16 : x - 16 - tip.offsetWidth}px`;
  tip.style.top = `${Math.max(0, Math.min(y + 12, height - tip.offsetHeight))}px`;
}

/** The title of a group, which selects that group alone. */
function heading(page, group) {
  const button = element("button", { type: "button" }, group.title);
  button.addEventListener("click", () => page.select(group.rows, group.title));
  return element("h3", {}, button);
}

/** The images selected, in their groups, a part of them at a time. */
export function drawSelection(page) {
  const { selection } = page.state;
  const section = byId("selection");
  section.hidden = selection === null;
  if (!selection) return;
  byId("selection-title").textContent = `${selection.title}: ${images(selection.rows.length)}`;
  const body = byId("selection-body");
  body.replaceChildren();
  const several = selection.groups.length > 1;
  const parts = selection.groups.flatMap((group) =>
    group.rows
      .slice(0, several ? OF_GROUP : undefined)
      .map((row, i) => ({ row, group: i === 0 && group.title ? group : null })),
  );
  let strip = element("div", { className: "gallery" });
  const more = byId("selection-more");
  let done = 0;
  const add = () => {
    for (const { row, group } of parts.slice(done, done + IN_GALLERY)) {
      if (group || !strip.parentElement) {
        strip = element("div", { className: "gallery" });
        if (group && several) body.append(heading(page, group));
        body.append(strip);
      }
      strip.append(thumbnail(page, row, 44));
    }
    done = Math.min(done + IN_GALLERY, parts.length);
    more.hidden = done >= parts.length;
    more.textContent = `Show more (${(parts.length - done).toLocaleString("en")} left)`;
  };
  more.onclick = add;
  add();
}

/** As the package's own CSV: a text that a spreadsheet would compute gets an apostrophe. */
function quoted(cell) {
  const text = /^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The selection as CSV: row of embedding.npz, index in the data set, and all that is known. */
export function csvOf(rows, groups, stage) {
  const grouped = groups.length > 1;
  const groupOf = new Map(groups.flatMap((group) => group.rows.map((row) => [row, group.title])));
  const head = ["row", "index", ...about.columns.map((column) => column.title)];
  if (about.sources) head.push("source");
  if (grouped) head.push("group");
  const lines = rows.map((row) => {
    const cells = [String(row), nameOf(row), ...about.columns.map((c) => exact(c, row, stage))];
    if (about.sources) cells.push(about.sources[row]);
    if (grouped) cells.push(groupOf.get(row));
    return cells;
  });
  return `\ufeff${[head, ...lines].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("")}`;
}
