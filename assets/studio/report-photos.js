/**
 * A dialog with photos that a report speaks of: each with what the model said, where it looked, and what to do with it.
 */

import { thumbnailUrl } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { explainPhoto } from "./explain-photo.js";
import { menu } from "./menu.js";
import { deleteSamples, moveSamples, testSamples, words } from "./project.js";
import { findClass, state, subscribe } from "./store.js";
import { probability, say } from "./words.js";

/**
 * One photo; what the test said about it is known only where it comes from a test.
 * @typedef {{ id: number, present: boolean, given?: string, said?: string, probability?: number, given_probability?: number }} Shown
 */

/** Photos fetched at a time. */
const PAGE = 24;

/**
 * @param {{ title: string, about: string, classes: readonly { id: string, name: string }[], target?: string | null, first?: number,
 *   load: (offset: number, limit: number) => Promise<{ photos: readonly Shown[], total: number }> }} options
 *   `classes`: those of the report, in the order of the model. `target`: the class the photos probably belong to. `first`: the photo to
 *   begin with
 */
export function openPhotos({ title, about, classes, target = null, first, load }) {
  /** @type {Shown[]} */
  let photos = [];
  let total = 0;
  /** @type {number | null} */
  let current = first ?? null;
  const ids = classes.map(({ id }) => id);
  /** Photo whose explanation is shown. @type {number | null} */
  let explained = null;
  /** Photos that something was done to here, as long as that was not undone. @type {Set<number>} */
  const handled = new Set();
  let closed = false;
  let acting = false;
  let turn = 0;

  const close = button({ icon: "close", label: say("page.close"), testid: "photos-close", press: () => dialog.close() });
  const count = make("p", { className: "t-muted", role: "status", "data-testid": "photos-count" });
  const list = make("ul", { className: "t-photos-list", "aria-label": say("page.report.photos_list") });
  const more = button({ text: say("page.report.more_photos"), look: "ghost", testid: "photos-more", press: () => void fetchTo(photos.length + PAGE) });
  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "soft", press: () => void fetchTo(Math.max(PAGE, photos.length)) });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true }, icon("warning"), make("div", {}, reason, make("div", { className: "t-actions" }, again)));
  const verdict = make("p", { className: "t-photos-verdict", "data-testid": "photos-verdict" });
  const stage = make("div", { className: "t-photos-explain" });
  const gone = make("p", { className: "t-notice", hidden: true, "data-testid": "photos-gone" }, icon("info"), make("span", {}, say("page.report.photo_gone")));
  const right = button({ icon: "move", text: " ", look: "soft", testid: "photos-move", press: () => void act((ids) => moveSamples(ids, likely() ?? "")) });
  const other = button({ icon: "move", text: say("page.report.move_to"), look: "soft", testid: "photos-move-other" });
  const mover = menu(other, targets, { label: say("page.report.move_to"), align: "start" });
  const test = button({ icon: "lock", text: say("page.report.test_only"), look: "soft", testid: "photos-test", press: () => void act((ids) => testSamples(ids)) });
  test.title = say("page.report.test_only_about");
  const remove = button({ icon: "trash", text: say("page.samples.delete"), look: "soft", testid: "photos-delete", press: () => void act(deleteSamples) });
  const actions = make("div", { className: "t-photos-actions" }, right, mover, test, remove);
  const detail = make("div", { className: "t-photos-detail" }, verdict, gone, stage, actions);
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog t-photos-dialog", "data-testid": "photos-dialog", "data-project": state.project?.id, "aria-label": title },
    make(
      "div",
      { className: "t-photos-sheet" },
      make("header", { className: "t-dialog-head" }, make("div", {}, make("h2", { className: "t-dialog-title", dir: "auto" }, title), make("p", { className: "t-muted", dir: "auto" }, about)), close),
      problem,
      make("div", { className: "t-photos-body" }, make("div", { className: "t-photos-side" }, count, list, more), detail),
    ),
  );

  /** @param {number} wanted how many photos to have */
  async function fetchTo(wanted) {
    const mine = ++turn;
    try {
      /** @type {Shown[]} */
      const found = [];
      let all = 0;
      do {
        const answer = await load(found.length, Math.min(PAGE, wanted - found.length));
        found.push(...answer.photos);
        all = answer.total;
        if (!answer.photos.length) break;
      } while (found.length < Math.min(wanted, all));
      if (mine !== turn || closed) return;
      photos = found.map((photo) => ({ ...photo, present: photo.present && !handled.has(photo.id) }));
      total = all;
      problem.hidden = true;
    } catch (error) {
      if (mine !== turn || closed) return;
      write(reason, words(error));
      problem.hidden = false;
    }
    if (!photos.some(({ id }) => id === current)) current = photos.find(({ present }) => present)?.id ?? photos[0]?.id ?? null;
    draw();
    dialog.dataset.ready = "true";
  }

  function chosen() {
    return photos.find(({ id }) => id === current) ?? null;
  }

  /**
   * What a class is called; one that was deleted meanwhile keeps the name that the title has.
   * @param {string} id
   */
  function name(id) {
    return findClass(id)?.name ?? classes.find((label) => label.id === id)?.name ?? say("page.preview.deleted_class");
  }

  /** The class that the photo on the stage probably belongs to. */
  function likely() {
    const photo = chosen();
    const id = photo?.said ?? target;
    return id && id !== photo?.given && findClass(id) ? id : null;
  }

  function targets() {
    const photo = chosen();
    return (state.project?.classes ?? [])
      .filter(({ id }) => id !== photo?.given)
      .map(({ id, name }) => ({ text: name, testid: "photos-target", press: () => void act((ids) => moveSamples(ids, id)) }));
  }

  /**
   * Do something to the photo on the stage, and go on to the next.
   * @param {(ids: number[]) => Promise<boolean>} action
   */
  async function act(action) {
    const photo = chosen();
    // Pressed again while it is being done, it would be about the same photo.
    if (!photo || acting) return;
    const at = photos.indexOf(photo);
    const next = photos.slice(at + 1).find(({ present }) => present) ?? photos.slice(0, at).reverse().find(({ present }) => present);
    acting = true;
    const done = await action([photo.id]);
    acting = false;
    // Where it failed, which has been said, the photo is still there.
    if (done) handled.add(photo.id);
    if (closed || !done) return;
    if (next) current = next.id;
    await fetchTo(Math.max(PAGE, photos.length));
    // With a photo its whole recording may have gone, and the next photo with it.
    if (!chosen()?.present) {
      current = photos.find(({ present }) => present)?.id ?? current;
      draw();
    }
    list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function draw() {
    write(count, say("page.report.photos", { count: total }));
    more.hidden = photos.length >= total;
    const shown = new Map([...list.children].map((row) => [Number(row instanceof HTMLElement ? row.dataset.id : 0), row]));
    list.replaceChildren(...photos.map((photo) => mark(shown.get(photo.id) ?? thumb(photo), photo)));
    const photo = chosen();
    detail.hidden = !photo;
    if (!photo) return;
    verdict.hidden = photo.said === undefined;
    if (photo.said !== undefined && photo.given !== undefined) {
      const values = { said: name(photo.said), given: name(photo.given), share: probability(photo.probability ?? 0), given_share: probability(photo.given_probability ?? 0) };
      write(verdict, photo.said === photo.given ? say("page.report.verdict_right", values) : say("page.report.verdict_wrong", values));
    }
    gone.hidden = photo.present;
    actions.hidden = !photo.present;
    stage.hidden = !photo.present;
    const to = likely();
    right.hidden = to === null;
    if (to !== null) write(/** @type {Element} */ (right.lastElementChild), say("page.report.move_to_class", { name: name(to) }));
    mover.hidden = targets().length === 0;
    if (photo.present && explained !== photo.id) stage.replaceChildren(explainPhoto({ sample: photo.id, classes: ids, trained: true, first: mistaken(photo, ids), naming: name }));
    explained = photo.present ? photo.id : null;
  }

  /** @param {Shown} photo */
  function thumb(photo) {
    const picture = make("img", { alt: "", decoding: "async", loading: "lazy" });
    const share = photo.probability === undefined ? null : make("span", { className: "t-photos-share" }, probability(photo.probability, true));
    const choose = () => {
      current = photo.id;
      draw();
    };
    const press = make("button", { type: "button", className: "t-photos-thumb", "data-testid": "photos-thumb", on: { click: choose } }, picture, share);
    return make("li", { "data-id": String(photo.id) }, press);
  }

  /**
   * @param {Element} row
   * @param {Shown} photo
   */
  function mark(row, photo) {
    const press = row.querySelector("button");
    if (!press) return row;
    const number = photos.indexOf(photo) + 1;
    press.toggleAttribute("data-gone", !photo.present);
    press.setAttribute("aria-label", say(photo.present ? "page.report.photo" : "page.report.photo_done", { number, total }));
    if (photo.id === current) press.setAttribute("aria-current", "true");
    else press.removeAttribute("aria-current");
    // One of them takes part in Tab, the arrow keys lead to the others.
    press.tabIndex = photo.id === current ? 0 : -1;
    const picture = press.querySelector("img");
    // A photo that is gone has no picture any more; what was loaded before stays.
    if (picture && photo.present && !picture.src) picture.src = thumbnailUrl(state.project?.id ?? "", photo.id);
    return row;
  }

  list.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(dialog).direction === "rtl";
    const step = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Delete" && chosen()?.present) void act(deleteSamples);
    if (!step) return;
    event.preventDefault();
    const next = photos[photos.findIndex(({ id }) => id === current) + step];
    if (!next) return;
    current = next.id;
    draw();
    const press = list.querySelector("[aria-current]");
    if (press instanceof HTMLElement) press.focus();
  });

  // An undo brings photos back, and another page may change them.
  const quiet = subscribe("project", () => dialog.dataset.ready && draw());
  const unsubscribe = subscribe("samples", (label) => {
    // Of all classes at once: something was undone.
    if (label === null) handled.clear();
    if (dialog.dataset.ready) void fetchTo(Math.max(PAGE, photos.length));
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    closed = true;
    quiet();
    unsubscribe();
    dialog.remove();
    // What was done here may have drawn the place anew that the dialog was opened from.
    const back = opener?.isConnected ? null : document.querySelector(place);
    if (back instanceof HTMLElement) back.focus({ preventScroll: true });
  });
  const opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  const finding = opener?.closest("[data-finding]");
  const place = finding instanceof HTMLElement ? `[data-finding="${CSS.escape(finding.dataset.finding ?? "")}"] button` : `[data-testid="${CSS.escape(opener?.dataset.testid ?? "")}"]`;
  document.body.append(dialog);
  dialog.showModal();
  detail.hidden = true;
  void fetchTo(PAGE);
}

/**
 * Where the model sees the wrong name is worth seeing first, also where the finished model, which has learned from the
 * photo since, names it correctly.
 * @param {Shown} photo
 * @param {string[]} classes
 */
function mistaken({ given, said }, classes) {
  return said !== undefined && said !== given && classes.includes(said) ? said : "";
}
