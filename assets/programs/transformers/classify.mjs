// Says what is on photos. Once: npm install @huggingface/transformers
// Then: node classify.mjs photo.jpg
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import { Tensor, cat, env, pipeline } from "@huggingface/transformers";

const folder = dirname(fileURLToPath(import.meta.url));
env.allowRemoteModels = false; // everything is here, nothing is fetched
const classify = await pipeline("image-classification", folder);

// Photos are prepared by preprocess.onnx, exactly as in Teachable. Without these lines the library does it in its own
// way, and the answers are a little different.
const front = await ort.InferenceSession.create(join(folder, "onnx", "preprocess.onnx"));

async function prepare(photo) {
  const { data, height, width } = photo.rgb();
  const image = new ort.Tensor("uint8", Uint8Array.from(data), [1, height, width, 3]);
  const { pixel_values } = await front.run({ image });
  return new Tensor("float32", pixel_values.data, pixel_values.dims);
}

classify.processor = async (photos) => ({ pixel_values: cat(await Promise.all(photos.map(prepare)), 0) });

for (const photo of process.argv.slice(2)) {
  console.log(photo, JSON.stringify(await classify(photo, { top_k: null })));
}
