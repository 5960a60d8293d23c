// Says what is on photos. Once: npm install --ignore-scripts @huggingface/transformers
// Then: node classify.mjs photo.jpg
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as ort from "onnxruntime-node";
import { RawImage, Tensor, cat, env, pipeline } from "@huggingface/transformers";

const photos = process.argv.slice(2);
if (!photos.length) {
  console.error("Name the photos: node classify.mjs photo.jpg another.jpg");
  process.exit(1);
}

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

for (const photo of photos) {
  const picture = await RawImage.read(photo).catch(() => null);
  if (picture) {
    console.log(photo, JSON.stringify(await classify(picture, { top_k: null })));
  } else {
    const reason = existsSync(photo) ? "it is no photo that can be read" : "there is no such file";
    console.error(`Skipped ${photo}: ${reason}.`);
    process.exitCode = 1;
  }
}
