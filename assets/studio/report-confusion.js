/** What was taken for what, as a matrix of numbers: each opens the photos it counts. */

import { make, write } from "./dom.js";
import { className } from "./report-classes.js";
import { testedPhotos } from "./report-store.js";
import { openPhotos } from "./report-photos.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Report} Report */

/** Classes in the matrix; of more than these, the ones mixed up most. */
const MOST = 40;
/** With more columns their names stand upright. */
const LEVEL = 5;
/** The strongest tint of a cell, in per cent: the number on it must stay readable. */
const TINT = 34;
/** The pairs that are named below the matrix. */
const PAIRS = 3;

export function confusionMatrix() {
  const head = make("tr", {});
  const body = make("tbody", {});
  const table = make(
    "table",
    { className: "t-matrix", role: "grid", "aria-label": say("page.report.confusion"), "data-testid": "report-confusion" },
    make("caption", { className: "t-spoken" }, say("page.report.confusion_table")),
    make("thead", {}, head),
    body,
  );
  const note = make("p", { className: "t-muted", hidden: true });
  const pairs = make("ul", { className: "t-matrix-pairs", "data-testid": "report-pairs" });
  const element = make(
    "section",
    { className: "t-hood-part" },
    make("h3", {}, say("page.report.confusion")),
    make("p", { className: "t-muted" }, say("page.report.confusion_about")),
    make("div", { className: "t-scroll" }, table),
    note,
    pairs,
  );
  /** @type {Report | null} */
  let known = null;

  table.addEventListener("keydown", (event) => {
    const at = document.activeElement?.closest("td");
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!at || !step) return;
    event.preventDefault();
    const [down = 0, across = 0] = step;
    const rtl = getComputedStyle(table).direction === "rtl" ? -1 : 1;
    next(at, down, across * rtl)?.focus();
  });

  /**
   * The next cell in a direction that counts anything.
   * @param {HTMLTableCellElement} from
   * @param {number} down
   * @param {number} across
   */
  function next(from, down, across) {
    let row = from.parentElement instanceof HTMLTableRowElement ? from.parentElement.sectionRowIndex : 0;
    let column = from.cellIndex;
    for (;;) {
      row += down;
      column += across;
      if (column < 1 || column >= head.cells.length || !body.rows[row]) return null;
      const found = body.rows[row]?.cells[column]?.querySelector("button");
      if (found) return found;
    }
  }

  /** @param {HTMLElement} chosen the one cell that Tab leads to */
  function tabTo(chosen) {
    for (const one of body.querySelectorAll("button")) one.tabIndex = one === chosen ? 0 : -1;
  }

  body.addEventListener("focusin", (event) => event.target instanceof HTMLButtonElement && tabTo(event.target));

  /**
   * @param {Report} report
   * @param {number[]} shown indices of classes
   */
  function draw(report, shown) {
    const held = document.activeElement;
    const focused = held instanceof HTMLElement && body.contains(held) ? held.dataset.testid : undefined;
    const names = shown.map((at) => report.classes[at]);
    head.replaceChildren(
      make("th", { scope: "col" }, make("span", { className: "t-spoken" }, say("page.report.class"))),
      ...names.map((label) => make("th", { scope: "col", title: label?.name }, label ? className(label) : null)),
    );
    table.toggleAttribute("data-upright", shown.length > LEVEL);
    body.replaceChildren(
      ...shown.map((given) => {
        const label = report.classes[given];
        const counts = report.confusion[given] ?? [];
        const total = counts.reduce((sum, count) => sum + count, 0);
        const cells = shown.map((said) => cell(report, given, said, counts[said] ?? 0, total));
        const untested = make("td", { colSpan: shown.length, className: "t-matrix-none" }, say("page.report.not_tested"));
        return make("tr", {}, make("th", { scope: "row", title: label?.name }, label ? className(label) : null), ...(total ? cells : [untested]));
      }),
    );
    const first = body.querySelector("button");
    if (first) tabTo(first);
    // The keyboard goes on from the same cell, or where the matrix begins.
    const again = focused ? (body.querySelector(`[data-testid="${CSS.escape(focused)}"]`) ?? first) : null;
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  }

  return {
    element,
    /** @param {Report} report */
    update(report) {
      known = report;
      const total = report.classes.length;
      const shown = total <= MOST ? report.classes.map((_, at) => at) : worst(report);
      element.hidden = !report.confusion.some((row) => row.some(Boolean));
      note.hidden = shown.length === total;
      write(note, say("page.report.confusion_some", { count: shown.length, total }));
      draw(report, shown);
      drawPairs();
    },
  };

  function drawPairs() {
    const report = known;
    if (!report) return;
    const focused = [...pairs.querySelectorAll("button")].findIndex((one) => one === document.activeElement);
    pairs.replaceChildren(
      ...mixedUp(report)
        .slice(0, PAIRS)
        .map(([given, said, count]) => {
          const text = say("page.report.taken_for", { count, given: report.classes[given]?.name, said: report.classes[said]?.name });
          return make("li", {}, make("button", { type: "button", className: "t-link", "data-testid": "report-pair", on: { click: () => open(report, given, said) } }, text));
        }),
    );
    if (focused >= 0) (pairs.querySelectorAll("button")[focused] ?? body.querySelector("button"))?.focus({ preventScroll: true });
  }
}

/**
 * @param {Report} report
 * @param {number} given
 * @param {number} said
 * @param {number} count
 * @param {number} total of the row
 */
function cell(report, given, said, count, total) {
  const made = make("td", { "data-right": given === said ? "" : undefined });
  if (!count) {
    made.append(make("span", { className: "t-matrix-none" }, "0"));
    return made;
  }
  const label = say(given === said ? "page.report.cell_right" : "page.report.cell_wrong", { count, given: report.classes[given]?.name, said: report.classes[said]?.name });
  const press = make("button", { type: "button", tabIndex: -1, "aria-label": label, title: label, "data-testid": `cell-${given}-${said}`, on: { click: () => open(report, given, said) } }, String(count));
  press.style.setProperty("--tint", `${Math.round((TINT * count) / total) + 6}%`);
  made.append(press);
  return made;
}

/**
 * Show the photos of a cell.
 * @param {Report} report
 * @param {number} given
 * @param {number} said
 */
function open(report, given, said) {
  const from = report.classes[given];
  const to = report.classes[said];
  if (!from || !to) return;
  const right = given === said;
  openPhotos({
    title: say(right ? "page.report.photos_right" : "page.report.photos_wrong", { given: from.name, said: to.name }),
    about: say(right ? "page.report.photos_right_about" : "page.report.photos_wrong_about", { given: from.name, said: to.name }),
    classes: report.classes,
    load: (offset, limit) => testedPhotos(from.id, to.id, offset, limit),
  });
}

/**
 * The classes most often mixed up, in the order of the model.
 * @param {Report} report
 */
function worst(report) {
  const wrong = report.classes.map(() => 0);
  for (const [given, said, count] of mixedUp(report)) {
    wrong[given] = (wrong[given] ?? 0) + count;
    wrong[said] = (wrong[said] ?? 0) + count;
  }
  const order = report.classes.map((_, at) => at).sort((a, b) => (wrong[b] ?? 0) - (wrong[a] ?? 0));
  return order.slice(0, MOST).sort((a, b) => a - b);
}

/**
 * Pairs of classes with the photos of the first taken for the second, the most first.
 * @param {Report} report
 * @returns {[number, number, number][]}
 */
function mixedUp(report) {
  /** @type {[number, number, number][]} */
  const found = [];
  report.confusion.forEach((row, given) => row.forEach((count, said) => given !== said && count && found.push([given, said, count])));
  return found.sort((a, b) => b[2] - a[2]);
}
