/**
 * A list of small pictures that stays quick with 50,000 of them: only the rows in sight, and a few around them, exist.
 *
 * It owns places, scrolling and the keyboard. What a picture is made of, and which are known, is handed in.
 */

import { arrange, make } from "./dom.js";
import { say } from "./words.js";

/** Smallest side of a picture, and the gap between two, in pixels. */
const SIDE = 46;
const GAP = 6;
/** Pictures that are shown without scrolling, in full rows. */
const SHOWN = 24;
/** Rows that exist above and below those in sight. */
const AROUND = 2;
/** Of a row that is only partly in sight, so that it shows that there is more. */
const PEEK = 0.4;
/** Part of the window that a large list takes. */
const LARGE = 0.7;

/**
 * @param {{ count: () => number, cell: (place: number) => HTMLLIElement, want: (first: number, end: number) => void,
 *   scrolled: () => void, extend: (from: number, to: number) => boolean }} on
 *   `cell`: the element of a place, the same as long as it shows the same; the button in it takes the focus.
 *   `want`: these places are looked at. `extend`: Shift was held while going from one place to another; returns whether
 *   that means anything now.
 */
export function sampleGrid(on) {
  const list = make("ul", { className: "t-grid", role: "list", "aria-label": say("page.samples.list") });
  const view = make("div", { className: "t-grid-view", "data-testid": "samples-view" }, list);
  let columns = 1;
  /** From one row to the next, in pixels. */
  let step = SIDE + GAP;
  let large = false;
  /** The place that Tab leads to. */
  let active = 0;
  /** The focus goes there as soon as its picture is known. */
  let coming = -1;
  let drawing = 0;

  new ResizeObserver(() => measure() && update()).observe(view);
  view.addEventListener("scroll", schedule, { passive: true });
  view.addEventListener("keydown", press);
  view.addEventListener("focusin", (event) => {
    const place = placeOf(event.target);
    if (place >= 0) active = place;
  });

  /** Find out how many fit side by side; returns whether that changed anything. */
  function measure() {
    const width = list.clientWidth;
    if (!width) return false;
    const before = [columns, step];
    const top = Math.floor(view.scrollTop / step) * columns;
    columns = Math.max(1, Math.floor((width + GAP) / (SIDE + GAP)));
    step = (width + GAP) / columns;
    if (before[0] === columns && before[1] === step) return false;
    layout();
    view.scrollTop = Math.floor(top / columns) * step;
    return true;
  }

  function rows() {
    return Math.ceil(on.count() / columns);
  }

  /** Rows in sight. */
  function tall() {
    return Math.max(Math.ceil(SHOWN / columns), large ? Math.floor((innerHeight * LARGE) / step) : 0);
  }

  function layout() {
    const all = rows();
    const fits = all <= tall();
    list.style.blockSize = `${Math.max(0, all * step - GAP)}px`;
    view.style.blockSize = fits ? "" : `${(tall() + PEEK) * step}px`;
    view.toggleAttribute("data-scrolls", !fits);
  }

  /**
   * Places in sight: the first, and the one after the last.
   * @returns {[number, number]}
   */
  function sight() {
    const first = Math.max(0, Math.floor((view.scrollTop + GAP) / step));
    const end = Math.ceil((view.scrollTop + view.clientHeight - GAP) / step);
    return [Math.min(on.count(), first * columns), Math.min(on.count(), Math.max(end, first + 1) * columns)];
  }

  function schedule() {
    if (!drawing) drawing = requestAnimationFrame(draw);
  }

  function draw() {
    drawing = 0;
    const count = on.count();
    const [seen, unseen] = sight();
    const first = Math.max(0, seen - AROUND * columns);
    const end = Math.min(count, unseen + AROUND * columns);
    active = Math.max(0, Math.min(active, count - 1));
    const places = [];
    for (let place = first; place < end; place++) places.push(place);
    // What has the focus, or will get it, must exist.
    if (count && active < first) places.unshift(active);
    if (count && active >= end) places.push(active);
    on.want(first, end);
    arrange(list, places.map((place) => put(on.cell(place), place, count)));
    if (coming >= 0) void focus(coming);
    on.scrolled();
  }

  /**
   * @param {HTMLLIElement} element
   * @param {number} place
   * @param {number} count
   */
  function put(element, place, count) {
    element.dataset.place = String(place);
    element.setAttribute("aria-setsize", String(count));
    element.setAttribute("aria-posinset", String(place + 1));
    const style = element.style;
    style.inlineSize = style.blockSize = `${step - GAP}px`;
    style.insetInlineStart = `${(place % columns) * step}px`;
    style.insetBlockStart = `${Math.floor(place / columns) * step}px`;
    const open = element.querySelector("button");
    if (open) open.tabIndex = place === active ? 0 : -1;
    return element;
  }

  /** @param {EventTarget | null} target */
  function placeOf(target) {
    const cell = target instanceof Element ? target.closest("[data-place]") : null;
    return cell instanceof HTMLElement ? Number(cell.dataset.place) : -1;
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    const from = placeOf(event.target);
    if (from < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const forth = getComputedStyle(view).direction === "rtl" ? -1 : 1;
    const page = Math.max(1, tall() - 1) * columns;
    const last = on.count() - 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowRight: from + forth,
      ArrowLeft: from - forth,
      ArrowDown: from + columns,
      ArrowUp: from - columns,
      PageDown: from + page,
      PageUp: from - page,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const to = Math.max(0, Math.min(last, target));
    if (event.shiftKey && !on.extend(from, to)) return;
    go(to);
  }

  /**
   * Bring a place into sight and give it the focus.
   * @param {number} place
   */
  function go(place) {
    active = coming = place;
    const top = Math.floor(place / columns) * step;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + step > view.scrollTop + view.clientHeight) view.scrollTop = top + step - view.clientHeight + PEEK * step;
    draw();
  }

  /** @param {number} place */
  function focus(place) {
    const open = list.querySelector(`[data-place="${place}"] button`);
    if (!(open instanceof HTMLElement)) return;
    coming = -1;
    open.focus({ preventScroll: true });
  }

  /** Bring everything up to date. */
  function update() {
    measure();
    layout();
    draw();
  }

  return {
    element: view,
    update,
    sight,
    /** Go on by what is in sight. @param {1 | -1} by */
    turn(by) {
      const behaviour = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
      view.scrollBy({ top: by * tall() * step, behavior: behaviour });
    },
    /** Take more of the window, or less. @param {boolean} on */
    enlarge(on) {
      large = on;
      update();
    },
    get atStart() {
      return view.scrollTop <= 1;
    },
    get atEnd() {
      return view.scrollTop + view.clientHeight >= view.scrollHeight - 1;
    },
    get scrolls() {
      return rows() > Math.ceil(SHOWN / columns);
    },
  };
}
