/**
 * Small drawings of what browsers show before a page whose certificate nobody else vouches for. They are sketches of
 * our own: a window, grey lines for text nobody needs to read, and the one thing to press with its words.
 */

import { say } from "../studio/words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const HEIGHT = 216;

/** @typedef {"chrome" | "safari" | "firefox" | "edge"} Browser */

/**
 * The picture of one step; screen readers get the words beside it.
 * @param {Browser} browser
 * @param {number} step from 0
 * @param {string} host what stands in the address line
 */
export function drawing(browser, step, host) {
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "c-drawing", "aria-hidden": "true" });
  svg.append(...frame(host), ...SCREENS[browser](step, host));
  return svg;
}

/** @type {Record<Browser, (step: number, host: string) => Element[]>} */
const SCREENS = {
  chrome: (step, host) =>
    step === 0
      ? [...sign(44), ...lines(92, [220, 250, 180]), ...press(28, 150, 104, say("page.warn.chrome.button1"), "plain"), ...other(196, 150, 96)]
      : [...sign(44), ...lines(86, [220, 180]), ...other(28, 118, 104), ...lines(164, [150]), ...press(28, 174, 264, say("page.warn.chrome.button2", { host }), "link")],
  edge: (step, host) =>
    step === 0
      ? [...sign(44), ...lines(92, [200, 250, 210]), ...press(28, 150, 104, say("page.warn.edge.button1"), "plain"), ...other(196, 150, 96)]
      : [...sign(44), ...lines(86, [200, 230]), ...other(28, 118, 104), ...lines(164, [190]), ...press(28, 174, 264, say("page.warn.edge.button2", { host }), "link")],
  firefox: (step) =>
    step === 0
      ? [...sign(44), ...lines(92, [230, 260, 200]), ...other(84, 150, 104), ...press(196, 150, 104, say("page.warn.firefox.button1"), "plain")]
      : [...sign(44), ...other(196, 88, 104), ...box(24, 122, 276, 82), ...lines(136, [200, 150], 36), ...press(84, 160, 208, say("page.warn.firefox.button2"), "plain")],
  safari: (step) => {
    if (step === 0) return [...sign(44), ...lines(92, [230, 250, 160]), ...other(28, 150, 104), ...press(188, 150, 104, say("page.warn.safari.button1"), "plain")];
    if (step === 1) return [...sign(44), ...lines(84, [230, 160]), ...box(24, 116, 276, 84), ...lines(130, [220, 190], 36), ...press(36, 158, 150, say("page.warn.safari.button2"), "link")];
    return [...sign(44), ...lines(92, [230, 250, 160]), node("rect", { x: 0, y: 34, width: WIDTH, height: HEIGHT - 34, class: "d-veil" }), ...box(50, 76, 220, 104, true), ...lines(96, [150, 170], 72), ...other(64, 136, 88), ...press(162, 136, 96, say("page.warn.safari.button3"), "plain")];
  },
};

/** @param {string} host */
function frame(host) {
  const words = text(66, 22, host.length > 30 ? `${host.slice(0, 29)}…` : host, "d-host");
  return [
    node("rect", { x: 1, y: 1, width: WIDTH - 2, height: HEIGHT - 2, rx: 12, class: "d-window" }),
    node("path", { d: `M1 34H${WIDTH - 1}`, class: "d-edge" }),
    ...[16, 27, 38].map((x) => node("circle", { cx: x, cy: 18, r: 3.2, class: "d-soft" })),
    node("rect", { x: 52, y: 9, width: WIDTH - 66, height: 18, rx: 9, class: "d-field" }),
    words,
  ];
}

/**
 * A warning sign; no browser's own.
 * @param {number} y
 */
function sign(y) {
  return [
    node("path", { d: `M44 ${y}l15 26a2 2 0 0 1-2 3H31a2 2 0 0 1-2-3z`, class: "d-sign" }),
    node("path", { d: `M44 ${y + 10}v9M44 ${y + 24}v.1`, class: "d-mark" }),
  ];
}

/**
 * Text that needs no reading.
 * @param {number} y
 * @param {number[]} widths
 * @param {number} [x]
 */
function lines(y, widths, x = 28) {
  return widths.map((width, line) => node("rect", { x, y: y + line * 14, width, height: 6, rx: 3, class: "d-soft" }));
}

/**
 * A button that is not the one.
 * @param {number} x
 * @param {number} y
 * @param {number} width
 */
function other(x, y, width) {
  return [node("rect", { x, y, width, height: 28, rx: 8, class: "d-other" }), node("rect", { x: x + 16, y: y + 11, width: width - 32, height: 6, rx: 3, class: "d-soft" })];
}

/**
 * What to press: its words, a ring around it and a finger's touch.
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {string} words
 * @param {"plain" | "link"} kind
 */
function press(x, y, width, words, kind) {
  const label = kind === "link" ? text(x + 4, y + 18, words, "d-link") : text(x + width / 2, y + 18, words, "d-button");
  // Long addresses are pressed together rather than cut: the words have to be found on the screen.
  const room = width - 12;
  if (words.length * 6.6 > room) {
    label.setAttribute("textLength", String(room));
    label.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
  return [
    ...(kind === "plain" ? [node("rect", { x, y, width, height: 28, rx: 8, class: "d-plain" })] : []),
    label,
    node("rect", { x: x - 5, y: y - 5, width: width + 10, height: 38, rx: 12, class: "d-ring" }),
  ];
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {boolean} [high] it stands in front of the rest
 */
function box(x, y, width, height, high = false) {
  return [node("rect", { x, y, width, height, rx: 10, class: high ? "d-window" : "d-box" })];
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} words
 * @param {string} look
 */
function text(x, y, words, look) {
  const element = node("text", { x, y, class: look });
  element.textContent = words;
  return element;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function node(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
