// p5.js: the camera on a canvas, and what the model sees written below it. It needs p5.min.js beside it.
import { load, predict } from "./app.js";

if (typeof p5 === "undefined") /** @type {HTMLElement} */ (document.getElementById("missing")).hidden = false;
else new p5(sketch);

/** @param {any} p */
function sketch(p) {
  /** @type {any} */
  let camera;
  let answer = "…";

  p.setup = () => {
    p.createCanvas(480, 400);
    p.textSize(28);
    p.textAlign(p.CENTER, p.CENTER);
    camera = p.createCapture("video");
    camera.hide();
    load().then(look);
  };

  p.draw = () => {
    p.background(255);
    p.image(camera, 0, 0, 480, 360);
    p.text(answer, 240, 382);
  };

  async function look() {
    // From 2 on there is a picture.
    if (camera.elt.readyState >= 2) {
      const answers = await predict(camera.elt);
      const [best] = answers;
      answer = best ? `${best.label}, ${Math.round(100 * best.probability)}\u202f%` : "…";
      if (!answers.sure) answer = document.querySelector("main")?.dataset.unsure ?? "?";
      document.body.dataset.answer = best?.label ?? "";
    }
    setTimeout(look, 50);
  }
}
