/** The camera of a class card: picture, Hold to Record, the ring that counts, and what to do where there is no camera. */

import { CameraError, leaveCamera, mirrored, severalCameras, switchCamera, watchCamera } from "./camera.js";
import { cameraForm, cameraSettings } from "./camera-settings.js";
import { Recording } from "./capture.js";
import { button, icon, make, write } from "./dom.js";
import { ring } from "./ring.js";
import { say } from "./words.js";

/** In hold mode the ring goes round once in this time. */
const TURN_MS = 1000;

/** Only one card has its camera open; opening another closes it. @type {(() => unknown) | null} */
let closeOpenOne = null;

/**
 * @param {string} label id of the class
 * @param {{ closed: () => void }} options
 * @returns {{ element: HTMLElement, open: () => Promise<void>, close: () => boolean }}
 */
export function webcam(label, { closed }) {
  const settings = cameraSettings();
  /** @type {Recording | null} */
  let recording = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let opened = false;
  /** Recordings that ended, and whose last frames are not on their way yet. */
  let finishing = 0;
  /** The button is held with a key, which is let go of elsewhere once the focus is elsewhere. */
  let byKey = false;

  const video = make("video", { className: "t-video", muted: true, playsInline: true, autoplay: true, "data-testid": "camera" });
  const circle = ring();
  const stage = make("div", { className: "t-stage" }, video, circle.element);
  const problem = make("p", { className: "t-problem-text" });
  const retry = button({ text: say("page.try_again"), look: "soft", press: () => void start() });
  const trouble = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true }, icon("warning"), make("div", {}, problem, retry));
  const form = cameraForm(settings, () => showMode());
  const gear = button({ icon: "gear", label: say("page.camera.settings"), testid: "camera-gear", press: toggleForm });
  gear.setAttribute("aria-expanded", "false");
  const flip = button({ icon: "flip", label: say("page.camera.switch"), testid: "camera-switch", press: turn });
  flip.hidden = true;
  const leave = button({ icon: "close", label: say("page.camera.close"), testid: "camera-close", press: () => close() });
  const record = button({ text: " ", look: "record", testid: "record" });
  const caption = /** @type {HTMLElement} */ (record.firstElementChild);
  const head = make("div", { className: "t-webcam-head" }, make("span", { className: "t-webcam-title" }, say("page.webcam")), flip, gear, leave);
  const element = make("div", { className: "t-webcam", hidden: true, "data-testid": "webcam-panel" }, head, stage, trouble, form, record);

  const viewer = {
    changed: async (/** @type {MediaStream} */ stream) => {
      video.srcObject = stream;
      stage.toggleAttribute("data-mirrored", mirrored());
      record.disabled = false;
      flip.hidden = !(await severalCameras());
    },
    lost: (/** @type {CameraError} */ error) => fail(error),
  };

  async function start() {
    trouble.hidden = true;
    stage.hidden = record.hidden = false;
    record.disabled = true;
    try {
      await watchCamera(viewer);
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      fail(error);
    }
  }

  /** @param {CameraError} error */
  function fail(error) {
    stop();
    write(problem, error.message);
    trouble.dataset.trouble = error.trouble;
    trouble.hidden = false;
    stage.hidden = record.hidden = true;
  }

  async function turn() {
    stop();
    try {
      await switchCamera();
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
    }
  }

  function toggleForm() {
    form.hidden = !form.hidden;
    gear.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) element.scrollIntoView({ block: "nearest" });
  }

  function showMode() {
    const key = settings.hold ? "page.record.hold" : recording || timer ? "page.record.stop" : "page.record.timed";
    write(caption, say(key, { count: settings.duration }));
  }

  function begin() {
    if (recording || record.disabled) return;
    recording = new Recording(video, label, settings.rate);
    record.toggleAttribute("data-recording", true);
    stage.toggleAttribute("data-recording", true);
    if (settings.hold) circle.turn(TURN_MS);
  }

  function stop() {
    clearTimeout(timer);
    timer = undefined;
    if (recording) void finish(recording);
    recording = null;
    circle.stop();
    record.removeAttribute("data-recording");
    stage.removeAttribute("data-recording");
    showMode();
  }

  /**
   * The button was let go; the last frames come a moment later.
   * @param {Recording} ended
   */
  async function finish(ended) {
    finishing += 1;
    element.toggleAttribute("data-finishing", true);
    try {
      await ended.stop();
    } finally {
      finishing -= 1;
      element.toggleAttribute("data-finishing", finishing > 0);
    }
  }

  /** Wait, then record for the time that was set. */
  function countDown() {
    const record_ = () => {
      begin();
      circle.fill(settings.duration * 1000);
      timer = setTimeout(stop, settings.duration * 1000);
    };
    if (settings.delay > 0) {
      circle.countDown(settings.delay * 1000);
      timer = setTimeout(record_, settings.delay * 1000);
    } else record_();
    showMode();
  }

  record.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !settings.hold) return;
    // The pointer stays ours even when a finger slides off the button.
    record.setPointerCapture(event.pointerId);
    byKey = false;
    begin();
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    record.addEventListener(name, () => settings.hold && stop());
  }
  // Safari on a Mac takes the focus from a button that is pressed with the mouse: only a key has to be held on it.
  record.addEventListener("blur", () => settings.hold && byKey && stop());
  record.addEventListener("contextmenu", (event) => event.preventDefault());
  record.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    if (!settings.hold) return;
    event.preventDefault();
    if (event.repeat) return;
    byKey = true;
    begin();
  });
  record.addEventListener("keyup", (event) => {
    if (!settings.hold || (event.key !== " " && event.key !== "Enter")) return;
    event.preventDefault();
    stop();
  });
  record.addEventListener("click", () => {
    if (settings.hold) return;
    if (recording || timer) stop();
    else countDown();
  });
  addEventListener("blur", () => settings.hold && stop());
  document.addEventListener("visibilitychange", () => document.hidden && stop());

  /** @param {KeyboardEvent} event */
  function escape(event) {
    // What lies above, a menu or a dialog, closes first.
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog:modal")) return;
    const at = document.activeElement;
    if (at === document.body || element.contains(at)) close();
  }

  async function open() {
    if (opened) return;
    closeOpenOne?.();
    closeOpenOne = close;
    opened = true;
    element.hidden = false;
    document.addEventListener("keydown", escape);
    showMode();
    await start();
    if (!record.disabled) record.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  /** @returns whether that ended a recording */
  function close() {
    if (!opened) return false;
    opened = false;
    document.removeEventListener("keydown", escape);
    const taking = recording !== null;
    stop();
    if (closeOpenOne === close) closeOpenOne = null;
    leaveCamera(viewer);
    video.srcObject = null;
    element.hidden = true;
    closed();
    return taking;
  }

  return { element, open, close };
}
