/** Entry of the page. Gradio mounts the columns one by one, in any order; the first of them starts what they share. */

import { mountClasses } from "./classes.js";
import { mountHeader } from "./header.js";
import { startHelp } from "./help.js";
import { startImports } from "./imports.js";
import { startLost } from "./lost.js";
import { mountNetwork } from "./network-notices.js";
import { mountPreview } from "./preview.js";
import { focusPressed } from "./pressed.js";
import { openFromAddress } from "./project.js";
import { mountFigure } from "./report-figures.js";
import { mountMore, mountReport } from "./report-section.js";
import { startShelf } from "./shelf.js";
import { startStatus } from "./status.js";
import { keepInSight } from "./sticky.js";
import { startToasts } from "./toasts.js";
import { mountTraining } from "./training.js";
import { startVisitor } from "./visitor.js";
import { ready } from "./words.js";

/** @typedef {import("./types.d.ts").Mount} Mount */

const parts = {
  header: mountHeader,
  classes: mountClasses,
  training: mountTraining,
  preview: mountPreview,
  network: mountNetwork,
  report: mountReport,
  figure: mountFigure,
  more: mountMore,
};
/** @type {Promise<void> | null} */
let opening = null;

/**
 * Put one part of the page into its place.
 * @param {Mount} place
 */
export async function mount(place) {
  await ready;
  if (!opening) {
    focusPressed();
    startHelp();
  }
  startToasts();
  const root = parts[place.props.part](place);
  for (const id of ["training", "studio-preview"]) {
    const column = document.getElementById(id);
    if (column?.contains(place.element)) keepInSight(column);
  }
  opening ??= openFromAddress().then(() => {
    startStatus();
    startImports();
    startLost();
    startShelf();
  });
  await opening;
  if (place.props.part === "header") await startVisitor(place.element);
  root.dataset.ready = "true";
}
