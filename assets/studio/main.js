/** Entry of the page. Gradio mounts the columns one by one, in any order; the first of them starts what they share. */

import { mountClasses } from "./classes.js";
import { mountHeader } from "./header.js";
import { mountPreview } from "./preview.js";
import { openFromAddress } from "./project.js";
import { startStatus } from "./status.js";
import { startToasts } from "./toasts.js";
import { mountTraining } from "./training.js";

/** @typedef {import("./types.d.ts").Trigger} Trigger */

const parts = { header: mountHeader, classes: mountClasses, training: mountTraining, preview: mountPreview };
/** @type {Promise<void> | null} */
let opening = null;

/**
 * Put one part of the page into its place.
 * @param {keyof typeof parts} part
 * @param {HTMLElement} element
 * @param {Trigger} trigger
 */
export async function mount(part, element, trigger) {
  startToasts();
  const root = parts[part](element, trigger);
  opening ??= openFromAddress().then(startStatus);
  await opening;
  root.dataset.ready = "true";
}
