// The scatter plot: points in WebGL, a camera that is moved by mouse, touch and keyboard.

import {
  BufferAttribute,
  BufferGeometry,
  Color,
  ColorManagement,
  LinearSRGBColorSpace,
  MOUSE,
  NormalBlending,
  OrthographicCamera,
  Points,
  Scene as Objects,
  ShaderMaterial,
  TOUCH,
  Matrix4,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

// What is drawn of a point.
export const HIDDEN = 0;
export const DIM = 1;
export const PLAIN = 2;
export const STRONG = 3;

// Colours are those of CSS, from the page to the screen.
ColorManagement.enabled = false;

const MARGIN = 1.06; // half the height of the view, in units of half the map
const MAX_ZOOM = 5000;
// While it moves, a map that the machine draws slowly is thinned out until it is fluent. Between the
// two lies no refresh rate of a screen.
const SLOW = 45; // milliseconds from picture to picture
const FLUENT = 40;
const LEAST_SHARE = 0.15; // of the points
const STILL = 180; // milliseconds, after which all of them are drawn

const vertex = `
  attribute vec3 tint;
  attribute float state;
  uniform float size;
  uniform float fade;
  uniform float opacity;
  uniform float depth;
  varying vec3 vTint;
  varying float vAlpha;
  varying float vFog;
  void main() {
    vec4 seen = modelViewMatrix * vec4(position, 1.0);
    gl_Position = projectionMatrix * seen;
    if (state < 0.5) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = size * (state > 2.5 ? 1.4 : 1.0);
    vTint = tint;
    vAlpha = (state < 1.5 ? 0.12 : state > 2.5 ? 1.0 : opacity) * fade;
    vFog = depth * clamp((-seen.z - 9.0) * 0.5, 0.0, 1.0);
  }`;

const fragment = `
  uniform vec3 background;
  varying vec3 vTint;
  varying float vAlpha;
  varying float vFog;
  void main() {
    float r = length(gl_PointCoord - 0.5) * 2.0;
    float alpha = clamp((1.0 - r) / fwidth(r) + 0.5, 0.0, 1.0) * vAlpha;
    if (alpha < 0.01) discard;
    gl_FragColor = vec4(mix(vTint, background, vFog * 0.6), alpha);
  }`;

/** Raises an Error where the browser has no WebGL 2. */
export class Scene extends EventTarget {
  #fade = 1;

  /**
   * canvas: to draw on. n: number of points. solid: whether the map is 3-D.
   * Dispatches "frame" after each picture, "view" when the camera has moved.
   */
  constructor(canvas, n, solid) {
    super();
    this.canvas = canvas;
    this.n = n;
    this.solid = solid;
    this.renderer = new WebGLRenderer({ canvas, antialias: false, alpha: false });
    this.renderer.outputColorSpace = LinearSRGBColorSpace;
    this.camera = new OrthographicCamera(-1, 1, 1, -1, 0.1, 100);
    this.geometry = new BufferGeometry();
    this.positions = new Float32Array(3 * n);
    this.states = new Float32Array(n).fill(PLAIN);
    for (const [name, content, width] of [
      ["position", this.positions, 3],
      ["tint", new Float32Array(3 * n), 3],
      ["state", this.states, 1],
    ]) {
      this.geometry.setAttribute(name, new BufferAttribute(content, width));
    }
    this.shuffled = shuffled(n);
    this.share = 1; // of the points, drawn while the map moves
    this.motion = null; // the next picture of points on their way, if they are
    this.geometry.setIndex(new BufferAttribute(this.shuffled.slice(), 1));
    this.material = new ShaderMaterial({
      vertexShader: vertex,
      fragmentShader: fragment,
      transparent: true,
      blending: NormalBlending,
      depthTest: solid,
      depthWrite: solid,
      uniforms: {
        size: { value: 4 },
        fade: { value: 1 },
        opacity: { value: 0.85 * Math.min((3000 / n) ** 0.15, 1) }, // where they lie is seen
        depth: { value: solid ? 1 : 0 },
        background: { value: new Color() },
      },
    });
    const cloud = new Points(this.geometry, this.material);
    cloud.frustumCulled = false;
    this.objects = new Objects();
    this.objects.add(cloud);
    // What three.js restores is drawn when something else asks for it; the page does.
    canvas.addEventListener("webglcontextrestored", () => this.draw());
    this.controls = this.#controls();
    this.reset();
    new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    this.resize();
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

  /** Draw as many points of a moving map as the machine has time for, all of one that is still. */
  #thin() {
    // The last of the order, which are random ones and those that lie on top.
    const all = this.#fade > 0 ? this.n : 0;
    const count = this.moving ? Math.ceil(all * this.share) : all;
    this.geometry.setDrawRange(this.n - count, count);
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
  centre(row, zoom) {
    const place = new Vector3().fromArray(this.positions, 3 * row);
    const shift = place.sub(this.controls.target);
    this.camera.position.add(shift);
    this.controls.target.add(shift);
    this.camera.zoom = Math.max(this.camera.zoom, zoom);
    this.camera.updateProjectionMatrix();
    this.controls.update();
    this.#moved();
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
      this.#placed();
      this.motion = done < 1 ? requestAnimationFrame(step) : null;
    };
    this.motion = requestAnimationFrame(step);
  }

  #placed() {
    this.geometry.attributes.position.needsUpdate = true;
    this.#moved();
  }

  /** Colours (3 n,) of the points, each from 0 to 1, and of the background. */
  colour(tints, background) {
    this.geometry.attributes.tint.array.set(tints);
    this.geometry.attributes.tint.needsUpdate = true;
    const colour = new Color(background);
    this.material.uniforms.background.value = colour;
    this.renderer.setClearColor(colour);
    this.draw();
  }

  /** What is drawn of each point, by `stateOf(row)`; strong ones lie above the others. */
  show(stateOf) {
    const order = this.geometry.index.array;
    let dim = 0;
    const strong = [];
    for (const row of this.shuffled) {
      const state = stateOf(row);
      this.states[row] = state;
      if (state === STRONG) strong.push(row);
      else order[dim++] = row;
    }
    order.set(strong, dim);
    this.geometry.index.needsUpdate = true;
    this.geometry.attributes.state.needsUpdate = true;
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
    this.#thin();
    const { uniforms } = this.material;
    this.pointSize = pointSize(this.n, this.camera.zoom, Math.min(this.width, this.height));
    uniforms.size.value = this.pointSize * this.renderer.getPixelRatio();
    this.renderer.render(this.objects, this.camera);
    this.dispatchEvent(new Event("frame"));
    if (this.moving) requestAnimationFrame((next) => this.learn(next - now));
  }

  /** How strongly points are drawn, 0 to 1: not at all where images stand in their place. */
  set fade(value) {
    this.#fade = value;
    this.material.uniforms.fade.value = value;
  }

  /**
   * Places of all points on the screen, in pixels: calls `use(row, x, y, depth)` for those that are
   * drawn and within the view.
   */
  seen(use) {
    this.camera.updateMatrixWorld();
    const view = new Matrix4().multiplyMatrices(
      this.camera.projectionMatrix,
      this.camera.matrixWorldInverse,
    ).elements;
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
    const place = new Vector3().fromArray(this.positions, 3 * row).project(this.camera);
    return [((place.x + 1) / 2) * this.width, ((1 - place.y) / 2) * this.height];
  }
}

/** Diameter of a point in pixels: less for many, more when zoomed in. */
function pointSize(n, zoom, side) {
  const whole = Math.min(Math.max((side / 90) * (1500 / n) ** 0.28, 2.4), 10);
  return Math.min(whole * zoom ** 0.35, 16);
}

/** 0 to n - 1 in an order without regard to class, always the same: no class lies on top. */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let seed = 1;
  for (let i = n - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
