/**
 * The surface on which a map is looked at and selected from: by pointer, by finger and by keyboard. It owns the gestures;
 * what is selected is told to whoever made it.
 */

import { make } from "./dom.js";
import { paintPointer, paintPoints, radius } from "./map-paint.js";
import { rectangle } from "./map-points.js";
import { say } from "./words.js";

/** @typedef {import("./map-points.js").Points} Points */
/** @typedef {import("./map-points.js").Place} Place */
/** @typedef {"lasso" | "rectangle" | "look"} Tool */
/** `only`: instead of what was chosen. `more`: as well. `swap`: the other way round. @typedef {"only" | "more" | "swap"} How */

/** A press that moves less is a click. */
const CLICK_PIXELS = 4;
/** How near the pointer must be to a point. */
const NEAR_PIXELS = 12;
const ZOOM_STEP = 1.5;

/** Where the arrow keys go: right, down. @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {{ looked: (index: number, spoken: boolean) => void, picked: (indices: number[], how: How) => void,
 *   remove: () => void, help: string }} told `looked`: at a point, or -1 at none; `spoken` where a key went there. `remove`:
 *   the Delete key. `help`: id of the text about the keys
 */
export function mapStage({ looked, picked, remove, help }) {
  const base = make("canvas", { className: "t-map-points", "aria-hidden": "true" });
  const top = make("canvas", { className: "t-map-pointer", "aria-hidden": "true" });
  const element = make(
    "div",
    { className: "t-map-stage", tabIndex: 0, role: "application", "aria-label": say("page.map.stage"), "aria-describedby": help, "data-testid": "map-stage" },
    base,
    top,
  );

  /** @type {Points | null} */
  let points = null;
  /** @type {string[]} */
  let colors = [];
  /** @type {ReadonlySet<number>} */
  let chosen = new Set();
  /** @type {Tool} */
  let tool = "lasso";
  let at = -1;
  /** @type {{ from: Place, last: Place, outline: Place[], more: boolean, moved: boolean } | null} */
  let press = null;
  let waiting = { base: false, top: false, frame: 0 };

  /** @param {"base" | "top"} which */
  function repaint(which) {
    waiting[which] = true;
    waiting.frame ||= requestAnimationFrame(() => {
      const { base: below, top: above } = waiting;
      waiting = { base: false, top: false, frame: 0 };
      if (!points) return;
      if (below) paintPoints(base, points, { colors, chosen });
      if (below || above) paintPointer(top, points, { at, outline: press?.moved && tool !== "look" ? press.outline : null });
    });
  }

  function fit() {
    if (!points || !element.clientWidth) return;
    points.layOut(element.clientWidth, element.clientHeight);
    element.dataset.zoomed = String(points.zoom > 1);
    repaint("base");
  }

  /** @param {number} index @param {boolean} [spoken] */
  function lookAt(index, spoken = false) {
    if (index === at && !spoken) return;
    at = index;
    looked(index, spoken);
    repaint("top");
  }

  /** @param {PointerEvent | WheelEvent} event @returns {Place} */
  function placeOf(event) {
    const frame = element.getBoundingClientRect();
    return { x: event.clientX - frame.left - element.clientLeft, y: event.clientY - frame.top - element.clientTop };
  }

  /** @param {Place} place */
  const near = (place) => points?.nearest(place, Math.max(NEAR_PIXELS, radius(points) + 4)) ?? -1;

  /** The point in the middle, where the keys begin. */
  const central = () => points?.nearest({ x: points.size.width / 2, y: points.size.height / 2 }, Infinity) ?? -1;

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !points) return;
    element.setPointerCapture(event.pointerId);
    const from = placeOf(event);
    press = { from, last: from, outline: [from], more: event.shiftKey || event.ctrlKey || event.metaKey, moved: false };
  });
  element.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (!press) return lookAt(near(place));
    press.moved ||= Math.hypot(place.x - press.from.x, place.y - press.from.y) > CLICK_PIXELS;
    if (!press.moved) return;
    lookAt(-1);
    if (tool === "look") {
      points?.pan(place.x - press.last.x, place.y - press.last.y);
      repaint("base");
    } else press.outline = tool === "rectangle" ? rectangle(press.from, place) : [...press.outline, place];
    press.last = place;
    repaint("top");
  });
  element.addEventListener("pointerup", (event) => {
    const ended = press;
    press = null;
    if (!ended || !points) return;
    if (!ended.moved) {
      const index = near(placeOf(event));
      if (index >= 0) {
        picked([index], "swap");
        lookAt(index);
      } else if (!ended.more) picked([], "only");
    } else if (tool !== "look") picked(points.within(ended.outline), ended.more ? "more" : "only");
    repaint("top");
  });
  for (const name of ["pointercancel", "lostpointercapture"])
    element.addEventListener(name, () => {
      press = null;
      repaint("top");
    });
  element.addEventListener("pointerleave", () => press || lookAt(-1));
  element.addEventListener(
    "wheel",
    (event) => {
      // The wheel alone scrolls the page; a pinch on a trackpad comes with Ctrl.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 200), placeOf(event));
    },
    { passive: false },
  );

  element.addEventListener("focus", () => {
    if (at < 0 && element.matches(":focus-visible")) lookAt(central(), true);
  });
  element.addEventListener("blur", () => lookAt(-1));
  element.addEventListener("keydown", (event) => {
    if (!points || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) step(arrow, event.shiftKey);
    else if (event.key === " " || event.key === "Enter") at >= 0 && picked([at], "swap");
    else if (event.key === "Escape" && chosen.size) {
      event.stopPropagation();
      picked([], "only");
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) picked(all(), "only");
    else if (event.key === "Delete") remove();
    else if (event.key === "+" || event.key === "=") zoom(ZOOM_STEP, at >= 0 ? { x: points.x[at] ?? 0, y: points.y[at] ?? 0 } : undefined);
    else if (event.key === "-") zoom(1 / ZOOM_STEP);
    else if (event.key === "0") zoom(0);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  });

  /** @param {[number, number]} arrow @param {boolean} choosing */
  function step([right, below], choosing) {
    if (!points) return;
    const from = at >= 0 ? at : central();
    if (from < 0) return;
    const to = at >= 0 ? points.next(from, right, below) : from;
    if (points.reveal(to)) repaint("base");
    if (choosing) picked([from, to], "more");
    lookAt(to, true);
  }

  /** @returns {number[]} */
  function all() {
    return points ? [...points.hidden.keys()].filter((index) => !points?.hidden[index]) : [];
  }

  /**
   * @param {number} factor 0 for the whole map
   * @param {Place} [place]
   */
  function zoom(factor, place) {
    if (!points) return;
    points.zoomBy(factor, place);
    element.dataset.zoomed = String(points.zoom > 1);
    repaint("base");
  }

  new ResizeObserver(fit).observe(element);
  // Both modes have colours of their own.
  new MutationObserver(() => repaint("base")).observe(document.body, { attributes: true, attributeFilter: ["class"] });

  return {
    element,
    all,
    zoomIn: () => zoom(ZOOM_STEP),
    zoomOut: () => zoom(1 / ZOOM_STEP),
    whole: () => zoom(0),
    /** @param {Tool} wanted */
    use(wanted) {
      tool = wanted;
      element.dataset.tool = wanted;
    },
    /** @param {Points | null} wanted @param {string[]} palette */
    show(wanted, palette) {
      if (wanted && points) Object.assign(wanted, { zoom: points.zoom, middle: points.middle });
      [points, colors] = [wanted, palette];
      lookAt(-1);
      fit();
    },
    /** @param {ReadonlySet<number>} indices */
    choose(indices) {
      chosen = indices;
      repaint("base");
    },
    repaint: () => repaint("base"),
  };
}
