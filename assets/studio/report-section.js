/**
 * “Under the hood”, the report about the model, below the columns: what is known, what is wrong with the photos, and the
 * states in which there is nothing to show. The curves between its two parts are Gradio's.
 */

import { button, icon, make, write } from "./dom.js";
import { classTable } from "./report-classes.js";
import { confusionMatrix } from "./report-confusion.js";
import { doctor } from "./report-doctor.js";
import { noCurve } from "./report-figures.js";
import { headline } from "./report-headline.js";
import { busy, cancelReport, makeReport, onReport, report, showReport } from "./report-store.js";
import { limits, testResult } from "./report-test.js";
import { state, subscribe } from "./store.js";
import { percent, say } from "./words.js";

const HOOD = "under-the-hood";
/** With more classes the table and the matrix stand below each other. */
const BESIDE = 8;
/** It was opened by a press elsewhere, and is to be brought into sight. */
let wanted = false;

/** Open it, if it is not, and go there. */
export function openHood() {
  const hood = document.getElementById(HOOD);
  if (!hood) return;
  if (report.open) {
    goThere();
    return;
  }
  wanted = true;
  // Of the height of the window until there is something to show, so that it can be scrolled to the top.
  hood.style.minBlockSize = "100dvh";
  hood.querySelector("button")?.click();
}

function goThere() {
  wanted = false;
  const hood = document.getElementById(HOOD);
  hood?.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  hood?.querySelector("button")?.focus({ preventScroll: true });
}

/** @param {import("./types.d.ts").Mount} place */
export function mountReport({ element, trigger }) {
  const phase = make("span", { role: "status" });
  const share = make("span", { className: "t-number" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.report.progress") });
  const cancel = button({ text: say("page.report.cancel"), look: "ghost", testid: "report-cancel", press: cancelReport });
  const progress = make("div", { className: "t-hood-progress", hidden: true, "data-testid": "report-progress" }, make("div", { className: "t-between" }, phase, share), bar, cancel);
  const noteText = make("p", {});
  const again = button({ text: " ", look: "soft", testid: "report-make", press: makeReport });
  const note = make("div", { className: "t-notice", hidden: true, "data-testid": "report-note" }, icon("info"), make("div", {}, noteText, make("div", { className: "t-actions" }, again)));
  const stale = make("p", { className: "t-notice", hidden: true, "data-testid": "report-stale" }, icon("info"), make("span", {}, say("page.report.stale")));
  const parts = [headline(), doctor(), classTable(), confusionMatrix()];
  const [hero, ...others] = parts.map((part) => part.element);
  const [well, ...pair] = others;
  const missing = noCurve();
  const sides = make("div", { className: "t-hood-pair" }, ...pair);
  const content = make("div", { className: "t-hood-content", hidden: true }, hero ?? null, well ?? null, sides, missing.element);
  const root = make("div", { className: "t-root t-hood", "data-testid": "report", "data-state": "none" }, progress, note, stale, content);
  element.replaceChildren(root);

  // Gradio shows the section and hides it; what is shown has a size.
  new ResizeObserver(() => {
    const open = root.offsetWidth > 0;
    if (open === report.open) return;
    showReport(open);
    if (open && wanted) goThere();
  }).observe(root);

  /** @type {import("./types.d.ts").Report | null} */
  let drawn = null;

  function update() {
    const { latest, shown, trouble } = report;
    const model = state.status?.model ?? null;
    const running = latest?.state === "running";
    root.dataset.state = trouble ? "failed" : (latest?.state ?? "none");
    progress.hidden = !running;
    write(phase, say("page.report.making"));
    write(share, running ? percent(latest.fraction) : "");
    bar.value = running ? latest.fraction : 0;

    const reason = why(Boolean(model));
    note.hidden = !reason;
    write(noteText, reason);
    const halted = latest?.state === "failed" || latest?.state === "cancelled" || trouble;
    again.parentElement?.toggleAttribute("hidden", !halted || !model);
    write(/** @type {Element} */ (again.lastElementChild), say(latest?.state === "cancelled" && !trouble ? "page.report.make" : "page.try_again"));
    note.classList.toggle("t-notice-problem", Boolean(trouble) || latest?.state === "failed");
    stale.hidden = !(shown && model?.stale) || busy();

    const hood = document.getElementById(HOOD);
    hood?.toggleAttribute("data-learned", Boolean(model));
    hood?.toggleAttribute("data-learning", Boolean(shown?.learning));
    hood?.toggleAttribute("data-calibrated", Boolean(shown?.calibration));
    content.hidden = !shown;
    if (!shown || shown === drawn) {
      if (!shown) drawn = null;
      return;
    }
    drawn = shown;
    if (hood) hood.style.minBlockSize = "";
    sides.toggleAttribute("data-many", shown.classes.length > BESIDE);
    for (const part of [...parts, missing]) part.update(shown);
    trigger("report_changed", { id: state.project?.id });
  }

  /**
   * Why there is nothing to show, or nothing newer; empty where there is.
   * @param {boolean} trained
   */
  function why(trained) {
    const { latest, shown, trouble } = report;
    if (trouble) return trouble;
    if (!trained) return busy() ? say("page.report.waiting") : say("page.report.none");
    if (latest?.state === "failed") return latest.message ?? say("page.error.unexpected");
    if (latest?.state === "cancelled") return say("page.report.cancelled");
    return !shown && busy() ? say("page.report.waiting") : "";
  }

  onReport(update);
  subscribe(["status", "project"], update);
  update();
  return root;
}

/** @param {import("./types.d.ts").Mount} place */
export function mountMore({ element }) {
  /** @type {ReturnType<typeof import("./report-map.js").sampleMap> | null} */
  let map = null;
  const mapPlace = make("div", {});
  // Much code, and needed only here.
  void import("./report-map.js").then(({ sampleMap }) => {
    map = sampleMap();
    mapPlace.append(map.element);
    if (drawn) map.update(drawn);
  });
  const parts = [testResult(), limits()];
  const root = make(
    "div",
    { className: "t-root t-hood", hidden: true, "data-testid": "report-more" },
    mapPlace,
    make("div", { className: "t-hood-pair" }, ...parts.map((part) => part.element)),
  );
  element.replaceChildren(root);
  /** @type {import("./types.d.ts").Report | null} */
  let drawn = null;

  function update() {
    const { shown } = report;
    root.hidden = !shown;
    if (shown === drawn) return;
    drawn = shown;
    map?.update(shown);
    if (!shown) return;
    for (const part of parts) part.update(shown);
  }

  onReport(update);
  update();
  return root;
}
