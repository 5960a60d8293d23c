// The page of index.html: camera and photos, and a bar for each class.
import { load, predict } from "./app.js";

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const video = /** @type {HTMLVideoElement} */ ($("camera"));
const image = /** @type {HTMLImageElement} */ ($("photo"));
const files = /** @type {HTMLInputElement} */ ($("files"));
const labels = await load();
const colors = ($("bars").dataset.colors ?? "").split(" ");
const most = 10; // of more classes than these, the most probable are shown
const bars = new Map(
  [...new Set(labels)].map((label, at) => {
    const bar = /** @type {HTMLElement} */ (/** @type {HTMLTemplateElement} */ ($("bar")).content.firstElementChild?.cloneNode(true));
    /** @type {HTMLElement} */ (bar.querySelector("span")).textContent = label;
    bar.style.setProperty("--class", colors[labels.indexOf(label)] ?? "");
    if (at < most) $("bars").append(bar);
    return [label, bar];
  }),
);
$("waiting").hidden = true;
$("ready").hidden = false;
document.body.dataset.state = "ready";

/** @param {HTMLImageElement | HTMLVideoElement} picture */
async function show(picture) {
  const answers = await predict(picture);
  const best = answers.sure ? (answers[0]?.label ?? "") : ($("winner").dataset.unsure ?? "");
  $("bars").classList.toggle("unsure", !answers.sure);
  if ($("winner").textContent !== best) $("winner").textContent = best;
  if (bars.size > most) $("bars").replaceChildren(...answers.slice(0, most).flatMap(({ label }) => bars.get(label) ?? []));
  for (const { label, probability } of answers) {
    const [name, value, meter] = bars.get(label)?.children ?? [];
    if (!(meter?.firstElementChild instanceof HTMLElement) || !value || !name) continue;
    meter.firstElementChild.style.width = `${100 * probability}%`;
    meter.setAttribute("aria-label", label);
    meter.setAttribute("aria-valuenow", (100 * probability).toFixed(2));
    value.textContent = `${Math.round(100 * probability)}\u202f%`;
    name.classList.toggle("best", answers.sure && label === best);
  }
}

/** @param {boolean} live */
function stage(live) {
  video.hidden = !live;
  image.hidden = live;
  $("start").hidden = live;
  $("stop").hidden = !live;
  if (live) return;
  for (const track of video.srcObject instanceof MediaStream ? video.srcObject.getTracks() : []) track.stop();
  video.srcObject = null;
}

async function look() {
  if (!video.srcObject) return;
  if (video.readyState >= video.HAVE_CURRENT_DATA) await show(video);
  requestAnimationFrame(look);
}

$("start").addEventListener("click", async () => {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch (error) {
    console.warn(error);
    $("trouble").hidden = false;
    return;
  }
  $("trouble").hidden = true;
  stage(true);
  void look();
});
$("stop").addEventListener("click", () => stage(false));
files.addEventListener("change", async () => {
  const file = files.files?.[0];
  if (!file) return;
  stage(false);
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  $("unreadable").hidden = true;
  try {
    await image.decode();
    await show(image);
  } catch (error) {
    console.warn(error);
    $("unreadable").hidden = false;
  }
});
