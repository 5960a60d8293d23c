/** The explanations behind "?": a click elsewhere or Escape closes them. */

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
