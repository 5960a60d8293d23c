/** Each class of the model: how many of its photos were found, how far its name can be trusted, and what would help it. */

import { button, make, write } from "./dom.js";
import { help } from "./help.js";
import { end, say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").ClassReport} ClassReport */

const FIGURES = /** @type {const} */ (["recall", "precision", "f1"]);
/** Rows shown at first; the others on request. */
const MOST = 12;

export function classTable() {
  const body = make("tbody", {});
  const headings = FIGURES.map((name) => {
    const label = say(`page.report.${name}`);
    return make("th", { scope: "col" }, make("span", {}, label), help(say("page.report.what", { name: label }), say(`page.report.${name}_help`)));
  });
  const table = make(
    "table",
    { className: "t-hood-classes", "data-testid": "report-classes" },
    make("caption", { className: "t-spoken" }, say("page.report.classes_table")),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, say("page.report.class")), ...headings, make("th", { scope: "col" }, say("page.report.advice")))),
    body,
  );
  const all = button({ text: " ", look: "ghost", testid: "report-all-classes", press: () => open() });
  const note = make("p", { className: "t-muted", "data-testid": "report-classes-text" });
  const element = make("section", { className: "t-hood-part" }, make("h3", {}, say("page.report.per_class")), table, all, note);
  /** @type {ClassReport[]} */
  let classes = [];
  /** Classes tested with photos that were kept for it. @type {Set<string>} */
  let kept = new Set();
  let whole = false;

  function open() {
    whole = true;
    draw();
    body.children[MOST]?.querySelector("th")?.focus({ preventScroll: true });
  }

  function draw() {
    const shown = whole ? classes : classes.slice(0, MOST);
    body.replaceChildren(...shown.map((one) => row(one, kept.has(one.id))));
    all.hidden = shown.length === classes.length;
    const label = all.lastElementChild;
    if (label) label.textContent = say("page.report.all_classes", { count: classes.length });
  }

  return {
    element,
    /** @param {import("./types.d.ts").Report} report */
    update(report) {
      classes = report.classes;
      kept = new Set((report.test?.per_class ?? []).flatMap(([id, { total }]) => (total ? [id] : [])));
      write(note, report.classes_text);
      note.hidden = !report.classes_text;
      draw();
    },
  };
}

/**
 * @param {ClassReport} label
 * @param {boolean} kept photos kept for testing say something about it
 */
function row(label, kept) {
  const counts = say("page.report.class_counts", { samples: say("page.report.photos", { count: label.samples }), recordings: say("page.report.recordings", { count: label.recordings }) });
  const line = make("tr", { "data-testid": "report-class", "data-id": label.id }, make("th", { scope: "row", tabIndex: -1 }, className(label), make("span", { className: "t-muted" }, counts)));
  if (label.judged) {
    const { share, correct, total, low, high } = label.recall;
    const about = [say("page.report.of_all", { correct, total })];
    if (low !== null && high !== null) about.push(say("page.report.between", { low: end(low), high: end(high) }));
    line.append(cell("recall", share, about), cell("precision", label.precision), cell("f1", label.f1));
  } else line.append(make("td", { colSpan: FIGURES.length, className: "t-hood-untested" }, make("span", { className: "t-badge t-badge-warm" }, say(kept ? "page.report.only_kept" : "page.report.not_tested"))));
  line.append(make("td", { className: "t-hood-advice" }, label.advice));
  return line;
}

/**
 * A class by its colour and name.
 * @param {{ name: string, color: string }} label
 */
export function className({ name, color }) {
  const dot = make("span", { className: "t-hood-dot", "aria-hidden": "true" });
  dot.style.setProperty("--class", color);
  return make("span", { className: "t-hood-name" }, dot, make("span", { dir: "auto" }, name));
}

/**
 * One figure with a bar; on a phone, where the headings are far away, it says itself what it is.
 * @param {typeof FIGURES[number]} name
 * @param {number | null} share
 * @param {string[]} about
 */
function cell(name, share, about = []) {
  const bar = make("span", { className: "t-hood-bar", "aria-hidden": "true" }, make("span", {}));
  const fill = bar.firstElementChild;
  if (fill instanceof HTMLElement) fill.style.inlineSize = `${100 * (share ?? 0)}%`;
  const text = make("span", { className: "t-hood-figure" }, share === null ? "–" : stated(share));
  return make("td", { "data-figure": name }, make("div", { className: "t-hood-cell", "data-label": say(`page.report.${name}`) }, text, share === null ? null : bar, ...about.map((one) => make("span", { className: "t-muted" }, one))));
}
