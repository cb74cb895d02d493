// The scatter plot: points in WebGL, a camera that is moved by mouse, touch and keyboard.

import {
  Color,
  LinearSRGBColorSpace,
  Matrix4,
  MOUSE,
  OrthographicCamera,
  Scene as Objects,
  TOUCH,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { Cloud, HIDDEN, pointSize } from "./cloud.js";

const MARGIN = 1.06; // half the height of the view, in units of half the map
const MAX_ZOOM = 5000;
const MAX_FIT = 60; // zoom to a single row or copies of one, which have no extent
// While it moves, a map that the machine draws slowly is thinned out until it is fluent. Between the
// two lies no refresh rate of a screen.
const SLOW = 45; // milliseconds from picture to picture
const FLUENT = 40;
const LEAST_SHARE = 0.15; // of the points
const STILL = 180; // milliseconds, after which all of them are drawn

/** Raises an Error where the browser has no WebGL 2. */
export class Scene extends EventTarget {
  /**
   * canvas: to draw on. n: number of points. solid: whether the map is 3-D.
   * Dispatches "frame" after each picture, "view" when the camera has moved, "placed" when the points
   * have, "lost" when the browser has taken WebGL away and "restored" when it is back.
   */
  constructor(canvas, n, solid) {
    super();
    this.canvas = canvas;
    this.n = n;
    this.count = n; // of points that are not hidden
    this.solid = solid;
    this.renderer = new WebGLRenderer({ canvas, antialias: false, alpha: false });
    this.renderer.outputColorSpace = LinearSRGBColorSpace;
    this.camera = new OrthographicCamera(-1, 1, 1, -1, 0.1, 100);
    this.cloud = new Cloud(n, solid);
    this.objects = new Objects().add(this.cloud);
    this.further = new Float32Array(0); // places after those of the points, drawn by others
    this.share = 1; // of the points, drawn while the map moves
    this.motion = null; // the next picture of points on their way, if they are
    // What three.js restores is drawn when something else asks for it; the page does.
    canvas.addEventListener("webglcontextrestored", () => {
      this.draw();
      this.dispatchEvent(new Event("restored"));
    });
    canvas.addEventListener("webglcontextlost", () => this.dispatchEvent(new Event("lost")));
    this.controls = this.#controls();
    this.reset();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.resize();
  }

  /** Where the points are (3 n,). */
  get positions() {
    return this.cloud.positions;
  }

  /** What is drawn of each. */
  get states() {
    return this.cloud.states;
  }

  #controls() {
    const controls = new OrbitControls(this.camera, this.canvas);
    controls.enableDamping = false;
    controls.screenSpacePanning = true;
    controls.zoomToCursor = true;
    controls.minZoom = 0.5;
    controls.maxZoom = MAX_ZOOM;
    controls.enableRotate = this.solid;
    if (!this.solid) {
      controls.mouseButtons = { LEFT: MOUSE.PAN, MIDDLE: MOUSE.DOLLY, RIGHT: MOUSE.PAN };
      controls.touches = { ONE: TOUCH.PAN, TWO: TOUCH.DOLLY_PAN };
    }
    controls.addEventListener("change", () => this.#moved());
    return controls;
  }

  #moved() {
    this.dispatchEvent(new Event("view"));
    this.moving = true;
    clearTimeout(this.stilled);
    this.stilled = setTimeout(() => {
      this.moving = false;
      if (this.share < 1) this.draw();
    }, STILL);
    this.draw();
  }

  /** How long a picture of the moving map took: until the screen could take the next. */
  learn(took) {
    if (took > SLOW) this.share = Math.max(this.share * 0.75, LEAST_SHARE);
    else if (took < FLUENT) this.share = Math.min(this.share * 1.1, 1);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    const half = MARGIN * Math.max(1, height / width);
    const across = (half * width) / height;
    Object.assign(this.camera, { left: -across, right: across, top: half, bottom: -half });
    this.camera.updateProjectionMatrix();
    this.#moved();
  }

  /** The whole map, from the front. */
  reset() {
    this.controls.target.set(0, 0, 0);
    this.camera.position.set(0, 0, 10);
    this.camera.up.set(0, 1, 0);
    this.camera.zoom = 1;
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.#moved();
  }

  /** Zoom about the middle of the view. */
  zoomBy(factor) {
    this.camera.zoom = Math.min(Math.max(this.camera.zoom * factor, 0.5), MAX_ZOOM);
    this.camera.updateProjectionMatrix();
    this.#moved();
  }

  /** Move the view by pixels. */
  panBy(dx, dy) {
    const unit = (this.camera.top - this.camera.bottom) / this.camera.zoom / this.height;
    const shift = new Vector3()
      .setFromMatrixColumn(this.camera.matrix, 0)
      .multiplyScalar(dx * unit)
      .addScaledVector(new Vector3().setFromMatrixColumn(this.camera.matrix, 1), -dy * unit);
    this.camera.position.add(shift);
    this.controls.target.add(shift);
    this.controls.update();
    this.#moved();
  }

  /** Turn a 3-D map by radians. */
  turnBy(across, up) {
    const offset = this.camera.position.clone().sub(this.controls.target);
    offset.applyAxisAngle(this.camera.up, across);
    const side = new Vector3().setFromMatrixColumn(this.camera.matrix, 0);
    offset.applyAxisAngle(side, up);
    this.camera.position.copy(this.controls.target).add(offset);
    this.controls.update();
    this.#moved();
  }

  /** Put a row in the middle, at least this close. */
  center(row, zoom) {
    const place = this.#pointOf(row);
    const shift = place.sub(this.controls.target);
    this.camera.position.add(shift);
    this.controls.target.add(shift);
    this.camera.zoom = Math.max(this.camera.zoom, zoom);
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.#moved();
  }

  /** Show these rows as large as the view allows, with room around them. */
  fit(rows) {
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const row of rows) {
      const [x, y] = this.placeOf(row);
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
    this.panBy((left + right - this.width) / 2, (top + bottom - this.height) / 2);
    const room = 0.8 * Math.min(this.width / (right - left + 1), this.height / (bottom - top + 1));
    this.zoomBy(Math.min(room, MAX_FIT / Math.min(this.camera.zoom, MAX_FIT)));
  }

  /** Move the points to other places, (3 n,), gradually over so many milliseconds. */
  moveTo(places, milliseconds) {
    if (this.motion !== null) cancelAnimationFrame(this.motion);
    this.motion = null;
    if (!milliseconds) {
      this.positions.set(places);
      return this.#placed();
    }
    const from = this.positions.slice();
    const began = performance.now();
    const step = (now) => {
      const done = Math.min((now - began) / milliseconds, 1);
      const eased = done * done * (3 - 2 * done);
      for (let i = 0; i < places.length; i++) {
        this.positions[i] = from[i] + (places[i] - from[i]) * eased;
      }
      this.motion = done < 1 ? requestAnimationFrame(step) : null;
      this.#placed();
    };
    this.motion = requestAnimationFrame(step);
  }

  #placed() {
    this.cloud.moved();
    this.dispatchEvent(new Event("placed"));
    this.#moved();
  }

  /** Colors (3 n,) of the points, each from 0 to 1, and of the background, as CSS. */
  color(tints, background) {
    const color = new Color(background);
    this.cloud.color(tints, color);
    this.renderer.setClearColor(color);
    this.draw();
  }

  /** What is drawn of each point, as `Cloud.show`. */
  show(stateOf) {
    this.cloud.show(stateOf);
    this.count = this.states.reduce((sum, state) => sum + (state !== HIDDEN), 0);
    this.draw();
  }

  /** Draw before the next picture of the screen. */
  draw() {
    this.pending ??= requestAnimationFrame((now) => {
      this.pending = undefined;
      this.#drawNow(now);
    });
  }

  #drawNow(now) {
    this.cloud.thin(this.moving ? this.share : 1);
    this.pointSize = pointSize(this.n, this.camera.zoom, Math.min(this.width, this.height));
    this.cloud.resize(this.pointSize, this.renderer.getPixelRatio());
    this.renderer.render(this.objects, this.camera);
    this.dispatchEvent(new Event("frame"));
    if (this.moving) requestAnimationFrame((next) => this.learn(next - now));
  }

  /**
   * Places of all points on the screen, in pixels: calls `use(row, x, y, depth)` for those that are
   * drawn and within the view.
   */
  seen(use) {
    const view = this.#viewMatrix();
    const { positions, states, width, height } = this;
    for (let row = 0, i = 0; row < this.n; row++, i += 3) {
      if (states[row] === HIDDEN) continue;
      const x = positions[i];
      const y = positions[i + 1];
      const z = positions[i + 2];
      const across = view[0] * x + view[4] * y + view[8] * z + view[12];
      const up = view[1] * x + view[5] * y + view[9] * z + view[13];
      if (across < -1 || across > 1 || up < -1 || up > 1) continue;
      const depth = view[2] * x + view[6] * y + view[10] * z + view[14];
      use(row, ((across + 1) / 2) * width, ((1 - up) / 2) * height, depth);
    }
  }

  /** Where one row is on the screen, [x, y] in pixels, be it within the view or not. */
  placeOf(row) {
    const point = this.#pointOf(row).project(this.camera);
    return [((point.x + 1) / 2) * this.width, ((1 - point.y) / 2) * this.height];
  }

  /** Where places (x, y, z) of the map are on the screen now: a function for many of them. */
  projection() {
    const view = this.#viewMatrix();
    const { width, height } = this;
    return (x, y, z) => [
      ((view[0] * x + view[4] * y + view[8] * z + view[12] + 1) / 2) * width,
      ((1 - view[1] * x - view[5] * y - view[9] * z - view[13]) / 2) * height,
    ];
  }

  #viewMatrix() {
    this.camera.updateMatrixWorld();
    const { projectionMatrix, matrixWorldInverse } = this.camera;
    return new Matrix4().multiplyMatrices(projectionMatrix, matrixWorldInverse).elements;
  }

  #pointOf(row) {
    const isFurther = row >= this.n;
    const point = new Vector3();
    return point.fromArray(isFurther ? this.further : this.positions, 3 * (row - isFurther * this.n));
  }
}
