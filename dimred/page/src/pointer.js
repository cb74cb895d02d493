// Mouse, touch and keyboard on the map. Panning, zooming and turning by mouse and touch is the
// camera's own (OrbitControls); here is what a hover, a click, a drag of a tool and a key mean.

import { box, inside, nearest } from "./picking.js";

const SLOP = 5; // pixels that a click may move

/** map: the element around the canvases, which takes the keys. page: what it acts on. */
export function listen(map, scene, overlay, page) {
  const { state } = page;
  let began = null; // where the pointer went down
  let drawing = false;
  let stayed = true; // so far as near to there as a click may be

  const abandon = () => {
    began = null;
    drawing = false;
    state.outline = [];
    scene.draw();
  };

  const place = (event) => {
    const { left, top } = map.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };

  // Before the camera sees it: a tool, or Shift, draws an outline instead of moving the map.
  map.addEventListener(
    "pointerdown",
    (event) => {
      map.focus({ preventScroll: true });
      map.classList.remove("by-keys");
      if (event.button !== 0 || !event.isPrimary) {
        abandon(); // another button or a second finger
        return;
      }
      began = place(event);
      drawing = state.tool !== "pan" || event.shiftKey;
      stayed = true;
      page.hover(null);
      if (!drawing) return;
      event.stopPropagation();
      map.setPointerCapture(event.pointerId);
      state.outline = [began];
    },
    true,
  );

  map.addEventListener("pointermove", (event) => {
    const here = place(event);
    if (began) stayed &&= Math.hypot(here[0] - began[0], here[1] - began[1]) <= SLOP;
    if (began && drawing) {
      if (state.tool === "box") state.outline = box(began, here);
      else state.outline.push(here);
      scene.draw();
    } else if (!began && event.pointerType !== "touch") {
      page.hover(nearest(scene, overlay, ...here), here);
    }
  });

  window.addEventListener("pointerup", (event) => {
    if (!began) return;
    const here = place(event);
    stayed &&= Math.hypot(here[0] - began[0], here[1] - began[1]) <= SLOP;
    if (stayed) page.pin(nearest(scene, overlay, ...here));
    else if (drawing) page.select(inside(scene, state.outline));
    abandon();
  });

  window.addEventListener("pointercancel", abandon);
  map.addEventListener("pointerleave", () => page.hover(null));

  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    map.classList.add("by-keys"); // shows its middle, which Enter pins
    const step = 60;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in arrows) {
      const [dx, dy] = arrows[event.key];
      if (event.shiftKey && scene.solid) scene.turnBy(-dx * 0.15, -dy * 0.15);
      else scene.panBy(dx * step, dy * step);
    } else if (event.key === "+" || event.key === "=") scene.zoomBy(1.4);
    else if (event.key === "-") scene.zoomBy(1 / 1.4);
    else if (event.key === "0") scene.reset();
    else if (event.key === "Enter") {
      page.enter(nearest(scene, overlay, scene.width / 2, scene.height / 2, true));
    }
    else if (event.key === "Escape") {
      abandon();
      page.clear();
    }
    else return;
    event.preventDefault();
  });
}
