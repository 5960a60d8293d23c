/** Photos in the preview: each is named by the model; the chosen one is shown large with all its bars. */

import { arrange, button, icon, make, write } from "./dom.js";
import { fitPlace, heatMap } from "./heat.js";
import { photoPixels } from "./photo.js";
import { PredictorError } from "./predictor.js";
import { words } from "./project.js";
import { state } from "./store.js";
import { isUnsure } from "./strictness.js";
import { className } from "./bars.js";
import { probability, say } from "./words.js";

/** @typedef {import("./predictor.js").Answer} Answer */
/** @typedef {{ file: File, url: string, answer: Answer | null, problem: string, unreadable: boolean, row: HTMLElement }} Entry */

/** Photos listed at once. */
const MOST = 200;

/**
 * @param {{ predict: (pixels: () => Promise<ImageData>, file: File) => Promise<Answer | null>,
 *   onServer: (file: File) => Promise<Answer>, shown: (answer: Answer | null) => void, wantsHeat: () => boolean }} options
 */
export function photoPreview({ predict, onServer, shown, wantsHeat }) {
  /** @type {Entry[]} */
  let entries = [];
  /** @type {Entry | null} */
  let current = null;
  let working = false;

  const chooser = make("input", { type: "file", multiple: true, accept: "image/*,.heic,.heif", hidden: true, "data-testid": "preview-input", tabIndex: -1 });
  const choose = button({ icon: "upload", text: say("page.preview.choose"), look: "drop", testid: "preview-choose", press: () => chooser.click() });
  const picture = make("img", { className: "t-photo", alt: "", "data-testid": "preview-photo" });
  const heat = heatMap();
  const place = make("div", { className: "t-photo-place" }, picture, heat.element);
  const frame = make("div", { className: "t-photo-frame", hidden: true }, place);
  const reason = make("p", {});
  const server = button({ text: say("page.preview.ask_server"), look: "soft", press: () => current && void askServer(current) });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true }, icon("warning"), make("div", {}, reason, server));
  const list = make("ul", { className: "t-results", "data-testid": "preview-results", "aria-label": say("page.preview.results") });
  const element = make("div", { className: "t-photos", hidden: true }, frame, problem, choose, chooser, list);

  picture.addEventListener("load", () => {
    fitPlace(place, picture);
    show();
  });
  chooser.addEventListener("change", () => {
    add([...(chooser.files ?? [])]);
    chooser.value = "";
  });
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.toggleAttribute("data-drop", true);
  });
  element.addEventListener("dragleave", () => element.removeAttribute("data-drop"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.removeAttribute("data-drop");
    add([...(event.dataTransfer?.files ?? [])]);
  });

  /** @param {File[]} files */
  function add(files) {
    if (!files.length) return;
    const fresh = files.slice(0, MOST).map(entry);
    for (const old of entries.splice(MOST - fresh.length)) URL.revokeObjectURL(old.url);
    entries.unshift(...fresh);
    select(fresh[0] ?? null);
    arrange(list, entries.map((one) => one.row));
    void work();
  }

  /**
   * @param {File} file
   * @returns {Entry}
   */
  function entry(file) {
    const url = URL.createObjectURL(file);
    const row = make("li", { "data-testid": "preview-result" });
    /** @type {Entry} */
    const made = { file, url, answer: null, problem: "", unreadable: false, row };
    row.append(
      make(
        "button",
        { type: "button", className: "t-result-row", on: { click: () => select(made) } },
        make("img", { src: url, alt: "", loading: "lazy", decoding: "async" }),
        make("span", { className: "t-result-file", dir: "auto" }, file.name),
        make("span", { className: "t-result-name", dir: "auto" }),
        make("span", { className: "t-number" }),
      ),
    );
    return made;
  }

  async function work() {
    if (working) return;
    working = true;
    for (;;) {
      const next = entries.find((one) => !one.answer && !one.problem);
      if (!next) break;
      try {
        next.answer = await predict(() => photoPixels(next.file), next.file);
        if (!next.answer) break;
      } catch (error) {
        next.unreadable = error instanceof DOMException;
        next.problem =
          error instanceof DOMException
            ? say("page.preview.unreadable", { name: next.file.name })
            : error instanceof PredictorError
              ? say("page.preview.cannot_run")
              : words(error);
      }
      draw(next);
    }
    working = false;
  }

  /** @param {Entry} one */
  async function askServer(one) {
    try {
      one.answer = await onServer(one.file);
      one.problem = "";
    } catch (error) {
      one.problem = words(error);
      one.unreadable = false;
    }
    draw(one);
  }

  /** @param {Entry | null} one */
  function select(one) {
    current = one;
    for (const other of entries) other.row.toggleAttribute("data-current", other === one);
    show();
    void lookAgain();
  }

  /** The photo that is shown is asked about once more, if where the model looks is wanted and not known yet. */
  async function lookAgain() {
    if (!wantsHeat() || !current?.answer || current.answer.heat || current.unreadable) return;
    current.answer = null;
    await work();
  }

  /** @param {Entry} one */
  function draw(one) {
    const ids = state.status?.model?.class_ids ?? [];
    const [, , name, share] = one.row.firstElementChild?.children ?? [];
    const best = one.answer ? one.answer.probabilities.indexOf(Math.max(...one.answer.probabilities)) : -1;
    const id = ids[best];
    const unsure = isUnsure(one.answer?.familiarity);
    if (name) write(name, unsure ? say("page.preview.not_sure") : id === undefined ? "" : className(id));
    one.row.toggleAttribute("data-unsure", unsure);
    if (share) write(share, one.answer && !unsure ? probability(one.answer.probabilities[best] ?? 0, true) : one.problem ? "–" : "");
    one.row.toggleAttribute("data-problem", one.problem !== "");
    if (one === current) show();
  }

  function show() {
    frame.hidden = !current || current.unreadable;
    if (current && picture.src !== current.url) {
      picture.src = current.url;
      picture.alt = current.file.name;
    }
    problem.hidden = !current?.problem;
    write(reason, current?.problem ?? "");
    server.hidden = !current?.unreadable;
    list.hidden = entries.length < 2;
    if (!element.hidden) shown(current?.answer ?? null);
  }

  return {
    element,
    stage: frame,
    show,
    /**
     * @param {import("./heat.js").Heat | null} found of the photo that is shown large; nothing is shown without
     * @param {number} view part of its shorter side that the model sees
     * @returns {boolean} whether a part of the photo is outside of that
     */
    look(found, view) {
      heat.show(picture.naturalWidth && !frame.hidden ? found : null, picture.naturalWidth, picture.naturalHeight, view);
      return heat.edge();
    },
    lookAgain,
    /** The names of classes may have changed. */
    redraw() {
      for (const one of entries) draw(one);
    },
    /** A new model: ask it about every photo. */
    again() {
      for (const one of entries) Object.assign(one, { answer: null, problem: "" });
      void work();
    },
    clear() {
      for (const one of entries) URL.revokeObjectURL(one.url);
      entries = [];
      current = null;
      list.replaceChildren();
      show();
    },
  };
}
