/**
 * Photos on their way to the server: one queue for the page, one request at a time, in order.
 *
 * A request that fails stops the queue and keeps everything in memory; the page shows why and offers to try again. It
 * owns the queue; drawing the banner and the progress is up to `classes.js` and `card.js`.
 */

import { ApiError, request } from "./api.js";
import { findClass, notify, state } from "./store.js";
import { tell } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").AddResult} AddResult */
/** @typedef {import("./types.d.ts").Rejected} Rejected */

/**
 * @typedef {object} Parcel
 * @property {string} [project] id of it; left out, the open one
 * @property {string} label id of the class
 * @property {string} group
 * @property {boolean} [test] they are only tested with, never learned from
 * @property {{ name: string, blob: Blob }[]} photos
 * @property {(result: AddResult) => void} done
 * @property {() => void} dropped the person gave these photos up
 */

/** `name`: of the class. @typedef {Parcel & { project: string, name: string }} Addressed */

/** @type {Addressed[]} */
const queue = [];
let busy = false;
/** @type {ApiError | null} */
let trouble = null;

/** Why the queue stands still, and how many photos wait; null while all is well. */
export function stuck() {
  return trouble && { message: trouble.message, count: queue.reduce((sum, parcel) => sum + parcel.photos.length, 0) };
}

/** Whether photos are still on their way. */
export function sending() {
  return queue.length > 0;
}

/** @param {Parcel} parcel */
export function sendPhotos(parcel) {
  const project = parcel.project ?? state.project?.id ?? "";
  // The last frames of a recording come after its class has gone.
  if (project === state.project?.id && !findClass(parcel.label)) return parcel.dropped();
  queue.push({ ...parcel, project, name: findClass(parcel.label)?.name ?? "" });
  notify("uploads");
  if (!trouble) void work();
}

/** Go on after a failure. */
export function tryAgain() {
  trouble = null;
  notify("uploads");
  void work();
}

/**
 * Give up what waits for a class, which is gone.
 * @param {string} label id of the class
 * @returns {boolean} whether anything waited
 */
export function discardOf(label) {
  const waited = queue.some((parcel) => parcel.label === label);
  // The first is on its way already; what becomes of it the server says.
  const kept = queue.filter((parcel, at) => parcel.label !== label || (busy && at === 0));
  const lost = queue.filter((parcel) => !kept.includes(parcel));
  queue.splice(0, queue.length, ...kept);
  for (const parcel of lost) parcel.dropped();
  if (trouble && !queue.length) trouble = null;
  if (lost.length) notify("uploads");
  return waited;
}

/** Give up what waits. */
export function discardAll() {
  trouble = null;
  for (const parcel of queue.splice(0)) parcel.dropped();
  notify("uploads");
}

async function work() {
  if (busy) return;
  busy = true;
  try {
    for (let parcel = queue[0]; parcel && !trouble; parcel = queue[0]) {
      const result = await delivered(parcel);
      queue.shift();
      if (result) parcel.done(result);
      else parcel.dropped();
      notify("uploads");
      if (!result) lost(parcel);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    trouble = error;
    notify("uploads");
  } finally {
    busy = false;
  }
}

/**
 * The class was deleted, or all of its project.
 * @param {Addressed} parcel
 */
function lost({ project, label, name }) {
  if (project === state.project?.id) return notify("gone", label);
  // Nothing of that project is shown, and nothing else waits for it.
  discardOf(label);
  return tell(say("page.class.gone", { name }), "problem");
}

/**
 * @param {Addressed} parcel
 * @returns {Promise<AddResult | null>} null where the class was deleted meanwhile
 */
async function delivered(parcel) {
  try {
    return await deliver(parcel);
  } catch (error) {
    const open = parcel.project === state.project?.id;
    if (error instanceof ApiError && (error.key === "class_unknown" || (error.key === "project_unknown" && !open))) return null;
    throw error;
  }
}

/**
 * @param {Addressed} parcel
 * @returns {Promise<AddResult>}
 */
async function deliver(parcel) {
  const form = new FormData();
  form.append("group", parcel.group);
  if (parcel.test) form.append("test", "true");
  for (const photo of parcel.photos) form.append("files", photo.blob, photo.name);
  try {
    return await request("POST", `/projects/${parcel.project}/classes/${parcel.label}/samples`, form);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 413) throw error;
    return tooLarge(parcel, error);
  }
}

/**
 * A request that is too large is sent photo by photo; a photo that is too large alone is reported like an unreadable one.
 * @param {Addressed} parcel
 * @param {ApiError} error
 * @returns {Promise<AddResult>}
 */
async function tooLarge(parcel, error) {
  const [first, ...others] = parcel.photos;
  /** @type {Rejected} */
  const refused = { name: first?.name ?? "", reason: error.message, key: error.key, values: {} };
  if (!others.length) {
    const page = await request("GET", `/projects/${parcel.project}/classes/${parcel.label}/samples?limit=1`);
    return { added: [], repeats: 0, rejected: [refused], total: page.total };
  }
  /** @type {AddResult} */
  const sum = { added: [], repeats: 0, rejected: [], total: 0 };
  for (const photo of parcel.photos) {
    const { added, repeats, rejected, total } = await deliver({ ...parcel, photos: [photo] });
    sum.added.push(...added);
    sum.rejected.push(...rejected);
    sum.repeats += repeats;
    sum.total = total;
  }
  return sum;
}

// Photos that are only in this page's memory would be lost: let the browser ask first.
addEventListener("beforeunload", (event) => {
  if (sending()) event.preventDefault();
});
