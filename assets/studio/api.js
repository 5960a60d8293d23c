/** Talking to `/api/v1`. It owns turning every failure into an `ApiError` whose message a person can act on. */

import { known, say } from "./words.js";

/** @typedef {import("./types.d.ts").Values} Values */
/** @typedef {import("./types.d.ts").Project} Project */

const BASE = "/api/v1";

/** A request that failed, in words. `status` is 0 where no answer came at all. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} key
   * @param {string} message
   * @param {Record<string, any>} [values] what the server said besides
   */
  constructor(status, key, message, values = {}) {
    super(message);
    this.status = status;
    this.key = key;
    this.values = values;
  }
}

/**
 * The words for a problem the server reported: from the catalogue where it has them, else as the server said them.
 * @param {string} key
 * @param {Values} values
 * @param {string | null} message
 */
export function explain(key, values, message) {
  return known(`error.${key}`) ? say(`error.${key}`, values) : (message ?? say("page.error.unexpected"));
}

/**
 * Send a request and return the parsed JSON of the answer.
 * @param {string} method
 * @param {string} path below `/api/v1`
 * @param {object | FormData} [body]
 * @param {AbortSignal} [signal] gives up waiting for the answer, which then counts as one that did not come
 * @returns {Promise<any>}
 */
export async function request(method, path, body, signal) {
  /** @type {RequestInit} */
  const init = { method, signal };
  if (body instanceof FormData) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(BASE + path, init);
    // Here, because a connection can end in the middle of an answer, too.
    if (response.ok) return response.status === 204 ? null : await response.json();
  } catch {
    throw new ApiError(0, "offline", offline());
  }
  throw await failure(response);
}

/** What is said where no answer came. */
export function offline() {
  // A pupil's page is served by another computer than the one in front of them.
  return say(document.documentElement.dataset.visitor ? "page.visitor.offline" : "page.error.offline");
}

/**
 * Send a file as it is, from the disk and not through memory, and say how far it is.
 * @param {string} path below `/api/v1`
 * @param {Blob} file
 * @param {{ moved: (bytes: number) => void, signal: AbortSignal }} options
 * @returns {Promise<any>} the parsed JSON of the answer
 * @throws {ApiError} with the key `aborted` where the signal ended it
 */
export function send(path, file, { moved, signal }) {
  return new Promise((resolve, reject) => {
    // `fetch` does not tell how much of a body has been sent.
    const ask = new XMLHttpRequest();
    ask.open("POST", BASE + path);
    ask.setRequestHeader("Content-Type", "application/octet-stream");
    ask.responseType = "text";
    ask.upload.addEventListener("progress", ({ loaded }) => moved(loaded));
    ask.addEventListener("load", async () => {
      const answer = new Response(ask.responseText, { status: ask.status });
      if (answer.ok) resolve(await answer.json());
      else reject(await failure(answer));
    });
    ask.addEventListener("error", () => reject(new ApiError(0, "offline", offline())));
    ask.addEventListener("abort", () => reject(new ApiError(0, "aborted", "")));
    signal.addEventListener("abort", () => ask.abort());
    ask.send(file);
  });
}

/** @param {Response} response */
async function failure(response) {
  /** @type {{ error?: { key: string, values?: Values, message?: string } } | null} */
  const answer = await response.json().catch(() => null);
  if (!answer?.error) return new ApiError(response.status, "unexpected", say("page.error.unexpected"));
  const { key, values = {}, message = null } = answer.error;
  return new ApiError(response.status, key, explain(key, values, message), values);
}

/**
 * Address of a stored photo.
 * @param {string} project
 * @param {number} sample
 */
export function photoUrl(project, sample) {
  return `${BASE}/projects/${project}/samples/${sample}/photo`;
}

/**
 * Address of its small square version.
 * @param {string} project
 * @param {number} sample
 */
export function thumbnailUrl(project, sample) {
  return `${BASE}/projects/${project}/samples/${sample}/thumbnail?side=128`;
}

/**
 * Address of the newest model file; with an id, of that very model.
 * @param {string} project
 * @param {string} [model]
 */
export function modelUrl(project, model) {
  return `${BASE}/projects/${project}/model.onnx${model ? `?id=${encodeURIComponent(model)}` : ""}`;
}

/**
 * Address of the model file of a version.
 * @param {string} project
 * @param {string} version
 */
export function versionUrl(project, version) {
  return `${BASE}/projects/${project}/versions/${encodeURIComponent(version)}/model`;
}

/**
 * Address of all samples of a class as one zip.
 * @param {string} project
 * @param {string} label id of the class
 */
export function archiveUrl(project, label) {
  return `${BASE}/projects/${project}/classes/${label}/samples.zip`;
}

/**
 * Address of the whole project as one zip that can be opened again.
 * @param {string} project
 */
export function projectZipUrl(project) {
  return `${BASE}/projects/${project}/archive`;
}

/**
 * Address of all photos of a project as one zip of folders.
 * @param {string} project
 */
export function photosZipUrl(project) {
  return `${BASE}/projects/${project}/photos`;
}

/**
 * Address of a small picture of a file that was sent but not taken yet.
 * @param {string} id of the import
 * @param {number} preview
 */
export function previewUrl(id, preview) {
  return `${BASE}/imports/${encodeURIComponent(id)}/previews/${preview}`;
}

/**
 * Address of the report as a page of its own.
 * @param {string} project
 */
export function reportPageUrl(project) {
  return `${BASE}/projects/${project}/report/page`;
}

/**
 * Address of an exported file.
 * @param {string} project
 * @param {string} format
 * @param {string} variant
 */
export function exportUrl(project, format, variant) {
  return `${BASE}${exportPath(project, format, variant)}/file`;
}

/**
 * Path of an exported file below `/api/v1`, to ask for it and to give it up.
 * @param {string} project
 * @param {string} format
 * @param {string} variant
 */
export function exportPath(project, format, variant) {
  return `/projects/${project}/exports/${encodeURIComponent(format)}/${encodeURIComponent(variant)}`;
}
