/** What is known of an exported file, in words: how it agrees with the preview, and what its size costs. */

import { icon, make, write } from "./dom.js";
import { measured, say } from "./words.js";

/** @typedef {import("./types.d.ts").Agreement} Agreement */
/** @typedef {import("./types.d.ts").Check} Check */
/** @typedef {import("./types.d.ts").Made} Made */

/** The box below a download. */
export function checkBox() {
  const agreement = make("p", { "data-testid": "agreement" });
  const figures = make("p", { "data-testid": "export-figures" });
  const only = make("p", { className: "t-muted", "data-testid": "export-compared-only" }, say("page.export.compared_only"));
  const good = make("div", { className: "t-check-row" }, icon("check"), make("div", {}, agreement, figures, only));
  const word = make("p", {});
  const less = make("div", { className: "t-notice", "data-testid": "export-loses" }, icon("warning"), word);
  const element = make("div", { className: "t-check", hidden: true }, good, less);

  return {
    element,
    /** Nothing is known, or nothing is to be said. */
    hide() {
      element.hidden = true;
    },
    /**
     * Of the model file itself, which is checked when a training ends.
     * @param {Agreement} known
     */
    showAgreement(known) {
      element.hidden = false;
      only.hidden = false;
      figures.hidden = less.hidden = true;
      good.dataset.state = "good";
      write(agreement, agreeing(known));
    },
    /**
     * Of a file that was made to be taken away.
     * @param {Made} made
     */
    showMade({ check, ran, message }) {
      element.hidden = false;
      good.dataset.state = !ran || !check ? "unknown" : check.agreeing === check.total ? "good" : "mixed";
      write(agreement, ran && check ? agreeing(check) : say("page.export.not_run"));
      figures.hidden = !compared(check);
      if (compared(check)) write(figures, say("page.export.figures", { correct: check.correct, total: check.held_out, full: check.correct_full }));
      only.hidden = !ran || !check;
      less.hidden = !message;
      write(word, message ?? "");
    },
  };
}

/**
 * Whether a file was compared with the exact model by what a model gets right that was trained without these photos.
 * @param {Check | null} check
 * @returns {check is Check & { correct: number, correct_full: number }}
 */
export function compared(check) {
  return check !== null && check.held_out > 0 && check.correct !== null && check.correct_full !== null;
}

/** @param {Agreement} known */
function agreeing({ agreeing: same, total, largest_difference: difference }) {
  return say("page.export.checked", { agreeing: same, total, difference: points(difference) });
}

/**
 * A difference between two probabilities, for people.
 * @param {number} difference 0 to 1
 */
export function points(difference) {
  return difference < 0.001 ? say("page.export.difference_least") : say("page.export.difference", { percent: measured(100 * difference) });
}
