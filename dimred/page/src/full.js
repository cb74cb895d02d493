// An image in full, over the page: its file where that is, else its thumbnail.

import { about, fileOf, isAbsent, title } from "./data.js";
import { byId, element } from "./dom.js";
import { picture } from "./images.js";

const SIDE = 640; // of a thumbnail, in pixels

const SHOWN = /\.(jpe?g|jfif|a?png|gif|webp|avif|bmp)$/i; // by browsers

/** Whether a browser shows a file as the map does. */
function isShown(url) {
  return SHOWN.test(url) && !about.files.windowed;
}

function thumbnail(row, why) {
  const room = Math.min(innerWidth - 48, innerHeight - 140, SIDE);
  byId("full-body").replaceChildren(picture(row, Math.max(room, 100)));
  byId("full-said").textContent = why;
}

/** Show a row's image as large as its file and the window allow. Escape closes it. */
export function openFull(row) {
  const url = fileOf(row);
  const source = about.sources?.[row] ?? "";
  byId("full-title").textContent = title(row);
  byId("full-said").textContent = source;
  if (url && !isShown(url)) {
    thumbnail(row, `This is the thumbnail: browsers do not show ${source} as the map does. `);
    byId("full-said").append(element("a", { href: url, target: "_blank", download: "" }, "Download the file"));
  } else if (url) {
    const image = element("img", { alt: title(row) });
    image.addEventListener("error", () => {
      if (image.isConnected) {
        thumbnail(
          row,
          `This is the thumbnail: ${source} is no longer there, or not a picture that browsers show.`,
        );
      }
    });
    image.src = url;
    byId("full-body").replaceChildren(image);
  } else {
    const why = isAbsent(row)
      ? `${source} is gone or has changed since the training.`
      : "the page does not know of a file of this image.";
    thumbnail(row, `This is the thumbnail: ${why}`);
  }
  byId("full").showModal();
}

/** The buttons of the overlay. */
export function listenFull() {
  const dialog = byId("full");
  byId("full-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => byId("full-body").replaceChildren());
}
