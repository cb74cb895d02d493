// Words explained where they stand: a "?" beside them, which opens by mouse, touch or keys.

import { about, columns } from "./data.js";
import { byId, element } from "./dom.js";

const WORDS = {
  z: "Z is the map: where the network puts each image, in the dimensions that it was trained to end in.",
  h: "H is what the network sees in an image before that is squeezed into the map: its features, in many dimensions.",
  "near-z": "The images nearest to this one on the map (Z). Solid lines lead to them.",
  "near-h":
    "The images nearest to this one in the network's features (H). Dashed lines lead to them; where they are far apart, the map has torn apart what the network finds alike.",
  stage: "Training goes in stages, one after another. The slider shows the map as it was after each; the last is the result.",
  measure:
    "kNN accuracy: the share of images whose class is that of most of their nearest neighbors, on the map (z) or in the network's features (h). Guessing gives chance, one in the number of classes.",
  outliers:
    "Outliers are images far from all others for what is usual around them: often odd, broken or alone of their kind.",
  near_duplicates: "Near-duplicates are images that are almost the same, pixel by pixel: copies, crops, a burst.",
  label_issues: "Label issues are images whose neighbors are nearly all of another class: mislabeled, or hard to tell.",
  clusters: "Clusters are islands of the map: groups of images with empty space around them.",
  placed:
    "Images that were not trained on, put on the map by `dimred embed`. A vote is the class of most of their nearest images on the map, with the share of these. Far from everything: farther from all images than they are from one another, so the vote says little.",
};
const OF_COLUMNS = {
  loss: "How hard an image was in this stage, averaged over its views: high where the network cannot tell it from others, or finds nothing like it.",
  cluster: "The island of the map that an image lies on: a group with empty space around it. “none” lies between islands.",
  split: "Whether the network was trained on an image, or it was held back to test it.",
  class: "The label that came with an image. Most losses do not use it.",
};

/** What a column means; "" where that goes without saying, or only its owner knows. */
export function meaning(column) {
  return column.help || OF_COLUMNS[column.name] || "";
}

/** A button that explains `word`; an empty text where there is nothing to say. */
export function what(name, word) {
  return explain(WORDS[name] ?? "", word);
}

export function whatColumn(column) {
  return explain(meaning(column), column.title);
}

function explain(text, word) {
  if (!text) return "";
  const button = element("button", { type: "button", className: "what", title: text }, "?");
  button.ariaLabel = `What is “${word}”?`;
  button.addEventListener("click", () => open(button, text));
  return button;
}

function open(button, text) {
  const box = byId("meaning");
  box.hidePopover();
  byId("meaning-text").textContent = text;
  box.showPopover({ source: button });
  const { left, bottom, top } = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = bottom + 4 + height <= innerHeight;
  box.style.left = `${Math.max(4, Math.min(left - 12, innerWidth - width - 4))}px`;
  box.style.top = `${below ? bottom + 4 : Math.max(4, top - 4 - height)}px`;
}

/** The "?" of the words that stand on the page from the start. */
export function explainHeader() {
  byId("stages").append(what("stage", "stage"));
  const measures = `${byId("subtitle").textContent} ${about.verdict?.text ?? ""}`;
  if (/knn|neighbor|accuracy/i.test(measures)) {
    byId("subtitle").append(" ", what("measure", "kNN accuracy"));
  }
  for (const [i, column] of columns.entries()) byId("color").options[i].title = meaning(column);
}
