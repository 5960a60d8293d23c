/**
 * How quick networks are in this browser: each is timed in a worker of its own, one at a time, while the live preview
 * rests. It owns that worker; keeping the figure is `networks.js`.
 */

import { PredictorError } from "./predictor.js";
import { state } from "./store.js";

/** @typedef {{ id: string, fingerprint: string }} Timed */

/**
 * Time networks one after the other.
 * @param {Timed[]} networks
 * @param {{ begun: (id: string) => void, timed: (id: string, milliseconds: number) => Promise<void>,
 *   failed: (id: string, error: unknown) => void, signal: AbortSignal }} options
 */
export async function timeNetworks(networks, { begun, timed, failed, signal }) {
  state.timing = true;
  try {
    for (const { id, fingerprint } of networks) {
      if (signal.aborted) return;
      begun(id);
      try {
        const milliseconds = await timeOne(`/api/v1/networks/${encodeURIComponent(id)}/network.onnx?v=${fingerprint}`, signal);
        await timed(id, milliseconds);
      } catch (error) {
        if (!signal.aborted) failed(id, error);
      }
    }
  } finally {
    state.timing = false;
  }
}

/**
 * The worker is ended afterwards, because a runtime never gives back the memory a large network took.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<number>} milliseconds for a frame
 */
function timeOne(path, signal) {
  const worker = new Worker(new URL("predictor-worker.js", import.meta.url), { type: "module" });
  /** @type {Promise<number>} */
  const answer = new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => (data.error === undefined ? resolve(data.answer) : reject(new PredictorError(data.error))));
    worker.addEventListener("error", ({ message }) => reject(new PredictorError(message)));
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.postMessage({ id: 0, task: "time", url: new URL(path, location.href).href });
  });
  return answer.finally(() => worker.terminate());
}
