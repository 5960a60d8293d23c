/**
 * How unlike its photos something must be for the model to say "Not sure": the slider, and what follows from it.
 *
 * It acts at once on everything that is shown; the project keeps it a moment after the person has stopped moving it.
 */

import { request } from "./api.js";
import { make, write } from "./dom.js";
import { words } from "./project.js";
import { notify, setProject, state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { say } from "./words.js";

/** The slider counts photos of a hundred: so many of the person's own get "Not sure" too. */
const OF = 100;
const MOST = 50;
const SAVE_MS = 500;

/** What the slider shows and the server does not know yet. @type {{ project: string, below: number } | null} */
let unsaved = null;

function below() {
  const project = state.project;
  return unsaved && unsaved.project === project?.id ? unsaved.below : (project?.unknown_below ?? 0);
}

/**
 * Whether a photo is too unlike those of the project for an answer.
 * @param {number | null | undefined} familiarity 0 to 1, or nothing where the model cannot tell
 */
export function isUnsure(familiarity) {
  return typeof familiarity === "number" && !(familiarity >= below());
}

/** @param {{ changed: () => void }} options `changed`: what is shown has to be judged anew */
export function strictness({ changed }) {
  const slider = make("input", { type: "range", min: "0", max: String(MOST), step: "1", className: "t-slider", id: "t-strictness", "data-testid": "strictness" });
  const title = make("label", { className: "t-small-title", htmlFor: slider.id }, say("page.preview.strict"));
  const ends = make("div", { className: "t-between t-muted", "aria-hidden": "true" }, make("span", {}, say("page.preview.strict_low")), make("span", {}, say("page.preview.strict_high")));
  const about = make("p", { className: "t-muted t-strict-about", id: "t-strictness-about", "data-testid": "strictness-about" });
  const cannot = make("p", { className: "t-muted", "data-testid": "no-familiarity" }, say("page.preview.cannot_be_unsure"));
  const controls = make("div", { className: "t-strict-controls" }, title, slider, ends, about);
  const element = make("div", { className: "t-strict" }, controls, cannot);
  slider.setAttribute("aria-describedby", about.id);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;

  slider.addEventListener("input", () => {
    unsaved = { project: state.project?.id ?? "", below: Number(slider.value) / OF };
    clearTimeout(later);
    later = setTimeout(() => void save(), SAVE_MS);
    draw();
    changed();
  });

  async function save() {
    const asked = unsaved;
    if (!asked) return;
    try {
      const project = await request("PATCH", `/projects/${asked.project}`, { unknown_below: asked.below });
      if (unsaved === asked) unsaved = null;
      if (state.project?.id === asked.project) setProject(project);
    } catch (error) {
      if (unsaved === asked) unsaved = null;
      tell(words(error), "problem");
      notify("project");
    }
  }

  function draw() {
    const count = Math.round(OF * below());
    if (Number(slider.value) !== count) slider.value = String(count);
    const text = count ? say("page.preview.strict_about", { count }) : say("page.preview.strict_never");
    write(about, text);
    slider.setAttribute("aria-valuetext", text);
    slider.style.setProperty("--at", `${(100 * count) / MOST}%`);
  }

  subscribe("project", () => {
    draw();
    changed();
  });
  draw();
  return {
    element,
    /**
     * @param {boolean | null} can whether the model gives a familiarity; null while that is not known
     */
    allow(can) {
      element.hidden = can === null;
      controls.hidden = can === false;
      cannot.hidden = can !== false;
    },
  };
}
