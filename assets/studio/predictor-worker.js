/**
 * The worker that runs the model, away from the thread that draws the page. It owns the onnxruntime session; all image
 * preparation is inside the model's graph, so it only drops the alpha channel.
 */

const ORT = new URL("../ort/", import.meta.url).href;
/** What is timed: a frame as cameras send it, so often, after the runtime has prepared its memory. */
const TIMED = { width: 640, height: 480, frames: 10, before: 2 };
/** The smallest ONNX model there is, one Identity node: making a session of it loads and compiles the runtime. */
const SMALLEST = "CAgSADo3ChAKAWESAWIiCElkZW50aXR5EgFnWg8KAWESCgoICAESBAoCCAFiDwoBYhIKCggIARIECgIIAUIECgAQDQ==";

/** @type {Promise<any> | null} */
let runtime = null;
/** @type {any} */
let session = null;

function start() {
  runtime ??= (async () => {
    const ort = await import(`${ORT}ort.wasm.min.mjs`);
    ort.env.wasm.wasmPaths = ORT;
    // More threads need a cross-origin isolated page and gained nothing on two cores.
    ort.env.wasm.numThreads = 1;
    const bytes = Uint8Array.from(atob(SMALLEST), (letter) => letter.charCodeAt(0));
    await (await ort.InferenceSession.create(bytes)).release();
    return ort;
  })().catch((error) => {
    throw new StartError(String(error));
  });
  return runtime;
}

/** The runtime did not start, and never will in this worker. */
class StartError extends Error {}

/** The model did not come, which says nothing about the model or this browser. */
class AwayError extends Error {}

/**
 * @param {string} url
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function fetched(url) {
  try {
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    throw new AwayError(`${response.status} ${response.statusText}`);
  } catch (error) {
    throw new AwayError(String(error));
  }
}

/**
 * @param {string} url
 * @returns {Promise<import("./predictor.js").Abilities>}
 */
async function load(url) {
  const ort = await start();
  const next = await ort.InferenceSession.create(await fetched(url));
  await session?.release();
  session = next;
  return { familiarity: session.outputNames.includes("familiarity"), heat: session.outputNames.includes("heatmap") };
}

/**
 * @param {{ width: number, height: number, pixels: ArrayBuffer }} frame RGBA
 * @param {boolean} heat whether to say where the model looks
 * @returns {Promise<import("./predictor.js").Answer>}
 */
async function predict(frame, heat) {
  const began = performance.now();
  const has = (/** @type {string} */ name) => session.outputNames.includes(name);
  const names = ["probabilities", ...(heat ? ["heatmap"] : []), "familiarity"].filter(has);
  const found = await run(frame, names);
  const probabilities = [...found.probabilities.data];
  const familiarity = found.familiarity?.data[0] ?? null;
  return { probabilities, familiarity, heat: mapOf(found.heatmap, probabilities), milliseconds: performance.now() - began };
}

/**
 * The map of the winner, out of those of all classes.
 * @param {{ data: Float32Array, dims: number[] } | undefined} maps
 * @param {number[]} probabilities
 * @returns {import("./heat.js").Heat | null}
 */
function mapOf(maps, probabilities) {
  if (!maps) return null;
  const [, , height = 0, width = 0] = maps.dims;
  const best = probabilities.indexOf(Math.max(...probabilities));
  return { values: maps.data.slice(best * height * width, (best + 1) * height * width), height, width };
}

/**
 * @param {{ width: number, height: number, pixels: ArrayBuffer }} frame RGBA
 * @param {string[]} outputs
 */
async function run({ width, height, pixels }, outputs) {
  const ort = await start();
  const rgba = new Uint8Array(pixels);
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
  }
  const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
  return session.run({ image }, outputs);
}

/**
 * Time a network, which gives no probabilities but an embedding, on frames made up here.
 * @param {string} url
 * @returns {Promise<number>} milliseconds for a frame, the median
 */
async function time(url) {
  await load(url);
  const { width, height, frames, before } = TIMED;
  const pixels = Uint8Array.from({ length: 4 * width * height }, (_, at) => (at * 31) % 251).buffer;
  const times = [];
  for (let frame = -before; frame < frames; frame += 1) {
    const began = performance.now();
    await run({ width, height, pixels }, ["embedding"]);
    if (frame >= 0) times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[frames >> 1] ?? 0;
}

/** Questions are answered one after the other: a session cannot run twice at once, nor be replaced while it runs. */
let turn = Promise.resolve();

addEventListener("message", ({ data }) => {
  turn = turn.then(async () => {
    try {
      const tasks = { warm: start, load: () => load(data.url), predict: () => predict(data, data.heat), time: () => time(data.url) };
      const answer = await tasks[/** @type {keyof typeof tasks} */ (data.task)]();
      postMessage({ id: data.id, answer: data.task === "warm" ? null : answer });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      postMessage({ id: data.id, error: message, away: error instanceof AwayError, start: error instanceof StartError });
    }
  });
});
