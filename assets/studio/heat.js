/**
 * The heat map of a class over a picture, where the model saw it; hatched is what it did not see. The Studio and the
 * offline page share it. The words beside it belong to whoever shows it.
 */

import { make } from "./dom.js";

/** @typedef {{ values: ArrayLike<number>, height: number, width: number }} Heat how much each place speaks for a class */

/** To be put over a picture, in an element that is exactly as large and positioned. */
export function heatMap() {
  const canvas = make("canvas", { className: "t-heat", "data-testid": "heat" });
  const outside = make("div", { className: "t-heat-outside", "data-testid": "outside" });
  const element = make("div", { className: "t-heat-map", hidden: true, "aria-hidden": "true" }, outside, canvas);
  /** Where the map lies, as it was last put. */
  let place = "";
  return {
    element,
    /** Whether a part of the picture is outside what the model sees. */
    edge: () => !element.hidden && !outside.hidden,
    /**
     * @param {Heat | null} heat nothing is shown without
     * @param {number} width of the picture below
     * @param {number} height of it
     * @param {number} view part of the shorter side of the picture that the model sees
     */
    show(heat, width, height, view) {
      element.hidden = !heat;
      if (!heat) return;
      draw(canvas, heat);
      // In a live picture this hardly ever changes, and asking the browser for nothing costs nothing.
      if (place === `${width} ${height} ${view}`) return;
      place = `${width} ${height} ${view}`;
      // The model sees a square in the middle of the picture.
      const side = Math.min(width, height) * view;
      const [across, down] = [(100 * side) / width, (100 * side) / height];
      canvas.style.inlineSize = `${across}%`;
      canvas.style.blockSize = `${down}%`;
      outside.hidden = side === width && side === height;
      element.toggleAttribute("data-edge", !outside.hidden);
      const [left, top, right, bottom] = [50 - across / 2, 50 - down / 2, 50 + across / 2, 50 + down / 2].map((part) => `${part}%`);
      const hole = `${left} ${top}, ${left} ${bottom}, ${right} ${bottom}, ${right} ${top}, ${left} ${top}`;
      outside.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${hole})`;
    },
  };
}

/**
 * Let the place of a photo be exactly as large as the photo, whatever its shape, so that a map can lie over it.
 * @param {HTMLElement} place with the class `t-photo-place`
 * @param {HTMLImageElement} image that has loaded
 */
export function fitPlace(place, { naturalWidth: width, naturalHeight: height }) {
  if (width && height) place.style.setProperty("--ratio", String(width / height));
}

/**
 * A pixel for each place, which the browser blurs into one another. Only what speaks for the class is shown.
 * @param {HTMLCanvasElement} canvas
 * @param {Heat} heat
 */
function draw(canvas, { values, width, height }) {
  let most = 0;
  for (let place = 0; place < values.length; place += 1) most = Math.max(most, values[place] ?? 0);
  const pixels = new ImageData(width, height);
  for (let place = 0; place < values.length; place += 1) {
    const share = most > 0 ? Math.max(0, (values[place] ?? 0) / most) : 0;
    // From a dark veil to a warm light, so that it shows on pictures of every colour.
    pixels.data.set([12 + 243 * share, 14 + 200 * share ** 2, 40, 175 - 65 * share], 4 * place);
  }
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
