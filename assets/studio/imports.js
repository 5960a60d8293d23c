/**
 * Files on their way into a project: sent to the server, looked into there, agreed to by a person, and taken in. Each is
 * remembered in this browser, so that a reload finds it again.
 *
 * It owns the list and the clock; `import-folder.js` makes entries of folders, which this page sends by itself; nothing
 * is drawn here.
 */

import { ApiError, explain, previewUrl, request, send } from "./api.js";
import { withClasses } from "./import-classes.js";
import { askNow } from "./status.js";
import { notify, state } from "./store.js";
import { offerUndo, tell } from "./toasts.js";
import { refreshProject, words } from "./project.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Import} Import */
/** @typedef {import("./types.d.ts").ImportChoices} ImportChoices */

/**
 * One file or folder. `info` is null until all of it was sent.
 * @typedef {object} Going
 * @property {string} key
 * @property {string} name of the file
 * @property {boolean} local a folder that this page sends by itself
 * @property {string | null} into id of the class it was dropped on
 * @property {number} bytes
 * @property {number} sent
 * @property {Import | null} info
 * @property {string} trouble why it could not be sent or asked about
 * @property {boolean} lost it cannot go on
 * @property {(preview: number) => string} preview address of a small picture
 * @property {(choices: ImportChoices) => Promise<void>} start
 * @property {() => Promise<void>} pause
 * @property {() => Promise<void>} resume
 * @property {() => Promise<void>} cancel
 * @property {() => Promise<void>} undo
 */

const ASK_MS = 350;
const IDLE_MS = 2000;
const REMEMBERED = "teachable-imports";
const MOVING = new Set(["reading", "waiting", "running"]);
export const ENDED = new Set(["done", "failed", "cancelled"]);

/** @type {Going[]} */
const going = [];
/** Ids of those that need not be found again. @type {Set<string>} */
const read = new Set();
/** Key of what an open dialog shows: how it ends is said there. @type {string | null} */
let watched = null;
let made = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let asking = false;

/** Bytes of the largest file that may be sent. */
let most = Infinity;

/**
 * Send no file that the server would refuse: with some, that would take as long as sending it.
 * @param {number} bytes
 */
export function limitFiles(bytes) {
  most = bytes;
}

/** All of them, oldest first. */
export function imports() {
  return going;
}

/** @param {string} key */
export function findImport(key) {
  return going.find((one) => one.key === key) ?? null;
}

/**
 * A dialog shows this one, or none.
 * @param {string | null} key
 */
export function watch(key) {
  watched = key;
}

/** @returns whether a file is on its way that would be lost with this page */
export function bringing() {
  return going.some(({ info, local, lost }) => !lost && (local ? info && !ENDED.has(info.state) && info.state !== "planned" : !info));
}

/** Take up what was on its way when the page was left. Once per page. */
export function startImports() {
  for (const { id, name, state: last } of remembered()) add(served(name, unknown(id, last)));
  addEventListener("beforeunload", (event) => {
    if (bringing()) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => void ask());
  void ask();
}

/**
 * Send a file to the server and have it looked into.
 * @param {File} file
 * @param {string | null} into id of a class it was dropped on
 * @returns {Going}
 */
export function sendFile(file, into = null) {
  const stop = new AbortController();
  const one = served(file.name, null, stop);
  one.into = into;
  one.bytes = file.size;
  add(one);
  if (file.size > most) {
    one.trouble = explain("visitor_file", { allowed: Math.floor(most / 2 ** 20) }, null);
    one.lost = true;
    notify("imports");
    return one;
  }
  const project = state.project && !state.problem ? `&project=${state.project.id}` : "";
  const moved = (/** @type {number} */ bytes) => {
    one.sent = Math.min(bytes, file.size);
    notify("imports");
  };
  send(`/imports?name=${encodeURIComponent(file.name)}${project}`, file, { moved, signal: stop.signal }).then(
    (info) => {
      one.sent = file.size;
      take(one, info);
      remember();
      void ask();
    },
    (error) => {
      if (error instanceof ApiError && error.key === "aborted") return;
      one.trouble = words(error);
      one.lost = true;
      notify("imports");
    },
  );
  return one;
}

/**
 * Put one on the list.
 * @param {Going} one
 */
export function add(one) {
  going.push(one);
  notify("imports");
}

/** A key for a new one. */
export function freshKey() {
  return `import-${++made}`;
}

/**
 * Take one off the list: a person has read how it ended, or gave it up before it began.
 * @param {Going} one
 */
export function dismiss(one) {
  const at = going.indexOf(one);
  if (at >= 0) going.splice(at, 1);
  if (one.info?.id) read.add(one.info.id);
  remember();
  notify("imports");
}

/**
 * A file that the server has, or will have.
 * @param {string} name
 * @param {Import | null} info
 * @param {AbortController} [stop] ends the sending
 * @returns {Going}
 */
function served(name, info, stop) {
  /** @param {string} method @param {string} [step] @param {object} [body] */
  const change = async (method, step = "", body = undefined) => {
    const answer = await request(method, `/imports/${one.info?.id}${step}`, body);
    if (answer) take(one, answer);
    void ask();
  };
  /** @type {Going} */
  const one = {
    key: freshKey(),
    name,
    local: false,
    into: null,
    bytes: 0,
    sent: 0,
    info,
    trouble: "",
    lost: false,
    preview: (preview) => previewUrl(one.info?.id ?? "", preview),
    async start(choices) {
      await change("POST", "/start", await withClasses(choices));
      // The fields of the settings show what they are now.
      if (choices.settings && choices.project === state.project?.id) notify("settings");
      notify("shelf");
    },
    pause: () => change("POST", "/pause"),
    resume: () => change("POST", "/resume"),
    async cancel() {
      stop?.abort();
      const begun = one.info && one.info.state !== "planned" && one.info.state !== "reading";
      if (one.info) await change("DELETE");
      if (!begun) dismiss(one);
    },
    async undo() {
      const { project, undo } = one.info ?? {};
      if (!project || !undo) return;
      await request("POST", `/projects/${project}/undo`, { undo });
      if (one.info) one.info = { ...one.info, undo: null };
      await changed(project);
      dismiss(one);
    },
  };
  return one;
}

/**
 * What is known of one that was remembered, until the server was asked.
 * @param {string} id
 * @param {Import["state"]} last
 * @returns {Import}
 */
function unknown(id, last) {
  return { id, state: last, plan: null, project: null, fraction: 0, done: 0, total: 0, added: 0, repeats: 0, rejected: [], rejected_total: 0, message: null, undo: null, room: null };
}

/**
 * The server or `import-folder.js` says how one stands.
 * @param {Going} one
 * @param {Import} info
 */
export function take(one, info) {
  const before = one.info;
  one.info = info;
  one.trouble = "";
  if (before?.state !== info.state) remember();
  if (before && before.added !== info.added && info.project === state.project?.id) askNow();
  if (before && !ENDED.has(before.state) && ENDED.has(info.state)) ended(one, info);
  notify("imports");
}

/**
 * @param {Going} one
 * @param {Import} info
 */
function ended(one, info) {
  if (info.project) void changed(info.project).catch(console.warn);
  // An open dialog says it; with nothing to read up about, a toast is all there is to it.
  if (watched === one.key || before(info)) return;
  if (info.state === "failed") return;
  const text = outcome(info).join(" ");
  if (info.undo && info.added) offerUndo(text, () => void one.undo().catch((error) => tell(words(error), "problem")), one.local ? null : info.undo);
  else tell(text);
  if (!info.rejected_total && info.plan?.kind !== "project" && info.project === state.project?.id) dismiss(one);
}

/** Whether it was given up before anything of it was taken. @param {Import} info */
function before(info) {
  return info.state === "cancelled" && info.total === 0;
}

/**
 * How it ended, in sentences.
 * @param {Import} info
 * @returns {string[]}
 */
export function outcome(info) {
  const classes = info.plan?.classes.length ?? 0;
  const said = [];
  if (info.state !== "done" && info.message) said.push(info.message);
  if (info.plan?.kind === "project" && !info.undo && info.state === "done") said.push(say("page.import.project_done", { count: info.added }));
  else if (info.state === "done") said.push(classes > 1 ? say("page.import.done_classes", { photos: say("page.photos", { count: info.added }), count: classes }) : say("page.import.done", { count: info.added }));
  else if (info.added || (info.state === "cancelled" && !info.message)) said.push(say("page.import.stopped", { count: info.added }));
  if (info.repeats) said.push(say("page.import.repeats", { count: info.repeats }));
  if (info.rejected_total) said.push(say("page.import.rejected", { count: info.rejected_total }));
  return said;
}

/** Photos of a project changed. @param {string} project */
export async function changed(project) {
  notify("shelf");
  if (project !== state.project?.id) return;
  await refreshProject();
  notify("samples");
}

async function ask() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  try {
    for (const one of [...going]) await askAbout(one);
  } finally {
    asking = false;
  }
  const open = going.filter(({ local, lost, info }) => !local && !lost && info && !ENDED.has(info.state));
  if (open.length) timer = setTimeout(() => void ask(), open.some(({ info }) => MOVING.has(info?.state ?? "")) ? ASK_MS : IDLE_MS);
}

/** @param {Going} one */
async function askAbout(one) {
  if (one.local || one.lost || !one.info || (ENDED.has(one.info.state) && one.info.plan)) return;
  try {
    take(one, await request("GET", `/imports/${one.info.id}`));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The server may be restarting; the next question tells. What it does not know any more is over.
    if (error.status === 404) forget(one);
    else one.trouble = error.message;
    notify("imports");
  }
}

/**
 * The server was started anew since: what it had taken is in the project, the rest is gone.
 * @param {Going} one
 */
function forget(one) {
  const last = one.info?.state ?? "reading";
  if (ENDED.has(last)) return dismiss(one);
  one.lost = true;
  one.trouble = say(last === "reading" || last === "planned" ? "page.import.forgotten" : "page.import.interrupted");
  if (one.info) read.add(one.info.id);
  remember();
}

/** Write down what a reload must find again, beside what other pages wrote down. */
function remember() {
  const mine = going.filter(({ local, lost, info }) => !local && !lost && info).map(({ info, name }) => ({ id: info?.id ?? "", name, state: info?.state ?? "reading" }));
  const others = remembered().filter(({ id }) => !read.has(id) && !mine.some((one) => one.id === id));
  try {
    if (mine.length + others.length) localStorage.setItem(REMEMBERED, JSON.stringify([...others, ...mine]));
    else localStorage.removeItem(REMEMBERED);
  } catch (error) {
    // A browser that keeps nothing forgets it at the next reload; the import goes on.
    console.warn(error);
  }
}

/** @returns {{ id: string, name: string, state: Import["state"] }[]} */
function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");
    return kept.filter((/** @type {any} */ one) => typeof one?.id === "string" && typeof one?.name === "string");
  } catch (error) {
    console.warn(error);
    return [];
  }
}
