/** The explanations behind "?": a click elsewhere or Escape closes them. */

import { make } from "./dom.js";

/**
 * A "?" with an explanation behind it, as `help.html` gives the native controls.
 * @param {string} label
 * @param {string} text
 */
export function help(label, text) {
  return make("details", { name: "t-help", className: "t-root t-help" }, make("summary", { "aria-label": label, title: label }, "?"), make("p", {}, text));
}

/** Begin. Once per page. */
export function startHelp() {
  const close = (/** @type {Event} */ event) => {
    for (const open of document.querySelectorAll("details.t-help[open]")) {
      if (event instanceof KeyboardEvent || !(event.target instanceof Node && open.contains(event.target))) open.removeAttribute("open");
    }
  };
  document.addEventListener("pointerdown", close);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close(event));
}
