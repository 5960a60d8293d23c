/**
 * Undo and redo: two buttons at the top of the page, and their keys. What can be taken back is known to the server, also
 * after it was started again; this owns the asking.
 */

import { request } from "./api.js";
import { button, make } from "./dom.js";
import { attempt, refreshProject } from "./project.js";
import { askNow } from "./status.js";
import { notify, setProject, state, subscribe } from "./store.js";
import { tell, withdrawUndo } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {"undo" | "redo"} Way */

let listening = false;
let busy = false;

/** The two buttons; they say what they will do. */
export function historyButtons() {
  const apple = navigator.platform.startsWith("Mac");
  const keys = { undo: say(apple ? "page.history.undo_key_mac" : "page.history.undo_key"), redo: say(apple ? "page.history.redo_key_mac" : "page.history.redo_key") };
  const undo = button({ icon: "undo", label: say("page.undo"), testid: "history-undo", press: () => void go("undo") });
  const redo = button({ icon: "redo", label: say("page.redo"), testid: "history-redo", press: () => void go("redo") });
  const element = make("div", { className: "t-history", role: "group", "aria-label": say("page.history.label") }, undo, redo);

  /**
   * @param {HTMLButtonElement} one
   * @param {Way} way
   */
  function show(one, way) {
    const change = state.project?.[way] ?? null;
    // Not `disabled`: a button that loses the focus while it is being pressed leaves nowhere to press again.
    one.setAttribute("aria-disabled", String(!change));
    const name = say(way === "undo" ? "page.undo" : "page.redo");
    one.setAttribute("aria-label", change ? say("page.history.what", { name, text: change.text }) : name);
    one.setAttribute("aria-keyshortcuts", way === "undo" ? "Control+Z Meta+Z" : "Control+Shift+Z Control+Y Meta+Shift+Z");
    one.title = change ? say("page.history.hint", { name, text: change.text, key: keys[way] }) : say(`page.history.no_${way}`);
  }

  function update() {
    element.hidden = !state.project || state.problem !== null;
    show(undo, "undo");
    show(redo, "redo");
  }
  subscribe(["project", "problem"], update);
  update();
  if (!listening) addEventListener("keydown", pressed);
  listening = true;
  return element;
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.defaultPrevented || !(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  const way = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" && event.ctrlKey && !event.shiftKey ? "redo" : null;
  if (!way || event.repeat) return;
  // In a text field these keys are about the text; what lies under an open dialog is not changed unseen.
  if (event.target instanceof Element && event.target.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]")) return;
  if (document.querySelector("dialog:modal")) return;
  event.preventDefault();
  void go(way);
}

/**
 * Take the last change back, or do the last one taken back again.
 * @param {Way} way
 */
async function go(way) {
  if (busy || !state.project) return;
  busy = true;
  await attempt(async () => {
    // What was changed a moment ago may not be known here yet.
    if (!state.project?.[way]) await refreshProject();
    if (!state.project?.[way]) return;
    const { id } = state.project;
    /** @type {Project} */
    let project;
    try {
      project = await request("POST", `/projects/${id}/${way}`, {});
    } catch (error) {
      await refreshProject();
      throw error;
    }
    if (state.project?.id !== id) return;
    changed(project);
    // What was undone is what can be done again now.
    const change = way === "undo" ? project.redo : project.undo;
    if (change && way === "undo") withdrawUndo(change.token);
    if (change) tell(say(way === "undo" ? "page.history.undone" : "page.history.redone", { text: change.text }));
  });
  busy = false;
}

/**
 * Much of a project may be another now: its photos, its settings, its model.
 * @param {Project} project
 */
export function changed(project) {
  setProject(project);
  notify("samples");
  notify("settings");
  askNow();
}
