/** The camera: each time the model is free it gets the newest frame, the same square that the Studio records. */

import { CameraError, leaveCamera, mirrored, severalCameras, switchCamera, watchCamera } from "../studio/camera.js";
import { button, make } from "../studio/dom.js";
import { grabPixels, nextFrame, SIDE } from "../studio/frame.js";
import { heatMap } from "../studio/heat.js";
import { steadied } from "../studio/steady.js";
import { about, say } from "./words.js";

/** @typedef {import("./model.js").Seen} Seen */

/**
 * @param {{ look: (pixels: ImageData) => Promise<Seen>, seen: (seen: Seen) => void, ended: (reason: string) => void }} options
 *   `ended` hears why there is no picture any more, in words; nothing if a person stopped it
 */
export function liveStage({ look, seen, ended }) {
  const video = make("video", { className: "t-video", muted: true, playsInline: true, autoplay: true, "data-testid": "camera" });
  const heat = heatMap();
  const familiar = steadied();
  const flip = button({ icon: "flip", label: say("camera.switch"), look: "glass", testid: "switch", press: turn });
  const picture = make("div", { className: "o-picture o-square" }, video, heat.element);
  const element = make("div", { className: "o-stage", hidden: true }, picture, flip);
  /** Which start this is, or 0: a loop of an earlier one ends by itself. */
  let round = 0;
  let rounds = 0;

  const viewer = {
    changed: async (/** @type {MediaStream} */ stream) => {
      video.srcObject = stream;
      picture.toggleAttribute("data-mirrored", mirrored());
      flip.hidden = !(await severalCameras());
    },
    lost: (/** @type {CameraError} */ error) => stop(error.message),
  };

  /** @returns {Promise<boolean>} whether there is a picture */
  async function start() {
    if (round) return true;
    const mine = (round = ++rounds);
    flip.hidden = true;
    familiar.forget();
    try {
      await watchCamera(viewer);
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      stop(error.message);
      return false;
    }
    if (mine !== round) return false;
    element.hidden = false;
    nextFrame(video, () => void loop(mine));
    return true;
  }

  /** @param {number} mine */
  async function loop(mine) {
    if (mine !== round) return;
    try {
      const found = video.videoWidth && !document.hidden ? await look(grabPixels(video)) : null;
      if (mine !== round) return;
      if (found) {
        heat.show(found.heat, SIDE, SIDE, about.view ?? 1);
        seen({ ...found, familiarity: familiar.next(found.familiarity) });
      }
    } catch (error) {
      console.warn(error);
      if (mine === round) stop(say("cannot_look"));
      return;
    }
    nextFrame(video, () => void loop(mine));
  }

  /** @param {string} [reason] */
  function stop(reason = "") {
    if (!round) return;
    round = 0;
    leaveCamera(viewer);
    video.srcObject = null;
    element.hidden = true;
    heat.show(null, 1, 1, 1);
    ended(reason);
  }

  async function turn() {
    try {
      await switchCamera();
    } catch (error) {
      // The viewer has heard of it by then.
      if (!(error instanceof CameraError)) throw error;
    }
  }

  return { element, start, stop: () => stop(), running: () => round > 0, edge: heat.edge };
}
