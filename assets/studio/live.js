/** The camera in the preview: each time the model is free, it gets the newest frame. Older ones are never queued. */

import { CameraError, leaveCamera, mirrored, severalCameras, switchCamera, watchCamera } from "./camera.js";
import { button, icon, make, write } from "./dom.js";
import { grabPhoto, grabPixels, nextFrame, SIDE } from "./frame.js";
import { heatMap } from "./heat.js";
import { words } from "./project.js";
import { steadied } from "./steady.js";
import { say } from "./words.js";

/** @typedef {import("./predictor.js").Answer} Answer */

/**
 * @param {{ predict: (pixels: ImageData, photo: () => Promise<Blob>) => Promise<Answer | null>, ended: () => void,
 *   answered: (answer: Answer) => void, paused: () => boolean }} options
 */
export function livePreview({ predict, ended, answered, paused }) {
  const video = make("video", { className: "t-video", muted: true, playsInline: true, autoplay: true, "data-testid": "preview-camera" });
  const pill = make("span", { className: "t-pill", dir: "auto", "data-testid": "winner", "aria-hidden": "true", hidden: true });
  const off = make("div", { className: "t-stage-off" }, icon("camera"), make("span", {}, say("page.preview.camera_off")));
  const heat = heatMap();
  const familiar = steadied();
  const flip = button({ icon: "flip", label: say("page.camera.switch"), look: "glass", press: turn });
  flip.hidden = true;
  const stage = make("div", { className: "t-stage" }, video, heat.element, off, pill, flip);
  const reason = make("p", {});
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true }, icon("warning"), reason);
  const element = make("div", { className: "t-live" }, stage, problem);
  let on = false;
  /** Which start this is: a loop of an earlier one ends by itself. */
  let round = 0;

  const viewer = {
    changed: async (/** @type {MediaStream} */ stream) => {
      video.srcObject = stream;
      stage.toggleAttribute("data-mirrored", mirrored());
      flip.hidden = !(await severalCameras());
    },
    lost: fail,
  };

  /** @returns {Promise<boolean>} whether there is a picture */
  async function start() {
    if (on) return true;
    on = true;
    const mine = ++round;
    problem.hidden = true;
    familiar.forget();
    try {
      await watchCamera(viewer);
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      fail(error);
      return false;
    }
    if (mine !== round) return false;
    off.hidden = true;
    nextFrame(video, () => void loop(mine));
    return true;
  }

  /** @param {number} mine */
  async function loop(mine) {
    if (mine !== round || !on) return;
    try {
      const ready = video.videoWidth && !document.hidden && !paused();
      const answer = ready ? await predict(grabPixels(video), () => grabPhoto(video)) : null;
      if (mine !== round) return;
      if (answer) answered({ ...answer, familiarity: familiar.next(answer.familiarity) });
    } catch (error) {
      if (mine !== round) return;
      write(reason, error instanceof Error && error.name === "PredictorError" ? say("page.preview.cannot_run") : words(error));
      problem.hidden = false;
      stop();
      ended();
      return;
    }
    nextFrame(video, () => void loop(mine));
  }

  /** @param {CameraError} error */
  function fail(error) {
    stop();
    write(reason, error.message);
    problem.hidden = false;
    ended();
  }

  function stop() {
    if (!on) return;
    on = false;
    round += 1;
    leaveCamera(viewer);
    video.srcObject = null;
    off.hidden = false;
    flip.hidden = true;
    pill.hidden = true;
    heat.show(null, 1, 1, 1);
  }

  async function turn() {
    try {
      await switchCamera();
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
    }
  }

  return {
    element,
    stage,
    start,
    stop,
    running: () => on,
    /**
     * @param {string} text of the winner, shown on the picture
     * @param {boolean} [unsure] the text says that there is none
     */
    name(text, unsure = false) {
      pill.hidden = !text || !on;
      pill.toggleAttribute("data-unsure", unsure);
      write(pill, text);
    },
    /**
     * @param {import("./heat.js").Heat | null} found of the frame just answered; nothing is shown without
     * @param {number} view part of the frame that the model sees
     * @returns {boolean} whether a part of the picture is outside of that
     */
    look(found, view) {
      heat.show(on ? found : null, SIDE, SIDE, view);
      return heat.edge();
    },
  };
}
