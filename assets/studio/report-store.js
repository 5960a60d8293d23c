/**
 * The report about the open project's model: having it made when somebody looks, following it, and keeping the last one on
 * the screen while another is made. It owns the clock; it draws nothing.
 */

import { ApiError, request } from "./api.js";
import { words } from "./project.js";
import { state, subscribe } from "./store.js";

/** @typedef {import("./types.d.ts").Report} Report */

const ASK_MS = 400;
/** Changes come in rows: the report is asked for when they have come to rest. */
const SETTLE_MS = 500;

export const report = {
  /** The newest answer. @type {Report | null} */
  latest: null,
  /** What there is to show: the newest that is complete, or else what is known before it is. @type {Report | null} */
  shown: null,
  /** Why nothing newer is known. */
  trouble: "",
  /** Somebody looks at it. */
  open: false,
};

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let turn = 0;
let started = false;
/** The project that all of this is about. @type {string | null} */
let project = null;
/** What is known was asked for in this state of the project. */
let asked = "";
/** It was begun without a press in this state of the project. */
let begun = "";

/**
 * Be told when there is something new to show.
 * @param {() => void} listener
 */
export function onReport(listener) {
  listeners.add(listener);
  if (started) return;
  started = true;
  subscribe(["status", "project"], look);
}

/**
 * Somebody begins or ceases to look at it.
 * @param {boolean} open
 */
export function showReport(open) {
  report.open = open;
  look();
}

/** Make it again, because somebody pressed. */
export function makeReport() {
  begun = mark();
  void ask("POST");
}

/** Stop making it. */
export function cancelReport() {
  void ask("DELETE");
}

/**
 * Photos of one cell of the confusion matrix.
 * @param {string} given id of the class they were in
 * @param {string} said id of the class they were named
 * @param {number} offset
 * @param {number} limit
 * @returns {Promise<import("./types.d.ts").TestedPhotos>}
 */
export function testedPhotos(given, said, offset, limit) {
  const query = new URLSearchParams({ given, said, offset: String(offset), limit: String(limit) });
  return request("GET", `/projects/${state.project?.id}/report/photos?${query}`);
}

/** Whether a training runs: it changes what there is to report, and needs the same cores. */
export function busy() {
  return state.starting || state.status?.training.state === "running";
}

/** Of everything a report is about, the part that this page knows. */
function mark() {
  return `${state.project?.id} ${state.status?.model?.id ?? ""} ${state.status?.updated ?? ""}`;
}

function look() {
  const id = state.project?.id ?? null;
  const model = state.status?.model?.id ?? null;
  const other = id !== project;
  if (other) {
    // An answer on its way is about the one before, whose photos have numbers that others have here.
    turn += 1;
    clearTimeout(timer);
    asked = begun = report.trouble = "";
  }
  project = id;
  if (report.latest && (other || (state.status && report.latest.model !== model))) {
    // Of another project or model: nothing of it holds any more.
    report.latest = report.shown = null;
    tell();
  }
  if (!report.open || !id || !state.status || asked === mark() || busy()) return;
  const first = asked === "";
  asked = mark();
  clearTimeout(timer);
  timer = setTimeout(() => void ask("GET"), first ? 0 : SETTLE_MS);
}

/** @param {"GET" | "POST" | "DELETE"} method */
async function ask(method) {
  clearTimeout(timer);
  const mine = ++turn;
  const about = mark();
  try {
    /** @type {Report} */
    const answer = await request(method, `/projects/${state.project?.id}/report`);
    if (mine !== turn) return;
    take(answer);
  } catch (error) {
    if (mine !== turn) return;
    // While the server restarts what was known stays on the screen; the next question tells.
    if (report.latest?.state === "running" && error instanceof ApiError && error.status === 0) timer = setTimeout(() => void ask("GET"), ASK_MS);
    else report.trouble = words(error);
  }
  tell();
  const known = report.latest;
  if (known?.state === "running") timer = setTimeout(() => void ask("GET"), ASK_MS);
  else if (known?.state === "none" && known.model && report.open && begun !== about) {
    begun = about;
    void ask("POST");
  }
}

/** @param {Report} answer */
function take(answer) {
  report.latest = answer;
  report.trouble = "";
  const before = report.shown;
  if (!answer.model) report.shown = null;
  // What is complete is not taken away by what is being made.
  else if (answer.state === "done" || before?.state !== "done" || before.model !== answer.model) {
    // Nothing is drawn anew that says the same, so that nothing blinks and focus stays.
    if (!before || said(before) !== said(answer)) report.shown = answer;
  }
}

/** @param {Report} one */
function said(one) {
  return JSON.stringify({ ...one, fraction: 0, state: one.state === "done" });
}

function tell() {
  for (const listener of listeners) listener();
}
