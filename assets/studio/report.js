/** How an upload goes, and what became of it: progress, repeats, and every file that was not taken with its reason. */

import { button, make, write } from "./dom.js";
import { dismissProgress, progressOf } from "./upload.js";
import { say } from "./words.js";

/** Reasons listed; the line above them has the full count. */
const REASONS = 100;

/**
 * @param {string} label id of the class
 * @returns {{ element: HTMLElement, update: () => void }}
 */
export function uploadReport(label) {
  const line = make("p", {});
  const repeats = make("p", { "data-testid": "repeats" });
  const refused = make("p", { className: "t-strong" });
  const close = button({ icon: "close", label: say("page.close"), press: () => dismissProgress(label) });
  const bar = make("progress", { className: "t-progress", "aria-label": say("page.upload") });
  const reasons = make("ul", { className: "t-reasons", "data-testid": "rejected" });
  const element = make(
    "div",
    { className: "t-report", hidden: true, "data-testid": "upload-report" },
    make("div", { className: "t-report-line" }, make("div", { role: "status" }, line, repeats, refused), close),
    bar,
    reasons,
  );

  function update() {
    const progress = progressOf(label);
    element.hidden = !progress;
    if (!progress) return;
    const { done, total, added, rejected } = progress;
    const going = done < total;
    // A recording reports only what was skipped; its thumbnails show the rest.
    line.hidden = total === 0;
    write(line, going ? say("page.upload.progress", { done, total }) : say("page.upload.added", { count: added }));
    repeats.hidden = !progress.repeats;
    write(repeats, say("page.upload.repeats", { count: progress.repeats }));
    refused.hidden = !rejected.length;
    write(refused, say("page.upload.rejected", { count: rejected.length }));
    close.hidden = going;
    bar.hidden = !going;
    bar.max = total;
    bar.value = done;
    reasons.hidden = !rejected.length;
    const listed = rejected.slice(0, REASONS);
    for (const { reason } of listed.slice(reasons.children.length)) reasons.append(make("li", { dir: "auto" }, reason));
    if (!rejected.length) reasons.replaceChildren();
  }

  return { element, update };
}
