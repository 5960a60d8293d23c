/**
 * Predictions, by the very model file, either in this browser (a worker running onnxruntime-web) or, where the browser
 * cannot and the person agreed, by the server. It owns the worker and its questions; one question at a time.
 */

import { request } from "./api.js";

/**
 * Probabilities are in the order of the model's classes. `familiarity`, 0 to 1, is null where the model cannot tell;
 * `heat` is of the winner, where it was asked for.
 * @typedef {{ probabilities: number[], familiarity: number | null, heat: import("./heat.js").Heat | null, milliseconds: number }} Answer
 */
/** What a model file can tell besides its classes. @typedef {{ familiarity: boolean, heat: boolean }} Abilities */

/** The runtime in the browser did not start or stopped; `away`: the model did not come, which says nothing about it. */
export class PredictorError extends Error {
  /**
   * @param {string} message
   * @param {boolean} [away]
   */
  constructor(message, away = false) {
    super(message);
    this.away = away;
  }
}

/** @type {Map<number, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
const waiting = new Map();
let asked = 0;
/** @type {Worker | null} */
let worker = null;
/** The runtime did not come once; it does not start a second time in the same worker. */
let failed = false;
/** @type {PredictorError | null} */
let broken = null;

function begin() {
  const begun = new Worker(new URL("predictor-worker.js", import.meta.url), { type: "module" });
  begun.addEventListener("message", ({ data }) => {
    const promise = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) return promise?.resolve(data.answer);
    // The server may have been away while the runtime was on its way: another worker tells.
    const again = data.start && !failed;
    failed ||= again;
    promise?.reject(new PredictorError(data.error, data.away || again));
    if (again && worker === begun) leave(new PredictorError(data.error, true));
  });
  begun.addEventListener("error", (event) => {
    broken = new PredictorError(event.message);
    leave(broken);
  });
  return begun;
}

/** @param {PredictorError} error told to whoever waits for the worker that is given up */
function leave(error) {
  for (const promise of waiting.values()) promise.reject(error);
  waiting.clear();
  worker?.terminate();
  worker = null;
}

/**
 * @param {object} question
 * @param {Transferable[]} [transfer]
 * @returns {Promise<any>}
 */
function ask(question, transfer = []) {
  if (broken) return Promise.reject(broken);
  const id = ++asked;
  const answering = (worker ??= begin());
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    answering.postMessage({ id, ...question }, transfer);
  });
}

/** Start the runtime before there is a model, so that the first model is live at once. */
export function warmUp() {
  return ask({ task: "warm" });
}

/**
 * Take a model file.
 * @param {string} url
 * @returns {Promise<Abilities>}
 */
export function loadModel(url) {
  return ask({ task: "load", url: new URL(url, location.href).href });
}

/**
 * @param {ImageData} pixels given away to the worker
 * @param {boolean} [heat] whether to say where the model looks
 * @returns {Promise<Answer>}
 */
export function predictHere(pixels, heat = false) {
  const { width, height, data } = pixels;
  return ask({ task: "predict", width, height, pixels: data.buffer, heat }, [data.buffer]);
}

/**
 * The same question to the server, which runs the same file.
 * @param {string} project
 * @param {Blob} photo
 * @param {string[]} labels in the order of the model's classes
 * @returns {Promise<Answer>}
 */
export async function predictOnServer(project, photo, labels) {
  const began = performance.now();
  const form = new FormData();
  form.append("file", photo, photo instanceof File ? photo.name : "frame.jpg");
  /** @type {{ predictions: { probabilities: Record<string, number>, familiarity?: number | null }[] }} */
  const { predictions } = await request("POST", `/projects/${project}/predict`, form);
  const shares = predictions[0]?.probabilities ?? {};
  const probabilities = labels.map((label) => shares[label] ?? 0);
  return { probabilities, familiarity: predictions[0]?.familiarity ?? null, heat: null, milliseconds: performance.now() - began };
}
