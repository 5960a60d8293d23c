/** One sample, large: look through the class, ask the model about it, delete it, move it, or keep it for testing. */

import { photoUrl } from "./api.js";
import { button, make, write } from "./dom.js";
import { explainPhoto } from "./explain-photo.js";
import { menu } from "./menu.js";
import { deleteSamples } from "./project.js";
import { samplesOf } from "./samples.js";
import { findClass, state, subscribe } from "./store.js";
import { testCommands } from "./test-set.js";
import { targets } from "./thumbnails.js";
import { say } from "./words.js";

/**
 * @param {string} label id of the class
 * @param {number} sample
 */
export function openLightbox(label, sample) {
  const samples = samplesOf(label);
  let current = sample;
  /** Its place among all samples of the class, newest first. */
  let at = Math.max(0, samples.placeOf(sample));

  const title = make("h2", { className: "t-dialog-title", dir: "auto" });
  const place = make("span", { className: "t-muted" });
  const badge = make("span", { className: "t-badge", hidden: true, "data-testid": "lightbox-test" }, say("page.samples.test_badge"));
  const picture = make("img", { className: "t-lightbox-photo", alt: "" });
  const answer = make("div", { className: "t-lightbox-answer", hidden: true });
  const explain = button({ icon: "question", text: say("page.lightbox.explain"), look: "soft", testid: "lightbox-explain", press: toggleAnswer });
  const back = button({ icon: "back", label: say("page.lightbox.newer"), look: "round", press: () => step(-1) });
  const forth = button({ icon: "next", label: say("page.lightbox.older"), look: "round", press: () => step(1) });
  const close = button({ icon: "close", label: say("page.close"), testid: "lightbox-close", press: () => dialog.close() });
  const remove = button({ icon: "trash", text: say("page.samples.delete"), look: "soft", testid: "lightbox-delete", press: removeIt });
  const mover = button({ icon: "move", text: say("page.samples.move"), look: "soft" });
  const tester = button({ icon: "lock", text: say("page.samples.test"), look: "soft", testid: "lightbox-testing" });
  const test = menu(tester, () => testCommands([{ id: current, test: shown()?.test ?? false }]), { label: say("page.samples.test"), align: "start" });
  mover.disabled = (state.project?.classes.length ?? 0) < 2;
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog t-lightbox", "data-testid": "lightbox", "data-project": state.project?.id, "aria-label": say("page.lightbox.title") },
    make("header", { className: "t-dialog-head" }, make("div", {}, title, make("div", { className: "t-lightbox-place" }, place, badge)), make("div", { className: "t-lightbox-tools" }, explain, close)),
    make("div", { className: "t-lightbox-stage" }, back, make("div", {}, picture, answer), forth),
    make(
      "footer",
      { className: "t-dialog-foot" },
      menu(mover, () => targets(label, [current], () => dialog.close()), { label: say("page.samples.move"), align: "start" }),
      test,
      remove,
    ),
  );

  function shown() {
    const shot = samples.at(at);
    return shot?.id === current ? shot : null;
  }

  function toggleAnswer() {
    explain.setAttribute("aria-pressed", String(explain.getAttribute("aria-pressed") !== "true"));
    show();
  }

  /** Show the photo alone, or with what the model says about it. */
  function showAnswer() {
    const model = state.status?.model;
    const classes = model?.class_ids ?? [];
    explain.hidden = !classes.length;
    const wanted = classes.length > 0 && explain.getAttribute("aria-pressed") === "true";
    picture.hidden = wanted;
    answer.hidden = !wanted;
    dialog.toggleAttribute("data-answer", wanted);
    // Of photos that came, or changed sides, since the training nobody knows.
    const trained = !shown()?.test && !model?.stale && classes.includes(label);
    const asked = `${current} ${model?.id} ${trained}`;
    if (!wanted) answer.replaceChildren();
    else if (answer.dataset.asked !== asked || !answer.children.length) {
      answer.replaceChildren(explainPhoto({ sample: current, classes, trained }));
      answer.dataset.asked = asked;
    }
  }

  /**
   * The id of the sample at a place, fetched where it is not known; null if there is none.
   * @param {number} place
   */
  async function idAt(place) {
    if (place < 0 || place >= samples.count) return null;
    return samples.at(place)?.id ?? (await samples.numbers(place, place + 1))[0]?.id ?? null;
  }

  /** @param {number} by */
  async function step(by) {
    const id = await idAt(at + by);
    if (id === null) return;
    current = id;
    at += by;
    show();
  }

  let removing = false;
  async function removeIt() {
    // Which comes next may have to be asked for: pressed again meanwhile, it would be about the same photo.
    if (removing) return;
    removing = true;
    const gone = current;
    const next = await idAt(at + 1)
      .then(async (id) => id ?? (await idAt(at - 1)))
      .finally(() => (removing = false));
    if (next === null) dialog.close();
    else {
      current = next;
      show();
    }
    await deleteSamples([gone]);
    if (next !== null) show();
  }

  function show() {
    // New samples, or others that are gone, move the place.
    const found = samples.placeOf(current);
    if (found >= 0) at = found;
    const number = at + 1;
    const total = findClass(label)?.samples ?? 0;
    void samples.want(at - 1, at + 2);
    write(title, findClass(label)?.name ?? "");
    write(place, say("page.lightbox.place", { number, total }));
    picture.src = photoUrl(state.project?.id ?? "", current);
    picture.alt = say("page.lightbox.photo", { number });
    back.disabled = number <= 1;
    forth.disabled = number >= total;
    badge.hidden = !shown()?.test;
    showAnswer();
  }

  dialog.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(dialog).direction === "rtl";
    if (event.key === "ArrowLeft") void step(rtl ? 1 : -1);
    if (event.key === "ArrowRight") void step(rtl ? -1 : 1);
    if (event.key === "Delete" && !event.repeat) void removeIt();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  const ended = subscribe("samples-shown", (/** @type {string} */ id) => id === label && show());
  dialog.addEventListener("close", () => {
    ended();
    dialog.remove();
  });
  show();
  document.body.append(dialog);
  dialog.showModal();
}
