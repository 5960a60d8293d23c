/** The ring over the camera that shows time without words: it empties while waiting and fills while recording. */

import { make } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 42;
const AROUND = 2 * Math.PI * RADIUS;

export function ring() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  const arc = document.createElementNS(SVG, "circle");
  for (const [kind, circle] of /** @type {const} */ ([["track", document.createElementNS(SVG, "circle")], ["arc", arc]])) {
    circle.setAttribute("class", `t-ring-${kind}`);
    circle.setAttribute("cx", "50");
    circle.setAttribute("cy", "50");
    circle.setAttribute("r", String(RADIUS));
    svg.append(circle);
  }
  arc.setAttribute("stroke-dasharray", String(AROUND));
  const number = make("span", { className: "t-ring-number" });
  const element = make("div", { className: "t-ring", "aria-hidden": "true", hidden: true }, svg, number);
  /** @type {Animation | null} */
  let running = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let counting;

  /**
   * @param {"wait" | "record"} mood
   * @param {[number, number]} from share of the ring that is missing, at start and end
   * @param {KeyframeAnimationOptions} options
   */
  function animate(mood, [from, to], options) {
    stop();
    element.hidden = false;
    element.dataset.mood = mood;
    running = arc.animate({ strokeDashoffset: [AROUND * from, AROUND * to] }, { fill: "forwards", easing: "linear", ...options });
  }

  function stop() {
    running?.cancel();
    running = null;
    clearInterval(counting);
    number.textContent = "";
    element.hidden = true;
  }

  return {
    element,
    stop,
    /** @param {number} milliseconds of one turn, again and again */
    turn: (milliseconds) => animate("record", [1, 0], { duration: milliseconds, iterations: Infinity }),
    /** @param {number} milliseconds */
    fill: (milliseconds) => animate("record", [1, 0], { duration: milliseconds }),
    /** @param {number} milliseconds until recording begins */
    countDown: (milliseconds) => {
      animate("wait", [0, 1], { duration: milliseconds });
      let left = Math.ceil(milliseconds / 1000);
      number.textContent = String(left);
      counting = setInterval(() => {
        left -= 1;
        number.textContent = left > 0 ? String(left) : "";
      }, 1000);
    },
  };
}
