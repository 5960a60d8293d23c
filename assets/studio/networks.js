/**
 * The networks of this computer: asking the server about them, seldom unless one is being installed, and what can be
 * done with them. It owns the clock and what is told when one has arrived; failures are thrown, in words.
 */

import { request } from "./api.js";
import { offerId, putAside } from "./network-aside.js";
import { askNow, expectNoTraining, expectTraining } from "./status.js";
import { notify, state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Networks} Networks */
/** @typedef {import("./types.d.ts").NetworkInfo} NetworkInfo */
/** @typedef {import("./types.d.ts").Installation} Installation */

const INSTALLING_MS = 1000;
const IDLE_MS = 30_000;

let started = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** Counts what was changed here: an answer that was asked for before a change is out of date. */
let changes = 0;
/** Network that has just arrived, until it is known whether the page offers it. @type {Installation | null} */
let arrived = null;

/** Begin. Once per page. */
export function startNetworks() {
  if (started) return;
  started = true;
  addEventListener("focus", () => void refreshNetworks());
  document.addEventListener("visibilitychange", () => void refreshNetworks());
  subscribe("status", greet);
  void refreshNetworks();
}

/** Ask now. */
export async function refreshNetworks() {
  clearTimeout(timer);
  if (document.hidden) return;
  const asked = changes;
  try {
    /** @type {Networks} */
    const answer = await request("GET", "/networks");
    if (asked === changes) take(answer);
  } catch (error) {
    // The server may be restarting, and the next question tells.
    console.warn(error);
  }
  next();
}

function next() {
  clearTimeout(timer);
  timer = setTimeout(() => void refreshNetworks(), installing() ? INSTALLING_MS : IDLE_MS);
}

/** @param {Networks} answer */
function take(answer) {
  const before = state.networks?.installation;
  const { installation } = answer;
  state.networks = answer;
  if (installation.state === "done" && before && goes(before) && before.started === installation.started) {
    arrived = installation;
    askNow();
  }
  notify("networks");
}

/** Say that a network has arrived, where the page does not offer it anyway and nobody is looking at the list. */
function greet() {
  if (!arrived) return;
  const { id, title } = arrived;
  arrived = null;
  if (state.status?.network.offer?.id === id || document.querySelector("dialog[open]")) return;
  tell(say("page.network.arrived", { title }));
}

/** @param {Installation} one */
function goes(one) {
  return one.state === "waiting" || one.state === "fetching" || one.state === "converting";
}

/** The installation that goes on now. */
export function installing() {
  const now = state.networks?.installation;
  return now && goes(now) ? now : null;
}

/** @param {string | null} id */
export function findNetwork(id) {
  return state.networks?.networks.find((network) => network.id === id) ?? null;
}

/** Whether a training runs or begins: until it has ended, no other network can be chosen. */
export function training() {
  return state.starting || state.status?.training.state === "running";
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object | FormData} [body]
 */
async function change(method, path, body) {
  changes += 1;
  try {
    const answer = await request(method, path, body);
    changes += 1;
    take(answer);
  } finally {
    next();
  }
}

/** @param {string} id */
export function fetchNetwork(id) {
  return change("POST", `/networks/${encodeURIComponent(id)}/fetch`);
}

export function cancelInstallation() {
  return change("DELETE", "/networks/installation");
}

/**
 * @param {string} id
 * @param {boolean} evenIfUsed by projects
 */
export async function removeNetwork(id, evenIfUsed) {
  await change("DELETE", `/networks/${encodeURIComponent(id)}${evenIfUsed ? "?force=true" : ""}`);
  askNow();
}

/** @param {File} file */
export function importNetwork(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  return change("POST", "/networks/import", form);
}

/** @param {boolean} automatic */
export function chooseAutomatic(automatic) {
  return change("PATCH", "/networks", { automatic });
}

/**
 * @param {string} id
 * @param {number} milliseconds for a frame in this browser
 */
export function noteSpeed(id, milliseconds) {
  return change("PUT", `/networks/${encodeURIComponent(id)}/speed`, { browser_ms: milliseconds });
}

/**
 * Teach the open project with another network; where there is a model, that trains a new one.
 * @param {string} id
 */
export async function switchNetwork(id) {
  const before = state.status?.training.started;
  const left = findNetwork(state.status?.network.id ?? null);
  // Who leaves the recommended network knows it: it is not offered again as a stronger one.
  if (left?.recommended && left.present) putAside(offerId(state.project?.id ?? "", left.id));
  if (state.status?.model) expectTraining();
  try {
    const { training } = await request("PUT", `/projects/${state.project?.id}/network`, { network: id });
    if (training.started === before) expectNoTraining();
  } catch (error) {
    expectNoTraining();
    throw error;
  }
  askNow();
}

/** The person has read that the network of the project was renewed. */
export async function dismissRenewal() {
  await request("DELETE", `/projects/${state.project?.id}/network/note`);
  askNow();
}

/**
 * What a button says that switches and retrains, with the time where it is known.
 * @param {number | null} seconds
 */
export function switching(seconds) {
  if (seconds === null) return say("page.network.switch");
  if (seconds < 90) return say("page.network.switch_seconds", { seconds: Math.max(1, Math.ceil(seconds)) });
  return say("page.network.switch_minutes", { minutes: Math.ceil(seconds / 60) });
}
