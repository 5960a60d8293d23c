/** The heat map of the winning class over the picture, where the model saw it; hatched is what it did not see. */

import { make } from "../studio/dom.js";
import { about } from "./words.js";

export function heatMap() {
  const canvas = make("canvas", { className: "o-heat", "data-testid": "heat" });
  const outside = make("div", { className: "o-outside", "data-testid": "outside" });
  const element = make("div", { className: "o-look", hidden: true, "aria-hidden": "true" }, outside, canvas);
  return {
    element,
    /** Whether a part of the picture is outside what the model sees. */
    edge: () => !element.hidden && !outside.hidden,
    /**
     * @param {import("./model.js").Heat | null} heat nothing is shown without
     * @param {number} width of the picture below
     * @param {number} height of it
     */
    show(heat, width, height) {
      element.hidden = !heat;
      if (!heat) return;
      draw(canvas, heat);
      // The model sees a square in the middle of the picture.
      const side = Math.min(width, height) * (about.view ?? 1);
      const [across, down] = [(100 * side) / width, (100 * side) / height];
      canvas.style.inlineSize = `${across}%`;
      canvas.style.blockSize = `${down}%`;
      outside.hidden = side === width && side === height;
      const [left, top, right, bottom] = [50 - across / 2, 50 - down / 2, 50 + across / 2, 50 + down / 2].map((part) => `${part}%`);
      const hole = `${left} ${top}, ${left} ${bottom}, ${right} ${bottom}, ${right} ${top}, ${left} ${top}`;
      outside.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${hole})`;
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
