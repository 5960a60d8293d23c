/** One class: its name and menu, the two ways to add samples, and the samples. */

import { archiveUrl } from "./api.js";
import { button, icon, make } from "./dom.js";
import { takeDrops } from "./drop.js";
import { takeForClass } from "./import.js";
import { menu } from "./menu.js";
import { nameField } from "./name.js";
import { palette } from "./palette.js";
import { clearClass, deleteClass, updateClass } from "./project.js";
import { samplesOf } from "./samples.js";
import { findClass, state } from "./store.js";
import { thumbnails } from "./thumbnails.js";
import { uploadReport } from "./report.js";
import { uploadFiles } from "./upload.js";
import { discardOf } from "./uploads.js";
import { webcam } from "./webcam.js";
import { say } from "./words.js";

/**
 * @param {string} id of the class
 * @param {{ used: () => void, removed: () => void }} on `used`: something was done with this class
 */
export function classCard(id, on) {
  const project = state.project?.id ?? "";
  const name = nameField({
    label: say("page.class.name"),
    testid: "class-name",
    save: (text) => updateClass(id, { name: text }, project),
  });
  const color = palette((value) => void updateClass(id, { color: value }));
  const badge = make("span", { className: "t-badge", hidden: true, "data-testid": "class-disabled" }, say("page.class.disabled"));
  const more = button({ icon: "more", label: say("page.class.menu"), testid: "class-menu" });
  const commands = menu(more, items, { label: say("page.class.menu") });
  const camera = webcam(id, { closed: () => showCamera(false) });
  const openCamera = button({ icon: "camera", text: say("page.webcam"), look: "tile", testid: "webcam", press: () => showCamera(true) });
  const chooser = make("input", {
    type: "file",
    multiple: true,
    // Phones open the gallery for image/*; .heic is named because browsers that cannot show it also hide it.
    accept: "image/*,.heic,.heif,video/*",
    hidden: true,
    "data-testid": "upload-input",
    tabIndex: -1,
  });
  const choose = button({ icon: "upload", text: say("page.upload"), look: "tile", testid: "upload", press: () => pick(false) });
  const ways = make("div", { className: "t-ways" }, openCamera, choose, chooser);
  let forTests = false;
  const samples = samplesOf(id);
  const pictures = thumbnails(id);
  const report = uploadReport(id);
  const body = make("div", { className: "t-card-body" }, make("div", { className: "t-card-add" }, ways, camera.element), pictures.element);
  const element = make(
    "article",
    { className: "t-card t-class", "data-testid": "class-card", "data-id": id },
    make("header", { className: "t-card-head" }, color.element, name.element, badge, commands),
    body,
    report.element,
    make("div", { className: "t-drop-hint", "aria-hidden": "true" }, icon("upload"), say("page.drop.card")),
  );

  chooser.addEventListener("change", () => {
    const files = [...(chooser.files ?? [])];
    if (forTests) uploadFiles(id, files, { test: true });
    else void takeForClass(id, files);
    chooser.value = "";
  });
  takeDrops(element, id);
  for (const event of ["pointerdown", "focusin", "drop"]) element.addEventListener(event, on.used, { capture: true });

  /**
   * Let a person choose files.
   * @param {boolean} tests the photos are only for testing
   */
  function pick(tests) {
    forTests = tests;
    chooser.click();
  }

  /** @param {boolean} open */
  function showCamera(open) {
    element.toggleAttribute("data-camera", open);
    ways.hidden = open;
    if (open) void camera.open();
    else openCamera.focus({ preventScroll: true });
  }

  function items() {
    const label = findClass(id);
    const classes = state.project?.classes ?? [];
    const at = classes.findIndex((other) => other.id === id);
    const has = (label?.samples ?? 0) > 0;
    /** @type {import("./menu.js").Item[]} */
    const list = [
      {
        text: say(label?.disabled ? "page.class.enable" : "page.class.disable"),
        icon: icon(label?.disabled ? "check" : "eyeOff"),
        testid: "class-disable",
        press: () => void updateClass(id, { disabled: !label?.disabled }),
      },
    ];
    const move = (/** @type {number} */ position) => async () => {
      await updateClass(id, { position });
      more.focus();
    };
    if (at > 0) list.push({ text: say("page.class.up"), icon: icon("up"), testid: "class-up", press: move(at - 1) });
    if (at < classes.length - 1) list.push({ text: say("page.class.down"), icon: icon("down"), testid: "class-down", press: move(at + 1) });
    return [
      ...list,
      { text: say("page.class.upload_tests"), icon: icon("lock"), testid: "class-upload-tests", press: () => pick(true) },
      ...(has
        ? [
            { text: say("page.class.download"), icon: icon("download"), testid: "class-download", href: archiveUrl(state.project?.id ?? "", id) },
            { text: say("page.class.clear"), icon: icon("close"), testid: "class-clear", press: () => void clearClass(id) },
          ]
        : []),
      { text: say("page.class.delete"), icon: icon("trash"), testid: "class-delete", danger: true, press: () => void remove() },
    ];
  }

  let removing = false;
  async function remove() {
    removing = true;
    camera.close();
    samples.leave();
    // Where that failed the class is still there, and so is what was not waited for.
    if (!(await deleteClass(id))) void samples.load().catch(() => undefined);
    removing = false;
    on.removed();
  }

  /** Bring everything up to date with the store. */
  function update() {
    const label = findClass(id);
    if (!label) return;
    name.show(label.name);
    color.show(label.color);
    element.style.setProperty("--class", label.color);
    element.toggleAttribute("data-disabled", label.disabled);
    element.setAttribute("aria-label", label.name);
    badge.hidden = !label.disabled;
    pictures.update();
    report.update();
  }

  /**
   * The class is not shown any more.
   * @param {boolean} deleted else another project is shown, and what is on its way to this class goes on
   * @returns {boolean} whether photos were taken for it that nobody keeps now, and it was not deleted here
   */
  function leave(deleted) {
    if (!deleted) name.leave();
    const taking = camera.close();
    const waited = deleted && discardOf(id);
    return deleted && (taking || waited) && !removing;
  }

  samples.begin();
  return { element, update, pictures, leave, name: name.input };
}
