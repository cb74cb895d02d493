// The panel of several images: of what they are made, their pictures, and as a file.

import { about, columns as known, describing, exact, images, nameOf, values } from "./data.js";
import { byId, element } from "./dom.js";
import { cssOf, thumbnail } from "./panels.js";
import { what } from "./words.js";

const IN_GALLERY = 60; // images that a gallery shows at first, and more each time it is asked
const OF_GROUP = 10; // images of each of several groups, which is opened to see all
const BARS = 8; // categories of a composition, the others together
const SIDE = 52; // pixels

/** How many of some rows are in each category, most first: [[code, count], ...]. */
export function countsOf(column, rows, stage) {
  const codes = values(column, stage);
  const counts = new Map();
  for (const row of rows) counts.set(codes[row], (counts.get(codes[row]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

function bar(name, count, of, color) {
  const share = (100 * count) / of;
  const percent = share > 0 && share < 1 ? "< 1" : Math.round(share);
  const filled = element("span", { className: "filled" });
  filled.style.width = `${share}%`;
  filled.style.background = color;
  return element(
    "li",
    {},
    element("span", { className: "name" }, name),
    element("span", { className: "count" }, `${count.toLocaleString("en")} (${percent} %)`),
    element("span", { className: "track" }, filled),
  );
}

/** What the rows are, by the column of the colors and at most one other. */
function drawComposition(page, rows) {
  const { column: shown, stage, dark } = page.state;
  const parts = [];
  for (const column of describing(shown).slice(0, 2)) {
    const counts = countsOf(column, rows, stage);
    const list = element("ul", { className: "bars" });
    list.ariaLabel = `Selected, by ${column.title}`;
    const isLong = counts.length > BARS + 1;
    for (const [code, count] of isLong ? counts.slice(0, BARS) : counts) {
      list.append(bar(column.names[code], count, rows.length, cssOf(column, code, dark)));
    }
    if (isLong) {
      const rest = counts.slice(BARS);
      const sum = rest.reduce((total, [, count]) => total + count, 0);
      list.append(bar(`${rest.length} others`, sum, rows.length, "var(--faint)"));
    }
    parts.push(element("h3", {}, `By ${column.title}`), list);
  }
  byId("selection-parts").replaceChildren(...parts);
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
  byId("selection").hidden = selection === null;
  if (!selection) return;
  byId("selection-title").replaceChildren(
    `${selection.title}: ${images(selection.rows.length)}`,
    " ",
    what(selection.kind, selection.title),
  );
  drawComposition(page, selection.rows);
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
      strip.append(thumbnail(page, row, SIDE));
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
  const columns = known.filter((column) => !column.plain);
  const grouped = groups.length > 1;
  const groupOf = new Map(groups.flatMap((group) => group.rows.map((row) => [row, group.title])));
  const head = ["row", "index", ...columns.map((column) => column.title)];
  if (about.sources) head.push("source");
  if (grouped) head.push("group");
  const lines = rows.map((row) => {
    const cells = [String(row), nameOf(row), ...columns.map((c) => exact(c, row, stage))];
    if (about.sources) cells.push(about.sources[row]);
    if (grouped) cells.push(groupOf.get(row));
    return cells;
  });
  return `\ufeff${[head, ...lines].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("")}`;
}
