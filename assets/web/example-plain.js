// Plain JavaScript: name one photo. This is all it takes.
import { load, predict } from "./app.js";

const image = /** @type {HTMLImageElement} */ (document.getElementById("photo"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("files"));
const result = /** @type {HTMLElement} */ (document.getElementById("result"));

await load();
document.body.dataset.state = "ready";

input.addEventListener("change", async () => {
  const file = input.files?.[0];
  if (!file) return;
  image.src = URL.createObjectURL(file);
  await image.decode();
  const answers = await predict(image);
  const lines = answers.map(({ label, probability }) => `${label}: ${Math.round(100 * probability)}\u202f%`);
  result.textContent = (answers.sure ? lines : [result.dataset.unsure, ...lines]).join("\n");
});
