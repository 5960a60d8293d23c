// The model: `await load()` once, then `await predict(picture)` as often as you like.
import * as ort from "./onnxruntime-web/ort.wasm.min.mjs";

const here = (/** @type {string} */ name) => new URL(name, import.meta.url).href;
ort.env.wasm.wasmPaths = here("onnxruntime-web/");
ort.env.wasm.numThreads = 1; // more would need special headers from the server
let /** @type {import("./onnxruntime-web/ort.wasm.min.mjs").Session} */ session, /** @type {string[]} */ labels;
/** Less familiar than this, 0 to 1, is unlike all that was learned; 0 where the model cannot tell. @type {number} */
let below;

/** Fetch the model. @returns {Promise<string[]>} the names of its classes */
export async function load() {
  ({ labels, familiarity: { below } = { below: 0 } } = await (await fetch(here("signature.json"))).json());
  session = await ort.InferenceSession.create(here("model.onnx"));
  return labels;
}

/**
 * Look at a picture: an image, video, canvas, ImageBitmap or ImageData of any size; the model crops and resizes it itself.
 * @param {HTMLImageElement | HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap | ImageData} picture
 * @returns {Promise<{ label: string, probability: number }[] & { sure: boolean }>} the most probable class first; not `sure`
 *   where the picture is too unlike what the model learned for any of them to be believed
 */
export async function predict(picture) {
  const source = /** @type {any} */ (picture instanceof ImageData ? await createImageBitmap(picture) : picture);
  const width = source.videoWidth || source.naturalWidth || source.width;
  const height = source.videoHeight || source.naturalHeight || source.height;
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d"));
  context.fillStyle = "white"; // what transparent parts are shown on
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  const rgb = new Uint8Array(context.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 < 3));
  const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
  const { probabilities, familiarity } = await session.run({ image }, ["probabilities", ...(below ? ["familiarity"] : [])]);
  const sums = new Map(labels.map((label) => [label, 0])); // two classes may have one name
  labels.forEach((label, at) => sums.set(label, (sums.get(label) ?? 0) + (probabilities?.data[at] ?? 0)));
  const answers = [...sums].map(([label, probability]) => ({ label, probability }));
  return Object.assign(answers.sort((a, b) => b.probability - a.probability), { sure: (familiarity?.data[0] ?? 1) >= below });
}
