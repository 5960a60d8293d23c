/**
 * Asking the server how training and embedding stand: often while something moves, seldom otherwise, never while the
 * page is hidden. It owns the clock; the answer goes to the store.
 */

import { ApiError, request } from "./api.js";
import { openProject, refreshProject } from "./project.js";
import { notify, state, subscribe } from "./store.js";
import { sending } from "./uploads.js";

/** @typedef {import("./types.d.ts").Status} Status */

const IDLE_MS = 2000;
const BUSY_MS = 150;
/** A server with thirty pages to answer is asked less often: this many times as long as its last answer took. */
const PATIENCE = 3;
/** The server must have answered the start of a training by then, else the button comes back. */
const STARTING_MS = 8000;

let started = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let asking = false;
let again = false;
/** @type {string | null} */
let seen = null;
/** How long the last answer took, in milliseconds. */
let took = 0;

/** Begin. Once per page. */
export function startStatus() {
  if (started) return;
  started = true;
  document.addEventListener("visibilitychange", () => askNow());
  subscribe(["project", "samples", "uploads"], () => soon(BUSY_MS));
  askNow();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience;

/** A training was asked for. It takes a moment to begin, and the page need not wait for that to show that it was heard. */
export function expectTraining() {
  state.starting = true;
  state.startedBefore = state.status?.training.started ?? 0;
  clearTimeout(patience);
  patience = setTimeout(expectNoTraining, STARTING_MS);
  askNow();
  notify("status");
}

/** It will not begin. */
export function expectNoTraining() {
  clearTimeout(patience);
  if (!state.starting) return;
  state.starting = false;
  notify("status");
}

/** Ask at once: something was pressed. */
export function askNow() {
  soon(0);
}

/** @param {number} delay */
function soon(delay) {
  if (asking) {
    again = true;
    return;
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(ask, delay);
}

async function ask() {
  const id = state.project?.id;
  if (!id) return;
  asking = true;
  again = false;
  const asked = performance.now();
  try {
    /** @type {Status} */
    const status = await request("GET", `/projects/${id}/status`);
    took = performance.now() - asked;
    if (state.project?.id !== id) again = true;
    // The teacher has brought back who was removed.
    else if (state.problem?.join) await openProject(id, "keep");
    else await take(status);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Deleted from elsewhere: opening it again says so. Else the server may be restarting, and the next question tells.
    if (error.status === 404 && state.project?.id === id && !state.problem) await openProject(id, "keep");
  } finally {
    asking = false;
    soon(again ? busy() : pace());
  }
}

/** @param {Status} status */
async function take(status) {
  state.status = status;
  // Another training than the last: it may even be over already.
  if (status.training.started !== state.startedBefore) state.starting = false;
  notify("status");
  // Changed by another page or program: our own changes have been answered with the new state already.
  const mark = `${state.project?.id} ${status.updated}`;
  if (seen !== null && seen !== mark && status.updated !== state.project?.updated && !sending()) await refreshProject();
  seen = mark;
}

function busy() {
  return Math.max(BUSY_MS, PATIENCE * took);
}

function pace() {
  const status = state.status;
  if (!status || state.starting) return busy();
  const { embedding, training, model } = status;
  const backlog = embedding.done + embedding.failed < embedding.total;
  return training.state === "running" || backlog || model?.checking ? busy() : IDLE_MS;
}
