/**
 * The model, wherever it runs: in a worker, or in the page itself where the browser gives a file no worker. It owns the
 * worker and its questions, and adds up the probabilities of classes that have one name.
 */

import { openEngine, unpack } from "./engine.js";
import { about } from "./words.js";

/** @typedef {import("./engine.js").Engine} Engine */
/** @typedef {import("./engine.js").Parts} Parts */

/**
 * @typedef {import("../studio/heat.js").Heat} Heat of the winner
 * @typedef {{ shares: number[], best: number, familiarity: number | null, heat: Heat | null }} Seen shares in the order
 *   of `NAMES`
 */

/** The classes as a person knows them: no name twice. */
export const NAMES = [...new Set(about.labels)];
/** Of each name. */
export const COLORS = NAMES.map((name) => about.colors[about.labels.indexOf(name)] ?? "#6B7280");

const places = about.labels.map((label) => NAMES.indexOf(label));

/**
 * Start the model.
 * @param {Parts} parts
 * @returns {Promise<{ look: (pixels: ImageData, heat: boolean) => Promise<Seen>, background: boolean }>}
 */
export async function startModel(parts) {
  const runtime = await unpack(parts.runtime);
  try {
    return { look: looking(await inWorker(parts, runtime)), background: true };
  } catch (error) {
    console.warn(error);
    const url = addressOf(runtime);
    await import(url);
    URL.revokeObjectURL(url);
    return { look: looking(await openEngine(parts)), background: false };
  }
}

/**
 * @param {Engine} engine
 * @returns {(pixels: ImageData, heat: boolean) => Promise<Seen>}
 */
function looking(engine) {
  /** A model cannot look at two pictures at once. @type {Promise<unknown>} */
  let turn = Promise.resolve();
  return async ({ width, height, data }, heat) => {
    const answer = turn.then(() => engine({ width, height, pixels: data.buffer }, heat));
    turn = answer.catch(() => null);
    const { probabilities, familiarity, maps } = await answer;
    const shares = NAMES.map(() => 0);
    probabilities.forEach((value, output) => {
      const place = places[output] ?? 0;
      shares[place] = (shares[place] ?? 0) + value;
    });
    const best = shares.indexOf(Math.max(...shares));
    if (!maps) return { shares, best, familiarity, heat: null };
    // Of several outputs with the winner's name, the one that is surest.
    let output = places.indexOf(best);
    probabilities.forEach((value, other) => {
      if (places[other] === best && value > (probabilities[output] ?? 0)) output = other;
    });
    const size = maps.width * maps.height;
    return { shares, best, familiarity, heat: { ...maps, values: maps.values.slice(output * size, (output + 1) * size) } };
  };
}

/** @param {...BlobPart} programs one after the other */
function addressOf(...programs) {
  return URL.createObjectURL(new Blob(programs, { type: "text/javascript" }));
}

/**
 * @param {Parts} parts
 * @param {ArrayBuffer} runtime goes before the worker in one script: where the page is a file, Safari imports nothing in a worker
 * @returns {Promise<Engine>}
 */
async function inWorker(parts, runtime) {
  const url = addressOf(runtime, about.worker);
  const worker = new Worker(url);
  /** @type {Map<number, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let asked = 0;

  worker.addEventListener("message", ({ data }) => {
    const promise = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) promise?.resolve(data.answer);
    else promise?.reject(new Error(data.error));
  });
  worker.addEventListener("error", (event) => {
    for (const promise of waiting.values()) promise.reject(new Error(event.message || "The worker did not start."));
    waiting.clear();
  });

  /**
   * @param {object} question
   * @param {Transferable[]} transfer
   * @returns {Promise<any>}
   */
  function ask(question, transfer) {
    const id = ++asked;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...question }, transfer);
    });
  }

  try {
    await ask({ parts }, []);
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
  return (picture, maps) => ask({ picture, maps }, [picture.pixels]);
}
