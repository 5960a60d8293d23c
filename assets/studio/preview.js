/**
 * The right column: the trained model at work, on the camera or on photos.
 *
 * It owns which model is loaded, the on/off switch and the source; `live.js` shows the camera, `photos.js` the files.
 */

import { modelUrl, offline } from "./api.js";
import { bars, className } from "./bars.js";
import { button, icon, make, write } from "./dom.js";
import { openExport } from "./export-dialog.js";
import { livePreview } from "./live.js";
import { photoPreview } from "./photos.js";
import { loadModel, PredictorError, predictHere, predictOnServer, warmUp } from "./predictor.js";
import { state, subscribe } from "./store.js";
import { isUnsure, strictness } from "./strictness.js";
import { say } from "./words.js";

/** @typedef {import("./predictor.js").Answer} Answer */
/** @typedef {"idle" | "loading" | "live" | "error"} PreviewState */

/** @param {import("./types.d.ts").Mount} place */
export function mountPreview({ element }) {
  /** The model in the worker, and the one being loaded. */
  let loaded = "";
  let wanted = "";
  let trainedHere = false;
  /** The model did not come: it is asked for again with the next answer about how things stand. */
  let missed = false;
  let onServer = false;
  /** What the loaded model can tell. @type {import("./predictor.js").Abilities | null} */
  let can = null;
  /** What is shown. @type {Answer | null} */
  let answer = null;
  /** @type {"webcam" | "file"} */
  let source = "webcam";

  const exporter = button({ icon: "download", text: say("page.export.open"), look: "soft", testid: "export-button", press: openExport });
  const head = make("header", { className: "t-preview-head" }, make("h2", { className: "t-column-title" }, say("page.preview.title")), exporter);
  const empty = make(
    "div",
    { className: "t-empty", "data-testid": "preview-empty" },
    make("div", { className: "t-empty-picture", "aria-hidden": "true" }, make("i"), make("i"), make("i")),
    make("p", {}, say("page.preview.train_first")),
  );
  const problem = make("p", {});
  const useServer = button({ text: say("page.preview.use_server"), look: "soft", testid: "use-server", press: agree });
  const again = button({ text: say("page.try_again"), look: "ghost", press: () => void load(wanted) });
  const trouble = make(
    "div",
    { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "preview-problem" },
    icon("warning"),
    make("div", {}, problem, make("div", { className: "t-actions" }, useServer, again)),
  );
  const why = make("span", {});
  const stale = make("p", { className: "t-notice", hidden: true, "data-testid": "stale" }, icon("info"), why);
  const power = make("input", { type: "checkbox", role: "switch", className: "t-switch", "aria-label": say("page.preview.camera"), "data-testid": "preview-toggle" });
  const powerText = make("span", {});
  const powerRow = make("label", { className: "t-power" }, power, powerText);
  const tabs = /** @type {const} */ (["webcam", "file"]).map((kind) => {
    const input = make("input", { type: "radio", name: "t-preview-source", value: kind, checked: kind === source, "data-testid": `source-${kind}` });
    input.addEventListener("change", () => choose(kind));
    return make("label", { className: "t-segment" }, input, icon(kind === "webcam" ? "camera" : "photo"), make("span", {}, say(`page.preview.${kind}`)));
  });
  const segments = make("div", { className: "t-segments", role: "radiogroup", "aria-label": say("page.preview.source") }, ...tabs);
  const looking = make("input", { type: "checkbox", role: "switch", className: "t-switch", "data-testid": "heat-switch" });
  const lookingRow = make("label", { className: "t-look" }, looking, make("span", {}, say("page.preview.look")));
  const lookingAbout = make("p", { className: "t-muted", hidden: true, "data-testid": "heat-about" });
  const lookingPart = make("div", { className: "t-looking", hidden: true }, lookingRow, lookingAbout);
  const output = bars();
  const unsure = make("span", { className: "t-unsure", hidden: true, "data-testid": "not-sure" }, icon("question"), make("span", {}, say("page.preview.not_sure")));
  const strict = strictness({ changed: () => judgeAgain() });
  const where = make("p", { className: "t-muted t-where", "data-testid": "preview-where" });
  const live = livePreview({ predict: predictFrame, ended: () => setPower(false), answered: showAnswer, paused: () => state.timing });
  const photos = photoPreview({ predict: predictPhoto, onServer: askServer, shown: showAnswer, wantsHeat });
  const body = make(
    "div",
    { className: "t-preview-body", hidden: true },
    stale,
    trouble,
    make("div", { className: "t-preview-controls" }, powerRow, segments),
    live.element,
    photos.element,
    make("div", { className: "t-output-head" }, make("h3", { className: "t-small-title" }, say("page.preview.output")), unsure),
    output.element,
    strict.element,
    where,
  );
  const root = make(
    "section",
    { className: "t-root t-card t-preview", "data-testid": "preview", "data-state": "idle", "aria-label": say("page.preview.title") },
    head,
    empty,
    body,
  );
  element.replaceChildren(root);
  power.addEventListener("change", () => setPower(power.checked));
  looking.addEventListener("change", () => {
    showHeat();
    if (source === "file") void photos.lookAgain();
  });

  /** @param {PreviewState} now */
  function setState(now) {
    root.dataset.state = now;
  }

  function ids() {
    return state.status?.model?.class_ids ?? [];
  }

  function labels() {
    return ids().map(className);
  }

  /** @param {string} id of the model */
  async function load(id) {
    wanted = id;
    // What is tried again by itself does not come and go.
    if (!missed) trouble.hidden = true;
    missed = false;
    setState("loading");
    try {
      can = onServer ? null : await loadModel(modelUrl(state.project?.id ?? "", id));
    } catch (error) {
      if (wanted !== id) return;
      console.warn(error);
      missed = error instanceof PredictorError && error.away;
      write(problem, missed ? offline() : say("page.preview.cannot_run"));
      useServer.hidden = missed;
      trouble.hidden = false;
      live.stop();
      setState("error");
      return;
    }
    if (wanted !== id) return;
    trouble.hidden = true;
    loaded = id;
    showAbilities();
    setState(live.running() ? "live" : "idle");
    photos.again();
    if (trainedHere && source === "webcam" && !live.running() && (await cameraAllowed())) setPower(true);
    trainedHere = false;
  }

  /** The person agreed that the server predicts: the same file, over the network of this computer. */
  function agree() {
    onServer = true;
    void load(wanted);
    update();
  }

  /** @param {boolean} on */
  function setPower(on) {
    power.checked = on;
    write(powerText, say(on ? "page.preview.on" : "page.preview.off"));
    if (on && source === "webcam") {
      void live.start().then((started) => started && loaded && setState("live"));
    } else {
      live.stop();
      if (root.dataset.state === "live") setState("idle");
    }
    if (!on && source === "webcam") showAnswer(null);
    power.setAttribute("aria-checked", String(on));
  }

  /** @param {"webcam" | "file"} kind */
  function choose(kind) {
    source = kind;
    live.element.hidden = kind !== "webcam";
    photos.element.hidden = kind !== "file";
    powerRow.hidden = kind !== "webcam";
    // Below the picture it is about.
    (kind === "webcam" ? live : photos).stage.after(lookingPart);
    setPower(kind === "webcam" && power.checked);
    if (kind === "file") photos.show();
    else if (!power.checked) showAnswer(null);
  }

  /**
   * @param {ImageData} pixels
   * @param {() => Promise<Blob>} photo the same frame as a file
   * @returns {Promise<Answer | null>}
   */
  async function predictFrame(pixels, photo) {
    if (!loaded || loaded !== state.status?.model?.id) return null;
    if (onServer) return askServer(await photo());
    return await predictHere(pixels, wantsHeat());
  }

  /** @param {() => Promise<ImageData>} pixels @param {File} file */
  async function predictPhoto(pixels, file) {
    if (!loaded) return null;
    return onServer ? await askServer(file) : await predictHere(await pixels(), wantsHeat());
  }

  /** @param {Blob} photo */
  function askServer(photo) {
    return predictOnServer(state.project?.id ?? "", photo, labels());
  }

  /** Whether answers have to say where the model looks. */
  function wantsHeat() {
    return looking.checked && !lookingPart.hidden;
  }

  /** What the model cannot do is not offered; over the network nobody waits for maps. */
  function showAbilities() {
    const model = state.status?.model;
    lookingPart.hidden = !can?.heat || typeof model?.view !== "number";
    strict.allow(can ? can.familiarity : model ? model.familiar > 0 : null);
    showHeat();
  }

  /** @param {Answer | null} found */
  function showAnswer(found) {
    const all = ids();
    // An answer of the model before does not fit the bars of this one.
    answer = found && found.probabilities.length === all.length ? found : null;
    const not = isUnsure(answer?.familiarity);
    const best = output.show(all, answer?.probabilities ?? null, not);
    const id = all[best];
    unsure.hidden = !not;
    live.name(not ? say("page.preview.not_sure") : id === undefined ? "" : className(id), not);
    showHeat();
  }

  function showHeat() {
    const heat = wantsHeat() ? (answer?.heat ?? null) : null;
    const view = state.status?.model?.view ?? 1;
    const edges = [live.look(source === "webcam" ? heat : null, view), photos.look(source === "file" ? heat : null, view)];
    // While it looks again the words stay: a line that comes and goes would move all below it.
    lookingAbout.hidden = !wantsHeat();
    if (!answer?.heat) return;
    const id = ids()[answer.probabilities.indexOf(Math.max(...answer.probabilities))] ?? "";
    write(lookingAbout, `${say("page.preview.look_about", { name: className(id) })}${edges.includes(true) ? ` ${say("page.preview.look_edge")}` : ""}`);
  }

  /** The slider moved: the same answers, judged more or less strictly. */
  function judgeAgain() {
    photos.redraw();
    if (source === "webcam" && live.running()) showAnswer(answer);
  }

  let project = "";
  function update() {
    const model = state.problem ? null : (state.status?.model ?? null);
    if (project !== (state.project?.id ?? "")) {
      project = state.project?.id ?? "";
      photos.clear();
      setPower(false);
      trainedHere = false;
    }
    if (state.starting || state.status?.training.state === "running") trainedHere = true;
    exporter.disabled = !model;
    exporter.title = model ? "" : say("page.export.train_first");
    empty.hidden = model !== null;
    body.hidden = model === null;
    const old = model && state.status ? outdated(model, state.status.network) : "";
    stale.hidden = !old;
    write(why, old);
    write(where, say(onServer ? "page.preview.on_server" : "page.preview.in_browser"));
    if (!model) {
      live.stop();
      loaded = wanted = "";
      setState("idle");
      return;
    }
    if (model.id !== wanted || missed) void load(model.id);
    showAbilities();
    if (source !== "webcam") photos.redraw();
    else if (!live.running()) showAnswer(null);
  }

  subscribe(["status", "project", "problem"], update);
  choose("webcam");
  update();
  warmUp().catch((error) => console.warn(error));
  return root;
}

/**
 * What has changed since a model was trained, in words; empty if nothing has.
 * @param {import("./types.d.ts").ModelStatus} model
 * @param {import("./types.d.ts").NetworkStatus} network
 */
function outdated({ stale, other_network: other, backbone }, { title }) {
  if (other && stale) return say("page.preview.stale_both");
  if (other) return backbone.title === title ? say("page.preview.renewed", { title }) : say("page.preview.other_network", { model: backbone.title, title });
  return stale ? say("page.preview.stale") : "";
}

/** Whether switching the camera on would not surprise anyone with a question. */
async function cameraAllowed() {
  try {
    return (await navigator.permissions.query({ name: /** @type {PermissionName} */ ("camera") })).state === "granted";
  } catch {
    // Some browsers cannot be asked: the person presses the switch.
    return false;
  }
}
