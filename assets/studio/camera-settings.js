/** How the camera records: remembered by this browser, set behind the gear. */

import { make } from "./dom.js";
import { say } from "./words.js";

/** @typedef {{ rate: number, hold: boolean, delay: number, duration: number }} CameraSettings */

const STORED_AS = "teachable.camera";
/** @type {CameraSettings} */
const DEFAULTS = { rate: 10, hold: true, delay: 2, duration: 6 };
/** Lowest and highest of each number. */
const BOUNDS = /** @type {const} */ ({ rate: [1, 30], delay: [0, 30], duration: [1, 120] });

/** @returns {CameraSettings} */
export function cameraSettings() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(STORED_AS) ?? "{}") };
  } catch {
    // Storage may be blocked or hold something else: the defaults are always good.
    return { ...DEFAULTS };
  }
}

/** @param {CameraSettings} settings */
function remember(settings) {
  try {
    localStorage.setItem(STORED_AS, JSON.stringify(settings));
  } catch {
    // A browser that stores nothing still records with these settings as long as the page lives.
  }
}

/**
 * The form behind the gear.
 * @param {CameraSettings} settings changed in place
 * @param {() => void} changed
 */
export function cameraForm(settings, changed) {
  const form = make("div", { className: "t-camera-form", hidden: true, "data-testid": "camera-settings" });
  const keep = () => {
    remember(settings);
    delay.row.hidden = duration.row.hidden = settings.hold;
    changed();
  };
  /** @param {keyof typeof BOUNDS} key */
  const number = (key) => {
    const [lowest, highest] = BOUNDS[key];
    const input = make("input", {
      type: "number",
      className: "t-input",
      min: String(lowest),
      max: String(highest),
      step: "1",
      value: String(settings[key]),
      "data-testid": `camera-${key}`,
    });
    input.addEventListener("change", () => {
      settings[key] = Math.min(highest, Math.max(lowest, Number(input.value) || DEFAULTS[key]));
      input.value = String(settings[key]);
      keep();
    });
    return { row: make("label", { className: "t-field" }, make("span", {}, say(`page.camera.${key}`)), input) };
  };
  const hold = make("input", { type: "checkbox", role: "switch", className: "t-switch", checked: settings.hold, "data-testid": "camera-hold" });
  hold.addEventListener("change", () => {
    settings.hold = hold.checked;
    keep();
  });
  const delay = number("delay");
  const duration = number("duration");
  delay.row.hidden = duration.row.hidden = settings.hold;
  form.append(
    number("rate").row,
    make("label", { className: "t-field" }, make("span", {}, say("page.camera.hold")), hold),
    delay.row,
    duration.row,
  );
  return form;
}
