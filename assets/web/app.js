// The model: `await load()` once, then `await predict(picture)` as often as you like.
import * as ort from "./onnxruntime-web/ort.wasm.min.mjs";

const here = (/** @type {string} */ name) => new URL(name, import.meta.url).href;
ort.env.wasm.wasmPaths = here("onnxruntime-web/");
ort.env.wasm.numThreads = 1; // more would need special headers from the server
let /** @type {import("./onnxruntime-web/ort.wasm.min.mjs").Session} */ session, /** @type {string[]} */ labels;

/** Fetch the model. @returns {Promise<string[]>} the names of its classes */
export async function load() {
  ({ labels } = await (await fetch(here("signature.json"))).json());
  session = await ort.InferenceSession.create(here("model.onnx"));
  return labels;
}

/**
 * Look at a picture: an image, video, canvas, ImageBitmap or ImageData of any size; the model crops and resizes it itself.
 * @param {ImageBitmapSource} picture
 * @returns {Promise<{ label: string, probability: number }[]>} the most probable class first
 */
export async function predict(picture) {
  const bitmap = await createImageBitmap(picture);
  const { width, height } = bitmap;
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d"));
  context.fillStyle = "white"; // what transparent parts are shown on
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const rgb = new Uint8Array(context.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 < 3));
  const { probabilities } = await session.run({ image: new ort.Tensor("uint8", rgb, [1, height, width, 3]) }, ["probabilities"]);
  const sums = new Map(labels.map((label) => [label, 0])); // two classes may have one name
  labels.forEach((label, at) => sums.set(label, (sums.get(label) ?? 0) + (probabilities?.data[at] ?? 0)));
  return [...sums].map(([label, probability]) => ({ label, probability })).sort((a, b) => b.probability - a.probability);
}
