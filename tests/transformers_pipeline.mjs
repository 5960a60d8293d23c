// The library's own way, with nothing of ours: node transformers_pipeline.mjs <folder> <photo…>
import { env, pipeline } from "@huggingface/transformers";

env.allowRemoteModels = false;
const [folder, ...photos] = process.argv.slice(2);
const classify = await pipeline("image-classification", folder);
for (const photo of photos) {
  console.log(photo, JSON.stringify(await classify(photo, { top_k: null })));
}
