/** Making elements. It owns the one way this page builds DOM: text is always text, never markup. */

import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Keys with a dash or `role` become attributes, `on` holds listeners, everything else is a property.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [options]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (key === "on") for (const [name, listener] of Object.entries(value)) element.addEventListener(name, listener);
    else if (key === "role" || key === "for" || key === "list" || key.includes("-")) element.setAttribute(key, value);
    else Reflect.set(element, key, value);
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/**
 * One of our icons, hidden from screen readers: the control around it carries the label.
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "t-icon");
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/**
 * A button with an icon, words, or both.
 * @param {{ icon?: keyof typeof ICONS, text?: string, label?: string, look?: string, testid?: string,
 *   press?: (event: MouseEvent) => void }} options `label` is spoken and shown as a tooltip where there is no text
 */
export function button({ icon: name, text, label, look = "quiet", testid, press }) {
  return make(
    "button",
    {
      type: "button",
      className: `t-button t-${look}${text ? "" : " t-only-icon"}`,
      "aria-label": label,
      title: text ? undefined : label,
      "data-testid": testid,
      on: press ? { click: press } : {},
    },
    name ? icon(name) : null,
    text ? make("span", {}, text) : null,
  );
}

/**
 * Put `wanted` into `parent` in that order, touching only what differs, so that focus and running transitions survive.
 * @param {Element} parent
 * @param {Element[]} wanted
 */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

/**
 * Set text only when it differs: nothing flickers, and live regions speak only news.
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An id no one has used yet, for labels and groups of samples. */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Let the arrow keys go from tab to tab, and open each, as the ARIA pattern of tabs says.
 * @param {HTMLElement} tablist
 * @param {HTMLButtonElement[]} tabs
 */
export function arrowKeys(tablist, tabs) {
  tablist.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = tabs.findIndex((tab) => tab === document.activeElement);
    const next = tabs.at((at + step) % tabs.length);
    next?.focus();
    next?.click();
  });
}

/**
 * What is pressed again before it is done is done once.
 * @template {any[]} About
 * @param {(...about: About) => Promise<unknown>} action
 * @returns {(...about: About) => Promise<void>}
 */
export function once(action) {
  let busy = false;
  return async (...about) => {
    if (busy) return;
    busy = true;
    try {
      await action(...about);
    } finally {
      busy = false;
    }
  };
}

/** Screen readers hear at most one text of a speaker in this time. */
const SPEAK_MS = 1000;

/**
 * Return what writes texts into an element that screen readers watch, now and then: the last one is not lost.
 * @param {HTMLElement} spoken
 * @returns {(text: string) => void}
 */
export function speaker(spoken) {
  let last = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  return function speak(text) {
    clearTimeout(later);
    const wait = last + SPEAK_MS - performance.now();
    if (wait > 0) later = setTimeout(() => speak(text), wait);
    else if (spoken.textContent !== text) {
      last = performance.now();
      write(spoken, text);
    }
  };
}
