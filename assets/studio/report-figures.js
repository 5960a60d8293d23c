/** Below a curve: what it says in a sentence, and its numbers as a table for who cannot or would not read curves. */

import { make, write } from "./dom.js";
import { say } from "./words.js";

/** In place of the learning curve: why there is none. */
export function noCurve() {
  const text = make("p", { "data-testid": "report-no-curve" });
  const element = make("section", { className: "t-hood-part" }, make("h3", {}, say("page.hood.learning.title")), text);

  return {
    element,
    /** @param {import("./types.d.ts").Report} report */
    update({ learning, learning_text }) {
      element.hidden = Boolean(learning) || !learning_text;
      write(text, learning_text);
    },
  };
}

/** @param {import("./types.d.ts").Mount} place */
export function mountFigure({ element, props, watch }) {
  const text = make("p", {});
  const head = make("tr", {});
  const body = make("tbody", {});
  const table = make("table", { className: "t-figure-table" }, make("thead", {}, head), body);
  const more = make("details", { className: "t-figure-more", "data-testid": `${props.name}-table` }, make("summary", {}, say("page.report.as_table")), make("div", { className: "t-scroll", tabIndex: 0, role: "region", "aria-label": say("page.report.as_table") }, table));
  const root = make("div", { className: "t-root t-figure-note", hidden: true }, text, more);
  element.replaceChildren(root);

  function update() {
    const value = /** @type {import("./types.d.ts").Figure | null} */ (props.value);
    root.hidden = !value;
    if (!value) return;
    write(text, value.text);
    text.hidden = !value.text;
    head.replaceChildren(...value.headers.map((header) => make("th", { scope: "col" }, header)));
    body.replaceChildren(...value.rows.map(row));
  }

  watch("value", update);
  update();
  return root;
}

/** @param {string[]} cells */
function row([first = "", ...others]) {
  return make("tr", {}, make("th", { scope: "row" }, first), ...others.map((cell) => make("td", {}, cell)));
}
