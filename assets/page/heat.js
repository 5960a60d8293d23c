/** The heat map of the winning class over the picture, where the model saw it. */

import { make } from "../studio/dom.js";
import { about } from "./words.js";

export function heatMap() {
  const element = make("canvas", { className: "o-heat", hidden: true, "data-testid": "heat", "aria-hidden": "true" });
  return {
    element,
    /**
     * @param {import("./model.js").Heat | null} heat nothing is shown without
     * @param {number} width of the picture below
     * @param {number} height of it
     */
    show(heat, width, height) {
      element.hidden = !heat;
      if (!heat) return;
      draw(element, heat);
      // The model sees a square in the middle of the picture.
      const side = Math.min(width, height) * (about.view ?? 1);
      element.style.inlineSize = `${(100 * side) / width}%`;
      element.style.blockSize = `${(100 * side) / height}%`;
    },
  };
}

/**
 * A pixel for each place, which the browser blurs into one another. Only what speaks for the class is shown.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./model.js").Heat} heat
 */
function draw(canvas, { values, width, height }) {
  const most = Math.max(...values);
  const pixels = new ImageData(width, height);
  values.forEach((value, place) => {
    const share = most > 0 ? Math.max(0, value / most) : 0;
    // From a dark veil to a warm light, so that it shows on pictures of every colour.
    pixels.data.set([12 + 243 * share, 14 + 200 * share ** 2, 40, 175 - 65 * share], 4 * place);
  });
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
