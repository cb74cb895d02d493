// Words explained where they stand: a "?" beside them, which opens by mouse, touch or keys.

import { about, columns } from "./data.js";
import { byId, element } from "./dom.js";

const WORDS = {
  z: "Z is the map: where the network puts each image, in the dimensions that it was trained to end in.",
  h: "H is what the network sees in an image before that is squeezed into the map: its features, in many dimensions.",
  "near-z": "The images nearest to this one on the map (Z). Solid lines lead to them.",
  "near-h":
    "The images nearest to this one in the network's features (H). Dashed lines lead to them; where they are far apart, the map has torn apart what the network finds alike.",
  heat: "Heat: a square of the image is hidden, here and there. Where it is bright, the image then moves far on the map: the network has put it there for what is shown in that place. In distances to the 15th nearest image; above 1 it leaves its neighbors.",
  shared:
    "Heat of a neighbor: where it is bright and hidden, the neighbor moves away from the pinned image, so that is what holds the two together. Point at a neighbor to see the same of the pinned image.",
  stage: "Training goes in stages, one after another. The slider shows the map as it was after each; the last is the result.",
  measure:
    "kNN accuracy: the share of images whose class is that of most of their nearest neighbors, on the map (z) or in the network's features (h). Always answering the largest class gives chance.",
  unlabeled:
    "Trustworthiness falls with every image that is near another on the map (Z) but far from it in the network's features (H): 1 is perfect, chance is about 0.5. It does not say whether the features know anything. An image's other view is another random crop, flip and coloring of it: where images lie near their other views, the network has learned something.",
  outliers:
    "Outliers are images far from all others for what is usual around them: often odd, broken or alone of their kind.",
  near_duplicates: "Near-duplicates are images that are almost the same, pixel by pixel: copies, but for a small shift, compression, noise or brightness.",
  label_issues: "Label issues are images whose neighbors are nearly all of another class: mislabeled, or hard to tell.",
  clusters: "Clusters are islands of the map: groups of images with empty space around them.",
  placed:
    "Images that were not trained on, put on the map by `dimred embed`. A vote is the class of most of their nearest images on the map, with the share of these. Far from everything: farther from all images than they are from one another, so the vote says little.",
};

/** What a column means; "" where only its owner knows. */
export function meaning(column) {
  return column.help ?? "";
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
  } else if (/trustworthiness|other view/i.test(measures)) {
    byId("subtitle").append(" ", what("unlabeled", "trustworthiness"));
  }
  for (const [i, column] of columns.entries()) byId("color").options[i].title = meaning(column);
}
