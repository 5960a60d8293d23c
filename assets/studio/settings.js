/**
 * The fields of the settings, which are Gradio's: whether they show those of the open project, and keeping what is
 * written there.
 *
 * Opening a project makes Python fill them. Until it has, they hold what the page began with, or the settings of the
 * project before: nothing may be trained with these. It owns the number of the latest such question, and what is not
 * stored yet.
 */

import { ApiError, request } from "./api.js";
import { told as takeOver, words } from "./project.js";
import { notify, state, subscribe } from "./store.js";
import { tell } from "./toasts.js";

/** Python was not reached, or could not answer: it is asked again. */
const AGAIN_MS = 5000;

let asked = 0;
let filled = 0;
let newest = 0;
let since = 0;
/** @type {string | null} */
let told = null;
/** What was written and is not stored yet, the latest of each project. @type {Map<string, object>} */
const unsaved = new Map();
let saving = false;

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
    // Python would fill in what was there before the last letters.
    if (state.project && !state.problem && told !== state.project.id && !unsaved.has(state.project.id)) ask();
  };
  const save = async () => {
    await store();
    update();
  };
  addEventListener("teachable-settings", (event) => {
    write(/** @type {CustomEvent} */ (event).detail);
    void save();
  });
  subscribe(["project", "problem"], update);
  subscribe("settings", ask);
  subscribe("status", () => {
    if (asked !== filled && !state.problem && performance.now() - since > AGAIN_MS) ask();
    // The server answers again.
    if (unsaved.size) void save();
  });
  update();
}

/**
 * Python has filled the fields.
 * @param {import("./types.d.ts").Shown} shown
 */
export function settingsFilled(shown) {
  filled = shown?.number ?? 0;
  newest = Math.max(newest, filled);
  // An older answer came last, and is what the fields show.
  if (newest === asked && filled !== asked) notify("settings");
  notify("status");
}

/** @returns whether the fields show what the open project is to be trained with */
export function settingsReady() {
  return filled === asked && told === (state.project?.id ?? null);
}

/**
 * Something was written into a field. Which project the fields belong to is kept beside them.
 * @param {[import("./types.d.ts").Shown, number | null, number | null, number | null, number]} fields
 */
function write([shown, epochs, batch, rate, hidden]) {
  // A field that is being written in may be empty for a moment; Train says so if it stays that way.
  if (!shown || !epochs || !batch || !rate || Math.min(epochs, batch, rate) <= 0) return;
  unsaved.set(shown.project, { epochs: Math.trunc(epochs), batch_size: Math.trunc(batch), learning_rate: rate, hidden_units: hidden });
}

/** Store what was written, one after the other: of each project the last counts, however late an answer is. */
async function store() {
  if (saving) return;
  saving = true;
  try {
    for (const [project, settings] of unsaved) {
      await keep(project, settings);
      // What was written meanwhile comes again, behind.
      const later = unsaved.get(project);
      unsaved.delete(project);
      if (later && later !== settings) unsaved.set(project, later);
    }
  } catch (error) {
    // The server may be restarting, and the next answer about how things stand tells.
    if (!(error instanceof ApiError)) throw error;
  } finally {
    saving = false;
  }
}

/**
 * @param {string} project
 * @param {object} settings
 */
async function keep(project, settings) {
  try {
    takeOver(await request("PATCH", `/projects/${project}`, { settings }));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 0) throw error;
    tell(words(error), "problem");
  }
}
