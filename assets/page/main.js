/** The page: the picture on one side, the answer on the other, all photos below. It owns which of them is shown. */

import { button, icon, make, write } from "../studio/dom.js";
import { fitPlace, heatMap } from "../studio/heat.js";
import { answers } from "./answers.js";
import { COLUMNS, photoTable } from "./batch.js";
import { liveStage } from "./live.js";
import { NAMES, startModel } from "./model.js";
import { scrollTo } from "./scroll.js";
import { about, part, say } from "./words.js";

/** @typedef {import("./batch.js").Photo} Photo */

const app = /** @type {HTMLElement} */ (document.getElementById("app"));

/** Browsers hide the camera from pages of insecure addresses, such as that of a link for a phone. */
const CAMERA = Boolean(navigator.mediaDevices?.getUserMedia);
/** A phone opens its own camera program for a picture; elsewhere that is only another way to choose a file. */
const PHONE = matchMedia("(pointer: coarse)").matches;
/** Whether the page came from a server, and is not on this device yet. */
const REMOTE = location.protocol.startsWith("http");
/** What it is called when it was saved. */
const FILE = "teachable-page.html";

/** @param {"starting" | "ready" | "failed"} state */
function setState(state) {
  document.body.dataset.state = state;
}

/** @param {string} look @param {string} testid */
function notice(look, testid) {
  const text = make("p", { dir: "auto" });
  const element = make("div", { className: `t-notice ${look}`, hidden: true, role: "alert", "data-testid": testid }, icon(look ? "warning" : "info"), text);
  return {
    element,
    /** @param {string} words nothing is shown without */
    say(words) {
      element.hidden = !words;
      write(text, words);
    },
  };
}

/** @param {(pixels: ImageData, heat: boolean) => Promise<import("./model.js").Seen>} look */
function mount(look) {
  const answer = answers({ changed: () => (table.judge(), answer.again()) });
  const trouble = notice("t-notice-problem", "problem");
  const hint = notice("", "note");
  const heatSwitch = make("input", { type: "checkbox", role: "switch", className: "t-switch", "data-testid": "heat-switch" });
  const heatRow = make("label", { className: "o-heat-row", hidden: about.view === null }, heatSwitch, make("span", {}, say("heat")));
  const heatText = make("p", { className: "t-muted", hidden: true, "data-testid": "heat-about" });
  const see = (/** @type {ImageData} */ pixels) => look(pixels, heatSwitch.checked);

  const live = liveStage({ look: see, seen: (seen) => tell(seen), ended });
  const table = photoTable({ look: see, chosen, picked: () => scrollTo(show, "nearest"), drawn: (photo) => photo === table.current() && !live.running() && showPhoto(photo) });

  const welcome = make(
    "div",
    { className: "o-stage o-welcome", "data-testid": "welcome" },
    make("div", { className: "o-rays", "aria-hidden": "true" }, make("i"), make("i"), make("i")),
    make("p", { className: "o-welcome-title" }, say("welcome")),
    make("p", {}, say(CAMERA ? "hint" : PHONE ? "hint_take" : "hint_photos")),
  );
  const image = make("img", { alt: "", "data-testid": "photo" });
  const heat = heatMap();
  const place = make("div", { className: "o-picture t-photo-place" }, image, heat.element);
  image.addEventListener("load", () => fitPlace(place, image));
  const photoStage = make("div", { className: "o-stage o-photo", hidden: true }, icon("photo"), place);

  const chooser = make("input", { type: "file", multiple: true, accept: "image/*,.heic,.heif", hidden: true, "data-testid": "chooser" });
  const taker = make("input", { type: "file", accept: "image/*", hidden: true, "data-testid": "taker" });
  taker.setAttribute("capture", "environment");
  const power = button({ icon: "camera", text: say("start"), look: "primary", testid: "power", press: () => void toggle() });
  const choose = button({ icon: "photo", text: say("choose"), look: "soft", testid: "choose", press: () => chooser.click() });
  const take = button({ icon: "camera", text: say("take"), look: "soft", testid: "take", press: () => taker.click() });
  take.hidden = !PHONE;
  power.hidden = !CAMERA;
  if (!CAMERA) (PHONE ? take : choose).classList.replace("t-soft", "t-primary");
  const tools = make("div", { className: "o-tools" }, ...(CAMERA ? [power, choose, take] : [take, choose]), heatRow);
  const save = make("a", { className: "t-button t-ghost", href: location.href, download: FILE, "data-testid": "save" }, icon("download"), make("span", {}, say("save")));
  const words = make("p", {}, say(isSecureContext ? "no_live" : "camera.insecure"));
  const reason = make("div", { className: "t-notice o-no-live", hidden: CAMERA, "data-testid": "no-live" }, icon("info"), make("div", {}, words));
  if (REMOTE) (CAMERA ? document.querySelector(".o-footer") : reason.lastElementChild)?.append(save);
  const show = make("section", { className: "t-card o-show", "aria-label": say("welcome") }, welcome, live.element, photoStage, tools, table.jump, trouble.element, hint.element, heatText, reason, chooser, taker);
  app.append(make("div", { className: `o-columns${NAMES.length > COLUMNS ? " o-many" : ""}` }, show, answer.element, table.element), make("div", { className: "o-drop", "aria-hidden": "true" }, icon("photo"), say("drop")));

  /** @param {import("./model.js").Seen | null} seen @param {string} [file] */
  function tell(seen, file) {
    answer.show(seen, file);
    heatText.hidden = !seen?.heat;
    if (!seen?.heat) return;
    const edge = live.running() ? live.edge() : heat.edge();
    write(heatText, say("heat_about", { name: NAMES[seen.best] ?? "" }) + (edge ? ` ${say("heat_edge")}` : ""));
  }

  async function toggle() {
    trouble.say("");
    if (live.running()) return live.stop();
    hint.say("");
    // It stays enabled meanwhile: a button that is disabled loses the keyboard, and pressing it again gives up.
    if (!(await live.start())) return;
    welcome.hidden = photoStage.hidden = true;
    label("stop", "close");
    tell(null);
  }

  /** @param {string} reason */
  function ended(reason) {
    label("start", "camera");
    chosen(table.current());
    if (reason) trouble.say(reason);
  }

  /** @param {"start" | "stop"} text @param {"camera" | "close"} symbol */
  function label(text, symbol) {
    power.replaceChildren(icon(symbol), make("span", {}, say(text)));
    power.classList.toggle("t-primary", text === "start");
    power.classList.toggle("t-soft", text === "stop");
  }

  /** @param {Photo | null} photo */
  function chosen(photo) {
    if (live.running()) live.stop();
    welcome.hidden = photo !== null;
    photoStage.hidden = photo === null;
    if (image.src) URL.revokeObjectURL(image.src);
    image.removeAttribute("src");
    hint.say("");
    heat.show(null, 1, 1, 1);
    tell(null);
    if (!photo) return;
    image.src = URL.createObjectURL(photo.file);
    image.alt = photo.file.name;
    photoStage.classList.remove("o-broken");
    if (photo.seen && heatSwitch.checked !== (photo.seen.heat !== null)) void table.again();
    else if (photo.seen || photo.problem) showPhoto(photo);
  }

  /** @param {Photo} photo */
  function showPhoto(photo) {
    trouble.say(photo.problem);
    hint.say(photo.note);
    photoStage.classList.toggle("o-broken", !photo.width);
    heat.show(photo.seen?.heat ?? null, photo.width, photo.height, about.view ?? 1);
    tell(photo.problem ? null : photo.seen, photo.file.name);
  }

  /** @param {Iterable<File>} given */
  function add(given) {
    const files = [...given];
    if (!files.length) return;
    trouble.say("");
    table.add(files);
  }

  for (const input of [chooser, taker]) {
    input.addEventListener("change", () => {
      add(input.files ?? []);
      input.value = "";
    });
  }
  heatSwitch.addEventListener("change", () => {
    heatText.hidden = true;
    if (!live.running() && table.current()) void table.again();
  });
  addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.toggleAttribute("data-drop", event.dataTransfer?.types.includes("Files"));
  });
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.removeAttribute("data-drop"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.removeAttribute("data-drop");
    add(event.dataTransfer?.files ?? []);
  });
  return hint;
}

async function main() {
  setState("starting");
  const starting = /** @type {HTMLElement} */ (document.getElementById("starting"));
  try {
    const parts = { runtime: part("runtime"), wasm: part("wasm"), model: part("model") };
    for (const id of Object.keys(parts)) document.getElementById(id)?.remove();
    const { look, background } = await startModel(parts);
    starting.remove();
    const hint = mount(look);
    if (!background) hint.say(say("background"));
    setState("ready");
  } catch (error) {
    console.warn(error);
    const failed = notice("t-notice-problem", "failed");
    starting.replaceWith(failed.element);
    failed.say(say("cannot_start"));
    setState("failed");
  }
}

if (!document.body.hasAttribute("data-too-old")) void main();
