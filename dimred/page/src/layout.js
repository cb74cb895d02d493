// What is folded away on small screens: the tools behind a button, the panels in a sheet below.

import { about } from "./data.js";
import { byId, element } from "./dom.js";

function toggle(button, of, name, isOpen) {
  of.dataset[name] = isOpen ? "open" : "";
  button.ariaExpanded = String(isOpen);
}

export function openTools(isOpen) {
  toggle(byId("tools-toggle"), document.body, "tools", isOpen);
}

/** Open the sheet, or fold it; it matters on small screens only. */
export function openSheet(isOpen) {
  toggle(byId("sheet"), byId("panels"), "sheet", isOpen);
}

/** Say on the sheet what it holds. */
export function nameSheet(text) {
  byId("sheet-name").textContent = text;
}

/** How good the map is, and what is missing of its files. */
function fillNotes() {
  const { verdict, missing } = about;
  byId("verdict").hidden = !verdict;
  if (verdict) {
    byId("verdict-said").append(element("strong", {}, verdict.word), " ", verdict.text);
    byId("verdict-advice").textContent = verdict.advice ?? "";
    byId("verdict").open = Boolean(verdict.advice) && !isSmall.matches;
  }
  byId("missing").hidden = !missing;
  byId("missing").textContent = missing ?? "";
}

const isSmall = matchMedia("(max-width: 760px), (max-height: 500px)");

export function listenLayout() {
  fillNotes();
  openTools(false);
  openSheet(false);
  byId("tools-toggle").addEventListener("click", () => openTools(!document.body.dataset.tools));
  byId("sheet").addEventListener("click", () => openSheet(!byId("panels").dataset.sheet));
  byId("map").addEventListener("pointerdown", () => openTools(false), true);
}
