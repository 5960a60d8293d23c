/** How unlike the photos it was made from something must be for the answer "Not sure": the slider, and what follows. */

import { make, write } from "../studio/dom.js";
import { about, say } from "./words.js";

/** The slider counts photos of a hundred: so many of those that do show a class get "Not sure" too. */
const OF = 100;
const MOST = 50;

let below = about.below ?? 0;

/**
 * Whether a picture is too unlike those the model was made from for an answer.
 * @param {import("./model.js").Seen | null} seen
 */
export function isUnsure(seen) {
  return typeof seen?.familiarity === "number" && !(seen.familiarity >= below);
}

/** @param {{ changed: () => void }} options `changed`: what is shown has to be judged anew */
export function strictness({ changed }) {
  const slider = make("input", { type: "range", min: "0", max: String(MOST), step: "1", className: "t-slider", id: "strictness", "data-testid": "strictness" });
  const text = make("p", { className: "t-muted o-strict-about", id: "strictness-about", "data-testid": "strictness-about" });
  const ends = make("div", { className: "t-between t-muted", "aria-hidden": "true" }, make("span", {}, say("strict_low")), make("span", {}, say("strict_high")));
  const title = make("label", { className: "t-small-title", htmlFor: slider.id }, say("strict"));
  slider.setAttribute("aria-describedby", text.id);

  function draw() {
    const count = Math.round(OF * below);
    slider.value = String(count);
    write(text, count ? say("strict_about", { count }) : say("strict_never"));
    slider.setAttribute("aria-valuetext", text.textContent ?? "");
    slider.style.setProperty("--at", `${(100 * count) / MOST}%`);
  }

  slider.addEventListener("input", () => {
    below = Number(slider.value) / OF;
    draw();
    changed();
  });
  draw();
  return make("div", { className: "o-strict", hidden: about.below === null }, title, slider, ends, text);
}
