/**
 * Painting a map on two canvases: the points, which change seldom, and above them what follows the pointer. Ten thousand
 * points are copies of one small picture for each class, which takes a few milliseconds.
 */

import { shapeOf } from "./map-points.js";

/** @typedef {import("./map-points.js").Points} Points */
/** @typedef {import("./map-points.js").Place} Place */

/** Radius of a point in pixels, by the number of points. */
const RADII = /** @type {const} */ ([
  [300, 7],
  [2000, 5],
  [Infinity, 3.5],
]);
/** How much larger points become at most when looked at closely. */
const MOST_GROWTH = 2;
/** The outlines fill a square of this side around their middle, rim included. */
const SQUARE = 18;

/**
 * @param {Points} points
 * @returns {number} pixels from the middle of a point to its rim
 */
export function radius(points) {
  const base = RADII.find(([most]) => points.count <= most)?.[1] ?? 3.5;
  return base * Math.min(MOST_GROWTH, Math.sqrt(points.zoom));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @returns {CanvasRenderingContext2D} whose unit is a CSS pixel, cleared
 */
function fresh(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, wide, high);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/**
 * A class's point as a picture, with a rim in the colour of the ground, so that points on each other can be told apart.
 * @param {number} place
 * @param {string} color
 * @param {string} rim
 * @param {number} size CSS pixels of the square
 */
function stamp(place, color, rim, size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.max(2, Math.ceil(size * (devicePixelRatio || 1)));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(canvas.width / SQUARE, 0, 0, canvas.width / SQUARE, canvas.width / 2, canvas.width / 2);
  const shape = new Path2D(shapeOf(place));
  context.fillStyle = color;
  context.strokeStyle = rim;
  context.lineWidth = 1.6;
  context.fill(shape);
  context.stroke(shape);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Points} points
 * @param {{ colors: string[], chosen: ReadonlySet<number> }} looks `chosen`: indices; if any are, the others are pale
 */
export function paintPoints(canvas, points, { colors, chosen }) {
  const { width, height } = points.size;
  const context = fresh(canvas, width, height);
  const style = getComputedStyle(canvas);
  const [ground, ink] = [style.getPropertyValue("--t-card"), style.getPropertyValue("--t-ink")];
  const size = (radius(points) * SQUARE) / 7;
  const half = size / 2;
  /** @param {string} rim */
  const stamps = (rim) => colors.map((color, place) => stamp(place, color, rim, size));
  const [plain, strong] = [stamps(ground), chosen.size ? stamps(ink) : []];
  /** @param {number} index @param {HTMLCanvasElement[]} among */
  const put = (index, among) => {
    const [x, y] = [points.x[index] ?? 0, points.y[index] ?? 0];
    const picture = among[points.classes[index] ?? 0];
    if (picture && !points.hidden[index] && x > -half && y > -half && x < width + half && y < height + half)
      context.drawImage(picture, x - half, y - half, size, size);
  };
  context.globalAlpha = chosen.size ? 0.3 : 0.9;
  for (let index = 0; index < points.count; index++) if (!chosen.has(index)) put(index, plain);
  context.globalAlpha = 1;
  for (const index of chosen) put(index, strong);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Points} points
 * @param {{ at: number, outline: Place[] | null }} pointer `at`: index of the point to ring, or -1
 */
export function paintPointer(canvas, points, { at, outline }) {
  const { width, height } = points.size;
  const context = fresh(canvas, width, height);
  const style = getComputedStyle(canvas);
  const [accent, ink, ground] = [style.getPropertyValue("--t-accent"), style.getPropertyValue("--t-ink"), style.getPropertyValue("--t-card")];
  const first = outline?.[0];
  if (outline && first) {
    context.beginPath();
    context.moveTo(first.x, first.y);
    for (const { x, y } of outline) context.lineTo(x, y);
    context.closePath();
    context.globalAlpha = 0.12;
    context.fillStyle = accent;
    context.fill("evenodd");
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.strokeStyle = accent;
    context.stroke();
    context.setLineDash([]);
  }
  if (at < 0) return;
  // Two rings: one of them shows on every ground.
  for (const [color, line] of /** @type {const} */ ([[ground, 5], [ink, 2]])) {
    context.beginPath();
    context.arc(points.x[at] ?? 0, points.y[at] ?? 0, radius(points) + 4, 0, 2 * Math.PI);
    context.strokeStyle = color;
    context.lineWidth = line;
    context.stroke();
  }
}
