/** The end of a report: how the model did on the photos kept for testing, and what cannot be known. */

import { make, write } from "./dom.js";
import { className } from "./report-classes.js";
import { range } from "./report-headline.js";
import { say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Report} Report */

export function testResult() {
  const text = make("p", { "data-testid": "report-test" });
  const score = range(say("page.report.on_test"), "test");
  const chart = make("div", { className: "t-hood-ranges" }, score.element);
  const body = make("tbody", {});
  const table = make("table", { className: "t-figure-table" }, make("caption", { className: "t-spoken" }, say("page.report.test")), make("thead", {}, make("tr", {}, make("th", { scope: "col" }, say("page.report.class")), make("th", { scope: "col" }, say("page.report.recall")))), body);
  const element = make("section", { className: "t-hood-part" }, make("h3", {}, say("page.report.test")), text, chart, table);

  return {
    element,
    /** @param {Report} report */
    update(report) {
      const { test } = report;
      write(text, test?.text ?? say("page.report.no_test"));
      chart.hidden = test?.score.share == null;
      table.hidden = !test || test.score.total === 0;
      score.show(test?.score ?? null);
      body.replaceChildren(
        ...(test?.per_class ?? []).map(([id, { share, correct, total }]) => {
          const label = report.classes.find((one) => one.id === id);
          const result = share === null ? "–" : say("page.report.share_of", { share: stated(share), correct, total });
          return make("tr", {}, make("th", { scope: "row" }, label ? className(label) : null), make("td", {}, result));
        }),
      );
    },
  };
}

export function limits() {
  const unknown = make("p", { "data-testid": "report-unknown" });
  const list = make("ul", { className: "t-hood-limits", "data-testid": "report-limits" });
  const sure = make("div", {}, make("h3", {}, say("page.report.unknown")), unknown);
  const known = make("div", {}, make("h3", {}, say("page.report.limits")), list);
  const element = make("section", { className: "t-hood-part" }, sure, known);

  return {
    element,
    /** @param {Report} report */
    update(report) {
      write(unknown, report.unknown);
      sure.hidden = !report.unknown;
      known.hidden = !report.limits.length;
      list.replaceChildren(...report.limits.map((limit) => make("li", {}, limit)));
    },
  };
}
