// The page: what is shown, and what changes it.

import { about, array, told, values } from "./data.js";
import { DIM, HIDDEN, PLAIN, STRONG } from "./cloud.js";
import { background, css, tints } from "./color.js";
import { Overlay } from "./overlay.js";
import {
  csvOf,
  drawLegend,
  drawPinned,
  drawSelection,
  drawTip,
  images,
  markHighlight,
  title,
} from "./panels.js";
import { listen } from "./pointer.js";
import { Scene } from "./scene.js";

const MOTION = 700; // milliseconds from stage to stage
const MAX_RINGS = 400;

const byId = (id) => document.getElementById(id);

/** The rows of a finding, each once. */
function rowsOf(finding) {
  return [...new Set(finding.groups.flatMap((group) => group.rows))];
}

/** Say why there is no map, in its place; "" when there is one. */
function trouble(text) {
  byId("trouble").hidden = !text;
  byId("trouble").textContent = text;
}

class Page {
  constructor() {
    const last = about.stages.length - 1;
    this.state = {
      stage: last,
      column: about.columns[0],
      hidden: new Map(), // column -> set of codes
      highlight: null, // { column, code }
      selection: null, // { title, rows, groups: [{ title, rows }] }
      pinned: null,
      hovered: null,
      marked: [],
      outline: [],
      tool: "pan",
      thumbnails: true,
      dark: matchMedia("(prefers-color-scheme: dark)").matches,
    };
    this.map = byId("map");
    this.scene = new Scene(byId("points"), about.n, about.dims === 3);
    this.overlay = new Overlay(byId("overlay"), this.scene, this.state, (row) =>
      css(this.tints.subarray(3 * row, 3 * row + 3)),
    );
    this.#controls();
    this.#toStage(last, 0);
    this.#theme();
    listen(this.map, this.scene, this.overlay, this);
    this.scene.addEventListener("view", () => this.hover(null)); // its point is elsewhere now
    this.scene.addEventListener("lost", () =>
      trouble("The browser has stopped drawing (WebGL was lost). If the map stays blank, reload."),
    );
    this.scene.addEventListener("restored", () => trouble(""));
  }

  // ---- what is shown of each point

  hiddenOf(column) {
    return this.state.hidden.get(column) ?? new Set();
  }

  setHidden(column, code, isHidden) {
    const codes = new Set(this.hiddenOf(column));
    codes[isHidden ? "add" : "delete"](code);
    this.state.hidden.set(column, codes);
    this.#show();
  }

  /** Make a category stand out, or no longer if it does; a selection ends by that. */
  highlight(column, code) {
    const { highlight } = this.state;
    const is = highlight?.column === column && highlight.code === code;
    this.#deselect();
    this.state.highlight = is ? null : { column, code };
    markHighlight(this);
    this.#show();
  }

  #deselect() {
    Object.assign(this.state, { highlight: null, selection: null, marked: [] });
    byId("marks").value = "";
    drawSelection(this);
    markHighlight(this);
  }

  #show() {
    const { hidden, highlight, selection, stage } = this.state;
    const filters = [...hidden]
      .filter(([, codes]) => codes.size)
      .map(([column, codes]) => [values(column, stage), codes]);
    const isHidden = (row) => filters.some(([codes, off]) => off.has(codes[row]));
    const strong = highlight && values(highlight.column, stage);
    const selected = selection && new Set(selection.rows);
    this.scene.show((row) => {
      if (isHidden(row)) return HIDDEN;
      if (selected) return selected.has(row) ? STRONG : DIM;
      if (strong) return strong[row] === highlight.code ? STRONG : DIM;
      return PLAIN;
    });
    const shown = this.scene.states.reduce((sum, state) => sum + (state !== HIDDEN), 0);
    byId("shown").textContent =
      shown < about.n ? `${shown.toLocaleString("en")} of ${images(about.n)} shown` : "";
    byId("show-all").hidden = shown === about.n;
    this.overlay.refresh();
  }

  #color() {
    const { column, stage, dark } = this.state;
    this.tints = tints(column, values(column, stage), about.palette, dark);
    this.scene.color(this.tints, background(dark));
    drawLegend(this);
  }

  #theme() {
    document.documentElement.dataset.theme = this.state.dark ? "dark" : "light";
    byId("theme").ariaPressed = String(this.state.dark);
    this.#color();
    this.#show();
  }

  // ---- stages

  #toStage(number, milliseconds) {
    const { dims } = about;
    const { name, caption, center, scale } = about.stages[number];
    const z = array(`z-${number}`);
    const places = new Float32Array(3 * about.n);
    for (let row = 0; row < about.n; row++) {
      for (let i = 0; i < dims; i++) {
        places[3 * row + i] = (z[row * dims + i] - center[i]) / scale;
      }
    }
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
    this.state.pinned = row;
    if (row !== null && center) {
      const [x, y] = this.scene.placeOf(row);
      const { width, height } = this.scene;
      if (x < 0 || y < 0 || x > width || y > height) this.scene.center(row, 1);
    }
    drawPinned(this);
    const hidden = row !== null && this.scene.states[row] === HIDDEN;
    if (row !== null) this.say(`Pinned ${title(row)}${hidden ? ", which is hidden" : ""}`);
    this.scene.draw();
  }

  /** Select rows: those found by `how`, in groups or together. */
  select(rows, how = "Selected", groups = [{ title: "", rows }], rings = false) {
    if (!rows.length) return this.say("Nothing there", true);
    this.#deselect();
    this.state.selection = { title: how, rows, groups };
    this.state.marked = rings && rows.length <= MAX_RINGS ? rows : [];
    drawSelection(this);
    this.say(`${how}: ${images(rows.length)}`);
    return this.#show();
  }

  /** Nothing is pinned, selected or highlighted. */
  clear() {
    byId("search").value = "";
    this.pin(null);
    this.deselect();
  }

  deselect() {
    this.#deselect();
    this.#show();
    this.say("");
  }

  /** Tell screen readers, and all where nothing else on the page says it. */
  say(text, alone = false) {
    byId("said").textContent = text;
    byId("said").classList.toggle("unseen", !alone);
  }

  /** A number is an index, or a label of just that name; other words are parts of labels, files. */
  #search(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return this.clear();
    const isNumber = /^\d+$/.test(wanted);
    const pinned = isNumber ? array("index").indexOf(Number(wanted)) : -1;
    const labels = about.columns.filter((column) => column.kind === "category");
    const found = [];
    for (let row = 0; row < about.n; row++) {
      const texts = labels.map((column) => told(column, row, this.state.stage));
      if (about.sources) texts.push(about.sources[row]);
      const fits = (told) => (isNumber ? told === wanted : told.toLowerCase().includes(wanted));
      if (texts.some(fits)) found.push(row);
    }
    if (found.length || pinned < 0) this.select(found, `“${text.trim()}”`);
    if (pinned >= 0) this.pin(pinned, true);
    return undefined;
  }

  #mark(name) {
    const kind = about.findings.find((one) => one.name === name);
    if (!kind) return this.deselect();
    this.select(rowsOf(kind), kind.title, kind.groups, true);
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
    about.columns.forEach((column, i) => colors.append(new Option(column.title, i)));
    colors.closest("label").hidden = about.columns.length < 2;
    on("color", "change", () => {
      state.column = about.columns[colors.value];
      this.#color();
      this.overlay.refresh();
    });
    byId("stages").hidden = about.stages.length < 2;
    byId("stage").max = about.stages.length - 1;
    on("stage", "input", (event) => {
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.#toStage(Number(event.target.value), still ? 0 : MOTION);
      if (state.column.staged) this.#color();
      this.#show();
      drawPinned(this);
    });
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
      state.hidden.clear();
      this.#show();
      drawLegend(this);
    });
    on("unpin", "click", () => this.pin(null));
    on("deselect", "click", () => this.deselect());
    on("export", "click", () => this.#export());
  }

  #hide(codes) {
    this.state.hidden.set(this.state.column, new Set(codes));
    this.#show();
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
