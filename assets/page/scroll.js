/** Bringing a part of the page into sight, without motion for whoever asked the system for none. */

/**
 * @param {Element} element
 * @param {"start" | "nearest"} block
 */
export function scrollTo(element, block) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block, behavior: still ? "auto" : "smooth" });
}
