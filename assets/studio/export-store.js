/**
 * What can be taken away of the open project's model, for as long as the dialog is open: asking the server, often while
 * something is made and not at all otherwise, and what was said to a press. It owns the clock; it draws nothing.
 */

import { ApiError, exportPath, modelUrl, request } from "./api.js";
import { words } from "./project.js";
import { state, subscribe } from "./store.js";

/** @typedef {import("./types.d.ts").Exports} Exports */
/** @typedef {import("./types.d.ts").Format} Format */
/** @typedef {import("./types.d.ts").Made} Made */
/** @typedef {ReturnType<typeof followExports>} ExportStore */

const ASK_MS = 400;
/** The file that the preview runs. */
const MODEL = { format: "onnx", variant: "full" };

/**
 * Follow the exports until `close`.
 * @param {() => void} changed called when there is something new to show
 */
export function followExports(changed) {
  const project = state.project?.id ?? "";
  /** @type {Exports | null} */
  let known = null;
  /** Why nothing is known. */
  let trouble = "";
  /** What the last press led to if it failed, by file. @type {Map<string, string>} */
  const refusals = new Map();
  /** Files that are being asked for at this moment. @type {Set<string>} */
  const asking = new Set();
  /** Files that were asked for without a press, once for each state of the model. @type {Set<string>} */
  const begun = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let closed = false;
  /** Counts what was asked for here: an older answer is out of date. */
  let turn = 0;
  let mark = modelMark();
  /** Size of the model file, which is there without being made. @type {number | null} */
  let modelBytes = null;

  /**
   * @param {string} method
   * @param {string} path below `/api/v1`
   * @returns {Promise<boolean>} whether the answer was still the newest
   */
  async function ask(method, path) {
    clearTimeout(timer);
    const mine = ++turn;
    try {
      /** @type {Exports} */
      const answer = await request(method, path);
      if (mine !== turn || closed) return false;
      known = answer;
      trouble = "";
      fill();
    } finally {
      if (mine === turn && !closed && busy()) timer = setTimeout(() => void refresh(), ASK_MS);
    }
    changed();
    return true;
  }

  async function refresh() {
    try {
      await ask("GET", `/projects/${project}/exports`);
    } catch (error) {
      if (closed) return;
      // While the server restarts what was known stays on the screen; the next question tells.
      if (busy() && error instanceof ApiError && error.status === 0) return;
      known = null;
      trouble = words(error);
      changed();
    }
  }

  /** Say of the model file what it weighs: the server says so only of what was made to be taken away. */
  function fill() {
    for (const format of known?.formats ?? []) for (const made of format.variants) if (isModel(format, made)) made.size_bytes ??= modelBytes;
  }

  async function weigh() {
    modelBytes = null;
    if (!state.status?.model) return;
    try {
      const response = await fetch(modelUrl(project));
      const bytes = response.ok ? Number(response.headers.get("Content-Length")) : 0;
      await response.body?.cancel();
      if (closed || !bytes) return;
      modelBytes = bytes;
      fill();
      changed();
    } catch (error) {
      // Without its size the file can be had as well.
      console.warn(error);
    }
  }

  function busy() {
    return known !== null && (known.checking || known.formats.some(({ variants }) => variants.some(going)));
  }

  /**
   * @param {"POST" | "DELETE"} method
   * @param {string} format
   * @param {string} variant
   */
  async function change(method, format, variant) {
    const name = `${format}/${variant}`;
    refusals.delete(name);
    if (method === "POST") asking.add(name);
    try {
      // An answer that was overtaken by another question may know more than that one's.
      if (!(await ask(method, exportPath(project, format, variant))) && !closed) await refresh();
    } catch (error) {
      refusals.set(name, words(error));
    }
    asking.delete(name);
    if (!closed) changed();
  }

  const unsubscribe = subscribe(["status", "project"], () => {
    const now = modelMark();
    if (now !== mark) {
      mark = now;
      begun.clear();
      refusals.clear();
      void weigh();
      void refresh();
    } else changed();
  });
  void weigh();

  return {
    project,
    refresh,
    get known() {
      return known;
    },
    get trouble() {
      return trouble;
    },
    /** Differs as soon as files made before are out of date, as far as this page knows. */
    get mark() {
      return mark;
    },
    /**
     * What a press on this file led to, if that failed.
     * @param {string} format
     * @param {string} variant
     */
    refusal(format, variant) {
      return refusals.get(`${format}/${variant}`) ?? "";
    },
    /**
     * Whether a file is being asked for, and the server has not answered yet.
     * @param {string} format
     * @param {string} variant
     */
    starting(format, variant) {
      return asking.has(`${format}/${variant}`);
    },
    /**
     * Have a file made.
     * @param {string} format
     * @param {string} variant
     */
    start(format, variant) {
      void change("POST", format, variant);
      changed();
    },
    /**
     * Have a file made without being asked, unless that was tried already.
     * @param {string} format
     * @param {string} variant
     */
    startOnce(format, variant) {
      const name = `${format}/${variant}`;
      if (begun.has(name)) return;
      begun.add(name);
      void change("POST", format, variant);
    },
    /**
     * Give a file up.
     * @param {string} format
     * @param {string} variant
     */
    cancel(format, variant) {
      void change("DELETE", format, variant);
    },
    /** Ask no more. What is being made goes on. */
    close() {
      closed = true;
      clearTimeout(timer);
      unsubscribe();
    },
  };
}

/**
 * Whether a file is being made, or is about to be.
 * @param {Made} made
 */
export function going(made) {
  return made.state === "waiting" || made.state === "running";
}

/** Of everything that makes an exported file out of date, the part that this page knows. */
function modelMark() {
  const model = state.status?.model;
  const names = (state.project?.classes ?? []).map(({ id, name, color }) => [id, name, color]);
  return JSON.stringify([model?.id, model?.stale, model?.checking, state.project?.name, names]);
}

/**
 * Whether it is the file that the preview runs: it was written and checked when the training ended.
 * @param {Format} format
 * @param {Made} made
 */
export function isModel(format, made) {
  return format.id === MODEL.format && made.id === MODEL.variant;
}
