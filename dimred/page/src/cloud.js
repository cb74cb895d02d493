// The points of the map: where they are, their colors, and what is drawn of each.

import {
  BufferAttribute,
  BufferGeometry,
  Color,
  ColorManagement,
  NormalBlending,
  Points,
  ShaderMaterial,
} from "three";

// What is drawn of a point.
export const HIDDEN = 0;
export const DIM = 1;
export const PLAIN = 2;
export const STRONG = 3;

// Colors are those of CSS, from the page to the screen.
ColorManagement.enabled = false;

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

export class Cloud extends Points {
  #fade = 1;

  /** n: number of points. solid: whether the map is 3-D. */
  constructor(n, solid) {
    const geometry = new BufferGeometry();
    for (const [name, width] of [
      ["position", 3],
      ["tint", 3],
      ["state", 1],
    ]) {
      geometry.setAttribute(name, new BufferAttribute(new Float32Array(width * n), width));
    }
    const order = shuffled(n);
    geometry.setIndex(new BufferAttribute(order.slice(), 1));
    super(geometry, materialOf(n, solid));
    this.n = n;
    this.shuffled = order;
    this.positions = geometry.attributes.position.array;
    this.states = geometry.attributes.state.array.fill(PLAIN);
    this.frustumCulled = false;
  }

  /** The positions have changed. */
  moved() {
    this.geometry.attributes.position.needsUpdate = true;
  }

  /** Colors (3 n,) of the points, each from 0 to 1, and of the background, a Color. */
  color(tints, background) {
    this.geometry.attributes.tint.array.set(tints);
    this.geometry.attributes.tint.needsUpdate = true;
    this.material.uniforms.background.value = background;
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
  }

  /** How strongly points are drawn, 0 to 1: not at all where images stand in their place. */
  set fade(value) {
    this.#fade = value;
    this.material.uniforms.fade.value = value;
  }

  /** Draw a share of the points only: the last of the order, which are random ones and those that
   * lie on top. */
  thin(share) {
    const count = this.#fade > 0 ? Math.ceil(this.n * share) : 0;
    this.geometry.setDrawRange(this.n - count, count);
  }

  /** Diameter in CSS pixels, and of how many pixels of the screen each of these is. */
  resize(diameter, ratio) {
    this.material.uniforms.size.value = diameter * ratio;
  }
}

function materialOf(n, solid) {
  return new ShaderMaterial({
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
}

/** Diameter of a point in pixels: less for many, more when zoomed in. */
export function pointSize(n, zoom, side) {
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
