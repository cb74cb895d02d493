// The panels beside the map: the legend, with what it hides, and what the pointer is on.

import { about, images, isUnseen, placedOf, sideOf, title, values, withUnit } from "./data.js";
import { categoryColor, css, gradient, range } from "./color.js";
import { byId, element } from "./dom.js";
import { picture } from "./images.js";
import { whatColumn } from "./words.js";

const STEPS = 200; // of a slider over the numbers of a column

/** The color of a category, as CSS. */
export function cssOf(column, code, dark) {
  return css(categoryColor(column, code, about.palette, dark));
}

/** The colors in words: a list of categories to show, hide and highlight, or a scale. */
export function drawLegend(page) {
  const { column } = page.state;
  const isCategory = column.kind === "category" && !column.plain;
  byId("legend").replaceChildren();
  byId("legend-title").replaceChildren(column.plain ? "Colors" : column.title, " ", whatColumn(column));
  byId("legend-all").hidden = byId("legend-none").hidden = !isCategory;
  if (isCategory) drawCategories(page);
  else if (column.plain) byId("legend").append(element("li", {}, `${images(about.n)} in one color`));
  else drawScale(page);
}

function drawCategories(page) {
  const { column, stage, dark } = page.state;
  const counts = new Uint32Array(column.names.length);
  for (const code of values(column, stage)) counts[code]++;
  const hidden = page.filters.hiddenOf(column);
  column.names.forEach((name, code) => {
    if (!counts[code]) return;
    const box = element("input", { type: "checkbox", checked: !hidden.has(code) });
    box.addEventListener("change", () => {
      page.filters.setHidden(column, code, !box.checked);
      page.show();
    });
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = cssOf(column, code, dark);
    const count = element("span", { className: "count" }, counts[code].toLocaleString("en"));
    const said = element("span", { className: "name" }, name);
    if (isUnseen(column, code)) said.append(" ", element("span", { className: "faint" }, "unseen"));
    const label = element("label", {}, box, swatch, said);
    const strong = element("button", { type: "button", className: "highlight" }, "◉");
    strong.title = strong.ariaLabel = `Highlight ${name}`;
    strong.dataset.code = code;
    strong.addEventListener("click", () => page.highlight(column, code));
    byId("legend").append(element("li", {}, label, count, strong));
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

function drawScale(page) {
  const { column, stage, dark } = page.state;
  const numbers = values(column, stage);
  const [low, high] = range(column, numbers);
  const bar = element("div", { className: "scale" });
  bar.style.background = gradient(column, dark);
  const end = (value) => element("span", {}, withUnit(column, value));
  const ends = element("div", { className: "ends" }, end(low), end(high));
  const known = numbers.filter(Number.isFinite).sort();
  byId("legend").append(element("li", { className: "whole" }, bar, ends));
  if (known.length > 1 && known[0] < known[known.length - 1]) {
    byId("legend").append(element("li", { className: "whole" }, limits(page, column, known)));
  }
}

/** Two sliders for the least and the greatest number that is shown. known: sorted. */
function limits(page, column, known) {
  const last = known.length - 1;
  // Steps of a skewed column have equal numbers of images, of others equal widths.
  const at = (step) =>
    column.skewed
      ? known[Math.round((step / STEPS) * last)]
      : known[0] + ((known[last] - known[0]) * step) / STEPS;
  const before = page.filters.ranges.get(column);
  const stepOf = (value) => {
    let step = 0;
    while (step < STEPS && at(step) < value) step++;
    return step;
  };
  const slider = (name, value) => {
    const input = element("input", { type: "range", min: 0, max: STEPS, value, autocomplete: "off" });
    input.ariaLabel = `Show ${column.title} ${name}`;
    return input;
  };
  const from = slider("from", before ? stepOf(before[0]) : 0);
  const to = slider("to", before ? stepOf(before[1]) : STEPS);
  const said = element("output", { className: "faint" });
  const tell = () => {
    const [low, high] = [at(Number(from.value)), at(Number(to.value))];
    from.ariaValueText = withUnit(column, low);
    to.ariaValueText = withUnit(column, high);
    said.textContent = `Show ${withUnit(column, low)} to ${withUnit(column, high)}`;
    return [low, high];
  };
  const change = (event) => {
    if (Number(from.value) > Number(to.value)) event.target.value = event.target === from ? to.value : from.value;
    const isAll = from.value === "0" && to.value === String(STEPS);
    const [low, high] = tell();
    // The end of the scale is the greatest there is, whatever its rounding.
    page.filters.limit(column, isAll ? null : [low, to.value === String(STEPS) ? Infinity : high]);
    page.show();
  };
  from.addEventListener("input", change);
  to.addEventListener("input", change);
  tell();
  return element("div", { className: "limits" }, from, to, said);
}

/** A button with a row's image that pins it. shown: another picture of it. */
export function thumbnail(page, row, side, shown = picture(row, side)) {
  const caption = title(row);
  const button = element("button", { type: "button", className: "thumbnail", title: caption });
  button.ariaLabel = `Image ${caption}`;
  button.dataset.row = row;
  button.append(shown);
  button.addEventListener("click", () => page.pin(row, true));
  button.addEventListener("pointerenter", () => page.hover(row));
  button.addEventListener("pointerleave", () => page.hover(null));
  return button;
}

/** What a vote of a new image's neighbors says. */
export function voteOf({ vote, share, far }) {
  const voted = vote && `${vote}${share === undefined ? "" : `, ${Math.round(100 * share)} %`}`;
  return [voted, far && "far from everything"].filter(Boolean).join("; ");
}

/** What the pointer is on. */
export function drawTip(row, place) {
  const tip = byId("tip");
  tip.hidden = row === null || !place;
  if (tip.hidden) return;
  if (tip.dataset.row !== String(row)) {
    tip.dataset.row = row;
    const faint = (text) => element("div", { className: "faint" }, text);
    tip.replaceChildren(picture(row, 128), element("div", {}, title(row)));
    const placed = placedOf(row);
    const side = placed ? `new image: ${voteOf(placed)}` : sideOf(row);
    if (side) tip.append(faint(side));
    if (!placed && about.sources) tip.append(faint(about.sources[row]));
  }
  const { clientWidth: width, clientHeight: height } = tip.parentElement;
  const [x, y] = place;
  tip.style.left = `${x + 16 + tip.offsetWidth < width ? x + 16 : Math.max(0, x - 16 - tip.offsetWidth)}px`;
  tip.style.top = `${Math.max(0, Math.min(y + 12, height - tip.offsetHeight))}px`;
}
