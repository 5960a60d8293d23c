/**
 * Whether the fields of the settings, which are Gradio's, show those of the open project.
 *
 * Opening a project makes Python fill them. Until it has, they hold what the page began with, or the settings of the
 * project before: nothing may be trained with these. It owns the number of the latest such question.
 */

import { notify, state, subscribe } from "./store.js";

/** Python was not reached, or could not answer: it is asked again. */
const AGAIN_MS = 5000;

let asked = 0;
let filled = 0;
let since = 0;
/** @type {string | null} */
let told = null;

/**
 * Keep the fields up with the open project.
 * @param {import("./types.d.ts").Mount["trigger"]} trigger
 */
export function fillSettings(trigger) {
  const ask = () => {
    told = state.project?.id ?? null;
    since = performance.now();
    trigger("project_opened", { id: told, number: ++asked });
    notify("status");
  };
  const update = () => {
    if (state.project && !state.problem && told !== state.project.id) ask();
  };
  subscribe(["project", "problem"], update);
  subscribe("settings", ask);
  subscribe("status", () => {
    if (asked !== filled && !state.problem && performance.now() - since > AGAIN_MS) ask();
  });
  update();
}

/**
 * Python has filled the fields.
 * @param {import("./types.d.ts").Shown} shown
 */
export function settingsFilled(shown) {
  filled = shown?.number ?? 0;
  notify("status");
}

/** @returns whether the fields show what the open project is to be trained with */
export function settingsReady() {
  return filled === asked && told === (state.project?.id ?? null);
}
