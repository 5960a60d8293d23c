/** What the server knows about versions: each function asks, and hands back the answer. It draws nothing. */

import { request } from "./api.js";
import { changed } from "./history.js";
import { attempt, succeeded, undoer } from "./project.js";
import { state } from "./store.js";
import { offerUndo } from "./toasts.js";

/** @typedef {import("./types.d.ts").Version} Version */
/** @typedef {import("./types.d.ts").Versions} Versions */
/** @typedef {import("./types.d.ts").Compared} Compared */

function here() {
  return `/projects/${state.project?.id}/versions`;
}

/** @returns {Promise<Versions>} */
export function listVersions() {
  return request("GET", here());
}

/**
 * @param {string} id
 * @param {string} name empty to take the name away
 * @returns {Promise<Versions | null>} null where it was refused; the reason has been shown
 */
export function nameVersion(id, name) {
  return attempt(() => request("PATCH", `${here()}/${id}`, { name: name || null }));
}

/**
 * @param {string} id
 * @returns {Promise<Versions | null>}
 */
export function deleteVersion(id) {
  return attempt(() => request("DELETE", `${here()}/${id}`));
}

/**
 * Go back to a version, and offer to take that back.
 * @param {string} id
 * @param {boolean} contents classes and photos go back too
 * @returns {Promise<boolean>} whether it did
 */
export async function restoreVersion(id, contents) {
  const take = undoer();
  return succeeded(async () => {
    /** @type {import("./types.d.ts").Restored} */
    const answer = await request("POST", `${here()}/${id}/restore`, { contents });
    if (state.project?.id === answer.project.id) changed(answer.project);
    offerUndo(answer.text, () => take(answer.undo), answer.undo);
  });
}

/**
 * @param {Version} first
 * @param {Version} second
 * @returns {Promise<Compared>}
 */
export function compareVersions(first, second) {
  return request("GET", `${here()}/compare?first=${encodeURIComponent(first.id)}&second=${encodeURIComponent(second.id)}`);
}
