// The page: what is shown, and what changes it.

import { LAST, about, array, columns, firstColumn, images, placedCount, title, values } from "./data.js";
import { DIM, HIDDEN, PLAIN, STRONG } from "./cloud.js";
import { background, css, tints } from "./color.js";
import { byId } from "./dom.js";
import { Filters } from "./filters.js";
import { listenFull, openFull } from "./full.js";
import { listenLayout, nameSheet, openSheet } from "./layout.js";
import { Overlay } from "./overlay.js";
import { drawLegend, drawTip, markHighlight } from "./panels.js";
import { drawPinned, drawPlaced } from "./pinned.js";
import { listen } from "./pointer.js";
import { Scene } from "./scene.js";
import { search } from "./search.js";
import { csvOf, drawSelection } from "./selection.js";
import { explainHeader } from "./words.js";

const MOTION = 700; // milliseconds from stage to stage
const MAX_RINGS = 400;

/** The rows of a finding, each once. */
function rowsOf(finding) {
  return [...new Set(finding.groups.flatMap((group) => group.rows))];
}

/** Places in z (n, dims) as the scene draws them (3 n,): the map of a stage from -1 to 1. */
function drawn(z, stage) {
  const { dims } = about;
  const { center, scale } = about.stages[stage];
  const places = new Float32Array((3 * z.length) / dims);
  for (let row = 0; row < z.length / dims; row++) {
    for (let i = 0; i < dims; i++) {
      places[3 * row + i] = (z[row * dims + i] - center[i]) / scale;
    }
  }
  return places;
}

/** Say why there is no map, in its place; "" when there is one. */
function trouble(text) {
  byId("trouble").hidden = !text;
  byId("trouble").textContent = text;
}

class Page {
  constructor() {
    this.state = {
      stage: LAST,
      column: firstColumn,
      highlight: null, // { column, code }
      selection: null, // { title, kind, rows, groups: [{ title, rows }] }
      pinned: null,
      hovered: null,
      marked: [],
      outline: [],
      tool: "pan",
      thumbnails: true,
      names: true,
      heat: true, // whether it is shown, where there is any
      placed: true, // whether images placed afterwards are shown
      dark: matchMedia("(prefers-color-scheme: dark)").matches,
    };
    this.filters = new Filters();
    this.map = byId("map");
    this.scene = new Scene(byId("points"), about.n, about.dims === 3);
    if (placedCount) this.scene.further = drawn(array("placed-z"), LAST);
    this.overlay = new Overlay(byId("overlay"), this.scene, this.state, (row) =>
      css(this.tints.subarray(3 * row, 3 * row + 3)),
    );
    this.#controls();
    this.#toStage(LAST, 0);
    this.#theme();
    drawPlaced(this);
    explainHeader();
    listenLayout();
    listenFull();
    listen(this.map, this.scene, this.overlay, this);
    this.scene.addEventListener("view", () => this.hover(null)); // its point is elsewhere now
    this.scene.addEventListener("lost", () =>
      trouble("The browser has stopped drawing (WebGL was lost). If the map stays blank, reload."),
    );
    this.scene.addEventListener("restored", () => trouble(""));
  }

  // ---- what is shown of each point

  /** Make a category stand out, or no longer if it does; a selection ends by that. */
  highlight(column, code) {
    const { highlight } = this.state;
    const is = highlight?.column === column && highlight.code === code;
    this.#deselect();
    this.state.highlight = is ? null : { column, code };
    markHighlight(this);
    this.show();
  }

  #deselect() {
    Object.assign(this.state, { highlight: null, selection: null, marked: [] });
    byId("marks").value = "";
    drawSelection(this);
    markHighlight(this);
  }

  /** Draw what filters, highlight and selection leave of the map. */
  show() {
    const { highlight, selection, stage } = this.state;
    const isHidden = this.filters.test(stage);
    const strong = highlight && values(highlight.column, stage);
    const selected = selection && new Set(selection.rows);
    this.scene.show((row) => {
      if (isHidden(row)) return HIDDEN;
      if (selected) return selected.has(row) ? STRONG : DIM;
      if (strong) return strong[row] === highlight.code ? STRONG : DIM;
      return PLAIN;
    });
    const { titles } = this.filters;
    byId("shown").textContent = titles.length
      ? `${this.scene.count.toLocaleString("en")} of ${images(about.n)} shown, by ${titles.join(", ")}`
      : "";
    byId("show-all").hidden = !titles.length;
    this.overlay.refresh();
  }

  #color() {
    const { column, stage, dark } = this.state;
    this.tints = tints(column, values(column, stage), about.palette, dark);
    this.scene.color(this.tints, background(dark));
    drawLegend(this);
    this.#nameSheet();
  }

  #nameSheet() {
    const { column, pinned, selection } = this.state;
    if (pinned !== null) nameSheet(`Pinned ${title(pinned)}`);
    else nameSheet(selection ? `${selection.title}: ${images(selection.rows.length)}` : `Colors: ${column.title}`);
  }

  #theme() {
    document.documentElement.dataset.theme = this.state.dark ? "dark" : "light";
    byId("theme").ariaPressed = String(this.state.dark);
    this.#color();
    this.show();
    if (this.state.selection) drawSelection(this);
  }

  // ---- stages

  #toStage(number, milliseconds) {
    const { name, caption } = about.stages[number];
    const places = drawn(array(`z-${number}`), number);
    this.hover(null);
    this.state.stage = number;
    this.scene.moveTo(places, milliseconds);
    byId("stage").value = number;
    byId("stage").ariaValueText = name;
    byId("stage-name").textContent = name;
    byId("caption").textContent = caption;
  }

  // ---- pointing, pinning, selecting

  hover(row, place) {
    if (row === this.state.hovered && row === null) return;
    this.state.hovered = row;
    this.map.style.cursor = row === null ? "" : "pointer";
    drawTip(row, place);
    this.scene.draw();
  }

  /** Pin a row, or none; `center` brings it into view. */
  pin(row, center = false) {
    const isPlaced = row !== null && row >= about.n;
    if (isPlaced) this.#showPlaced();
    this.state.pinned = row;
    drawPinned(this);
    this.#nameSheet();
    if (row !== null) {
      this.#inSight(byId("pinned"), byId("selection"));
      if (center) this.#intoView(row);
      const hidden = this.scene.states[row] === HIDDEN;
      this.say(`Pinned ${title(row)}${hidden ? ", which is hidden" : ""}`);
    }
    this.scene.draw();
  }

  #intoView(row) {
    const [x, y] = this.scene.placeOf(row);
    const { width, height } = this.scene;
    if (x < 0 || y < 0 || x > width || y > height) this.scene.center(row, 1);
  }

  /** Images placed afterwards are on the map of the last stage only. */
  #showPlaced() {
    this.state.placed = byId("placed-shown").checked = true;
    if (this.state.stage !== LAST) this.#goToStage(LAST);
  }

  /** Put one of two panels above the other, and scroll to it. */
  #inSight(upper, lower) {
    const focused = document.activeElement;
    // #pinned is the one that is moved, since what is clicked in #selection keeps its place so.
    if (upper.id === "pinned") lower.before(upper);
    else upper.after(lower);
    if (focused !== document.activeElement) focused.focus({ preventScroll: true });
    openSheet(true);
    byId("panels").scrollTop = 0;
  }

  /** Pin what is in the middle of the map; if it is, show it in full. */
  enter(row) {
    if (row !== null && row === this.state.pinned) openFull(row);
    else this.pin(row);
  }

  /** Select rows: those found by `how`, in groups or together. kind: name of a finding. */
  select(rows, how = "Selected", groups = [{ title: "", rows }], kind = null) {
    if (!rows.length) return this.say("Nothing there", true);
    this.#deselect();
    this.state.selection = { title: how, kind, rows, groups };
    this.state.marked = kind && rows.length <= MAX_RINGS ? rows : [];
    drawSelection(this);
    this.#nameSheet();
    this.#inSight(byId("selection"), byId("pinned"));
    this.say(`${how}: ${images(rows.length)}`);
    return this.show();
  }

  /** Nothing is pinned, selected or highlighted. */
  clear() {
    byId("search").value = "";
    this.pin(null);
    this.deselect();
  }

  deselect() {
    this.#deselect();
    this.#nameSheet();
    this.show();
    this.say("");
  }

  /** Tell screen readers, and all where nothing else on the page says it. */
  say(text, alone = false) {
    byId("said").textContent = text;
    byId("said").classList.toggle("unseen", !alone);
  }

  #search(text) {
    if (!text.trim()) return this.clear();
    const { index, rows } = search(text, this.state.stage);
    const only = index < 0 && rows.length === 1;
    if (!only && (rows.length || index < 0)) {
      const onMap = rows.filter((row) => row < about.n);
      if (onMap.length || !rows.length) this.select(onMap, `“${text.trim()}”`);
    }
    if (index >= 0) this.pin(index, true);
    else if (only || rows[0] >= about.n) this.pin(rows[0], true);
    return undefined;
  }

  #mark(name) {
    const kind = about.findings.find((one) => one.name === name);
    if (!kind) return this.deselect();
    this.select(rowsOf(kind), kind.title, kind.groups, name);
    byId("marks").value = name;
    return undefined;
  }

  #export() {
    const { rows, groups } = this.state.selection;
    const url = URL.createObjectURL(
      new Blob([csvOf(rows, groups, this.state.stage)], { type: "text/csv" }),
    );
    const link = Object.assign(document.createElement("a"), {
      href: url,
      download: `${about.run}-selection.csv`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  // ---- controls

  #controls() {
    const on = (id, event, act) => byId(id).addEventListener(event, act);
    const { state, scene } = this;
    const colors = byId("color");
    columns.forEach((column, i) => colors.append(new Option(column.title, i)));
    colors.value = columns.indexOf(state.column);
    on("color", "change", () => {
      state.column = columns[colors.value];
      this.#color();
      this.overlay.refresh();
      drawSelection(this);
    });
    byId("stages").hidden = about.stages.length < 2;
    byId("stage").max = LAST;
    on("stage", "input", (event) => this.#goToStage(Number(event.target.value)));
    for (const input of document.getElementsByName("tool")) {
      input.addEventListener("change", () => {
        state.tool = input.value;
        this.map.dataset.tool = input.value;
      });
    }
    const marks = byId("marks");
    for (const kind of about.findings) {
      const count = rowsOf(kind).length;
      marks.append(new Option(`${kind.title} (${count.toLocaleString("en")})`, kind.name));
    }
    marks.closest("label").hidden = !about.findings.length;
    on("marks", "change", () => this.#mark(marks.value));
    on("thumbnails", "change", (event) => {
      state.thumbnails = event.target.checked;
      this.overlay.refresh();
    });
    on("names", "change", (event) => {
      state.names = event.target.checked;
      this.overlay.refresh();
    });
    on("placed-shown", "change", (event) => {
      state.placed = event.target.checked;
      this.overlay.refresh();
    });
    on("search", "input", () => this.say(""));
    on("find", "submit", (event) => {
      event.preventDefault();
      this.#search(byId("search").value);
    });
    on("zoom-in", "click", () => scene.zoomBy(1.5));
    on("zoom-out", "click", () => scene.zoomBy(1 / 1.5));
    on("reset", "click", () => scene.reset());
    on("theme", "click", () => {
      state.dark = !state.dark;
      this.#theme();
    });
    on("legend-all", "click", () => this.#hide([]));
    on("legend-none", "click", () => this.#hide(state.column.names.keys()));
    on("show-all", "click", () => {
      this.filters.clear();
      this.show();
      drawLegend(this);
    });
    on("unpin", "click", () => this.pin(null));
    on("deselect", "click", () => this.deselect());
    on("selection-zoom", "click", () => scene.fit(state.selection.rows));
    on("export", "click", () => this.#export());
  }

  #goToStage(number) {
    const { state } = this;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#toStage(number, still ? 0 : MOTION);
    if (state.column.staged) this.#color();
    this.show();
    drawPinned(this);
    if (state.selection) drawSelection(this);
  }

  #hide(codes) {
    this.filters.hide(this.state.column, codes);
    this.show();
    drawLegend(this);
  }
}

function start() {
  let page;
  try {
    page = new Page();
  } catch (error) {
    trouble(
      `The map cannot be drawn; it needs a browser with WebGL 2, switched on. (${error.message})`,
    );
    throw error;
  }
  page.scene.addEventListener("frame", () => performance.mark("dimred-first-frame"), {
    once: true,
  });
  // For scripts that look at the page, such as its tests.
  window.dimred = { page };
}

start();
