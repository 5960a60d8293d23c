/** The colour of a class: a dot that opens eight colours, each readable on the light and the dark page. */

import { icon, make } from "./dom.js";
import { menu } from "./menu.js";
import { say } from "./words.js";

/** Contrast of at least 3:1 against the cards of both themes (WCAG 2.2, 1.4.11). */
const COLORS = /** @type {const} */ ([
  ["#E67701", "orange"],
  ["#D84C6F", "pink"],
  ["#794AEF", "violet"],
  ["#1967D2", "blue"],
  ["#00796B", "teal"],
  ["#0F7B3F", "green"],
  ["#A56300", "brown"],
  ["#6B7280", "grey"],
]);

/** @param {(color: string) => void} chosen */
export function palette(chosen) {
  let current = "";
  const dot = make("button", {
    type: "button",
    className: "t-dot",
    "aria-label": say("page.class.color"),
    title: say("page.class.color"),
    "data-testid": "class-color",
  });
  const element = menu(
    dot,
    () =>
      COLORS.map(([color, name]) => {
        const swatch = icon("check");
        swatch.style.setProperty("--class", color);
        swatch.classList.add("t-swatch");
        return { text: say(`page.color.${name}`), icon: swatch, current: color === current.toUpperCase(), press: () => chosen(color) };
      }),
    { label: say("page.class.color"), align: "start" },
  );
  return {
    element,
    /** @param {string} color */
    show(color) {
      current = color;
    },
  };
}
