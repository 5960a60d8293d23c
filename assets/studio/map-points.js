/**
 * The points of a map: where they lie, which of them is near, which are inside an outline. It owns the geometry and the
 * shapes; painting is in `map-paint.js`.
 */

/** @typedef {import("./types.d.ts").SampleMap} SampleMap */
/** @typedef {{ x: number, y: number }} Place */

/**
 * Outlines around the point where they begin, in a square of 16. Seven of them and eight colours make 56 pairs, so that
 * colour is not the only thing that tells classes apart. The downloaded report has the same (`assets/report/shapes.json`).
 */
export const SHAPES = /** @type {const} */ ([
  "m-5.600 0a5.600 5.600 0 1 0 11.200 0a5.600 5.600 0 1 0-11.200 0z",
  "m-5-5h10v10h-10z",
  "m0-6.500 6.400 11.200h-12.800z",
  "m0-7 6 7-6 7-6-7z",
  "m-2.200-6.200h4.400v4h4v4.400h-4v4h-4.400v-4h-4v-4.400h4z",
  "m0 6.500-6.400-11.200h12.800z",
  "m0-7.200 2 5 5.300.300-4.100 3.400 1.300 5.200-4.500-2.900-4.500 2.900 1.300-5.200-4.100-3.400 5.300-.300z",
]);

/**
 * The outline of a class.
 * @param {number} place of the class in the map
 * @returns {string}
 */
export function shapeOf(place) {
  return `M0 0${SHAPES[place % SHAPES.length]}`;
}

/** Kept free at the edges, in pixels. */
const MARGIN = 14;
const MOST_ZOOM = 24;

/** All points of a map, and which part of it is seen. */
export class Points {
  /** @param {SampleMap} map */
  constructor(map) {
    this.count = map.samples.length;
    this.ids = map.samples;
    this.classes = map.classes;
    /** Across and down, 0 to 1. */
    this.across = Float32Array.from(map.x, (x) => (x + 1) / 2);
    this.down = Float32Array.from(map.y, (y) => (1 - y) / 2);
    /** Pixels, once `layOut` was called. */
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    this.hidden = new Uint8Array(this.count);
    this.zoom = 1;
    /** The middle of what is seen, across and down. */
    this.middle = { x: 0.5, y: 0.5 };
    this.size = { width: 1, height: 1 };
  }

  /**
   * Say where each point lies on a surface of so many pixels.
   * @param {number} width
   * @param {number} height
   */
  layOut(width, height) {
    this.size = { width, height };
    const [wide, high] = [width - 2 * MARGIN, height - 2 * MARGIN];
    const half = 0.5 / this.zoom;
    this.middle.x = Math.min(1 - half, Math.max(half, this.middle.x));
    this.middle.y = Math.min(1 - half, Math.max(half, this.middle.y));
    for (let index = 0; index < this.count; index++) {
      this.x[index] = MARGIN + (((this.across[index] ?? 0) - this.middle.x) * this.zoom + 0.5) * wide;
      this.y[index] = MARGIN + (((this.down[index] ?? 0) - this.middle.y) * this.zoom + 0.5) * high;
    }
  }

  /**
   * Look closer, or from farther away, so that what lies at a place stays there.
   * @param {number} factor
   * @param {Place} [at] in pixels; the middle where left out
   */
  zoomBy(factor, at) {
    const { width, height } = this.size;
    const [wide, high] = [width - 2 * MARGIN, height - 2 * MARGIN];
    const [right, below] = at ? [(at.x - MARGIN) / wide - 0.5, (at.y - MARGIN) / high - 0.5] : [0, 0];
    const before = this.zoom;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, before * factor));
    this.middle.x += right / before - right / this.zoom;
    this.middle.y += below / before - below / this.zoom;
    this.layOut(width, height);
  }

  /**
   * Pull the map along.
   * @param {number} x pixels
   * @param {number} y pixels
   */
  pan(x, y) {
    const { width, height } = this.size;
    this.middle.x -= x / ((width - 2 * MARGIN) * this.zoom);
    this.middle.y -= y / ((height - 2 * MARGIN) * this.zoom);
    this.layOut(width, height);
  }

  /**
   * Bring a point into sight.
   * @param {number} index
   */
  reveal(index) {
    const { width, height } = this.size;
    const [x, y] = [this.x[index] ?? 0, this.y[index] ?? 0];
    if (x >= 0 && x <= width && y >= 0 && y <= height) return false;
    this.middle = { x: this.across[index] ?? 0.5, y: this.down[index] ?? 0.5 };
    this.layOut(width, height);
    return true;
  }

  /**
   * The point next to a place.
   * @param {Place} place in pixels
   * @param {number} within pixels
   * @returns {number} its index, or -1
   */
  nearest(place, within) {
    let [best, least] = [-1, within * within];
    for (let index = 0; index < this.count; index++) {
      if (this.hidden[index]) continue;
      const distance = ((this.x[index] ?? 0) - place.x) ** 2 + ((this.y[index] ?? 0) - place.y) ** 2;
      if (distance <= least) [best, least] = [index, distance];
    }
    return best;
  }

  /**
   * The next point in a direction: near, and not far off to the side.
   * @param {number} from index
   * @param {number} right -1, 0 or 1
   * @param {number} below -1, 0 or 1
   * @returns {number} its index, or `from` where there is none
   */
  next(from, right, below) {
    let [best, least] = [from, Infinity];
    const forth = right + below > 0;
    for (let index = 0; index < this.count; index++) {
      if (index === from || this.hidden[index]) continue;
      const [x, y] = [(this.x[index] ?? 0) - (this.x[from] ?? 0), (this.y[index] ?? 0) - (this.y[from] ?? 0)];
      const ahead = x * right + y * below;
      const aside = Math.abs(x * below) + Math.abs(y * right);
      if (ahead < 0 || aside > 2 * ahead) continue;
      // Points on one spot follow each other in their order.
      if (ahead === 0 && index > from !== forth) continue;
      const cost = ahead + 2 * aside;
      if (cost < least || (cost === least && !forth)) [best, least] = [index, cost];
    }
    return best;
  }

  /**
   * The points inside an outline.
   * @param {Place[]} outline corners, in pixels
   * @returns {number[]} indices
   */
  within(outline) {
    const [left, right] = [Math.min(...outline.map(({ x }) => x)), Math.max(...outline.map(({ x }) => x))];
    const [top, bottom] = [Math.min(...outline.map(({ y }) => y)), Math.max(...outline.map(({ y }) => y))];
    /** @type {number[]} */
    const found = [];
    for (let index = 0; index < this.count; index++) {
      const [x, y] = [this.x[index] ?? 0, this.y[index] ?? 0];
      if (this.hidden[index] || x < left || x > right || y < top || y > bottom) continue;
      if (inside(outline, x, y)) found.push(index);
    }
    return found;
  }
}

/**
 * Whether a point is inside an outline: a ray from it crosses the outline an odd number of times.
 * @param {Place[]} outline
 * @param {number} x
 * @param {number} y
 */
export function inside(outline, x, y) {
  let odd = false;
  for (let index = 0, before = outline.length - 1; index < outline.length; before = index++) {
    const [a, b] = [outline[index], outline[before]];
    if (!a || !b || a.y > y === b.y > y) continue;
    if (x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) odd = !odd;
  }
  return odd;
}

/**
 * The corners of a rectangle between two places.
 * @param {Place} a
 * @param {Place} b
 * @returns {Place[]}
 */
export function rectangle(a, b) {
  return [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }];
}
