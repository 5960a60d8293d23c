/** One sample, large: look through the class, delete or move it. */

import { photoUrl } from "./api.js";
import { button, make, write } from "./dom.js";
import { menu } from "./menu.js";
import { deleteSamples } from "./project.js";
import { PAGE, samplesOf } from "./samples.js";
import { findClass, state } from "./store.js";
import { targets } from "./thumbnails.js";
import { say } from "./words.js";

/**
 * @param {string} label id of the class
 * @param {number} sample
 */
export function openLightbox(label, sample) {
  const samples = samplesOf(label);
  let current = sample;

  const title = make("h2", { className: "t-dialog-title", dir: "auto" });
  const place = make("span", { className: "t-muted" });
  const picture = make("img", { className: "t-lightbox-photo", alt: "" });
  const back = button({ icon: "back", label: say("page.lightbox.newer"), look: "round", press: () => step(-1) });
  const forth = button({ icon: "next", label: say("page.lightbox.older"), look: "round", press: () => step(1) });
  const close = button({ icon: "close", label: say("page.close"), testid: "lightbox-close", press: () => dialog.close() });
  const remove = button({ icon: "trash", text: say("page.samples.delete"), look: "soft", testid: "lightbox-delete", press: removeIt });
  const mover = button({ icon: "move", text: say("page.samples.move"), look: "soft" });
  mover.disabled = (state.project?.classes.length ?? 0) < 2;
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog t-lightbox", "data-testid": "lightbox", "aria-label": say("page.lightbox.title") },
    make("header", { className: "t-dialog-head" }, make("div", {}, title, place), close),
    make("div", { className: "t-lightbox-stage" }, back, picture, forth),
    make(
      "footer",
      { className: "t-dialog-foot" },
      menu(mover, () => targets(label, [current], () => dialog.close()), { label: say("page.samples.move"), align: "start" }),
      remove,
    ),
  );

  function ids() {
    return samples.visible.map((shot) => shot.id).filter((id) => id !== null);
  }

  /** @param {number} by */
  async function step(by) {
    const all = ids();
    const at = all.indexOf(current) + by;
    if (at < 0 && samples.page > 0) {
      await samples.newer();
      current = ids().at(-1) ?? current;
    } else if (at >= all.length && samples.page + 1 < samples.pages) {
      await samples.older();
      current = ids()[0] ?? current;
    } else current = all[Math.max(0, at)] ?? current;
    show();
  }

  async function removeIt() {
    const all = ids();
    const at = all.indexOf(current);
    const next = all[at + 1] ?? all[at - 1];
    const gone = current;
    if (next === undefined) dialog.close();
    else {
      current = next;
      show();
    }
    await deleteSamples([gone]);
    if (next !== undefined) show();
  }

  function show() {
    const all = ids();
    const at = all.indexOf(current);
    const number = samples.page * PAGE + at + 1;
    const total = findClass(label)?.samples ?? 0;
    write(title, findClass(label)?.name ?? "");
    write(place, say("page.lightbox.place", { number, total }));
    picture.src = photoUrl(state.project?.id ?? "", current);
    picture.alt = say("page.lightbox.photo", { number });
    back.disabled = number <= 1;
    forth.disabled = number >= total;
  }

  dialog.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(dialog).direction === "rtl";
    if (event.key === "ArrowLeft") void step(rtl ? 1 : -1);
    if (event.key === "ArrowRight") void step(rtl ? -1 : 1);
    if (event.key === "Delete") void removeIt();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  show();
  document.body.append(dialog);
  dialog.showModal();
}
