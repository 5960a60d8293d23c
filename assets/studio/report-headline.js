/** How good the model is, in one sentence, as a range on a line, and what most tools would have said instead. */

import { reportPageUrl } from "./api.js";
import { icon, make, write } from "./dom.js";
import { state } from "./store.js";
import { end, percent, say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Share} Share */

/** Figures on the line below the ranges. */
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function headline() {
  const figure = make("span", { className: "t-hood-figure-large" });
  const sentence = make("span", {});
  const title = make("h2", { className: "t-hood-headline", "data-testid": "report-headline" }, figure, sentence);
  const method = make("p", { className: "t-muted", "data-testid": "report-method" });
  const honest = range(say("page.report.honest"), "honest");
  const random = range(say("page.report.random"), "random");
  const ticks = make("div", { className: "t-range-ticks", "aria-hidden": "true" }, ...TICKS.map((share) => make("span", {}, percent(share))));
  const lesson = make("p", { className: "t-muted", "data-testid": "report-random" });
  const chart = make("div", { className: "t-hood-ranges" }, honest.element, random.element, ticks, lesson);
  const about = say("page.report.download_about");
  const download = make("a", { className: "t-button t-soft", download: "", title: about, "data-testid": "report-download" }, icon("download"), make("span", {}, say("page.report.download")));
  const element = make("section", { className: "t-hood-hero" }, make("div", { className: "t-hood-hero-text" }, title, method, download), chart);

  return {
    element,
    /** @param {import("./types.d.ts").Report} report */
    update(report) {
      // A sentence that begins with the figure begins large.
      const { share } = report.accuracy;
      const lead = share === null ? "" : stated(share);
      figure.hidden = !lead || !report.headline.toLowerCase().startsWith(lead);
      write(figure, figure.hidden ? "" : report.headline.slice(0, lead.length));
      write(sentence, figure.hidden ? report.headline : report.headline.slice(lead.length));
      write(method, report.method);
      download.hidden = report.state !== "done";
      download.href = reportPageUrl(state.project?.id ?? "");
      honest.show(report.accuracy);
      random.show(report.random_split);
      random.element.hidden = !report.random_split;
      write(lesson, report.random_text);
      lesson.hidden = !report.random_text;
      chart.hidden = report.accuracy.share === null;
    },
  };
}

/**
 * One share on a line from 0 to 100 %, with its interval.
 * @param {string} name
 * @param {string} kind
 */
export function range(name, kind) {
  const value = make("span", { className: "t-range-value" });
  const between = make("span", { className: "t-muted" });
  const band = make("span", { className: "t-range-band" });
  const dot = make("span", { className: "t-range-dot" });
  const element = make(
    "div",
    { className: "t-range-row", "data-kind": kind, "data-testid": `range-${kind}` },
    make("div", { className: "t-range-text" }, make("span", { className: "t-range-name" }, name), value, between),
    make("div", { className: "t-range-track", "aria-hidden": "true" }, band, dot),
  );
  return {
    element,
    /** @param {Share | null} score */
    show(score) {
      if (score?.share == null) {
        write(value, "–");
        write(between, "");
        band.hidden = dot.hidden = true;
        return;
      }
      const { share, low, high, correct, total } = score;
      band.hidden = low === null || high === null;
      dot.hidden = false;
      write(value, stated(share));
      const counted = say("page.report.of", { correct, count: total });
      write(between, band.hidden ? counted : `${counted}, ${say("page.report.between", { low: end(low ?? 0), high: end(high ?? 0) })}`);
      band.style.insetInlineStart = `${100 * (low ?? 0)}%`;
      band.style.inlineSize = `${100 * ((high ?? 0) - (low ?? 0))}%`;
      dot.style.insetInlineStart = `${100 * share}%`;
    },
  };
}
