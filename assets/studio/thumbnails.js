/** The samples of one class as small pictures: paged, enlarged on click, selected to delete, move or keep for testing. */

import { arrange, button, icon, make, write } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { menu } from "./menu.js";
import { deleteSamples, moveSamples } from "./project.js";
import { PAGE, samplesOf } from "./samples.js";
import { findClass, state } from "./store.js";
import { testCommands } from "./test-set.js";
import { say } from "./words.js";

/** @typedef {import("./samples.js").Shot} Shot */

/**
 * @param {string} label id of the class
 * @returns {{ element: HTMLElement, update: () => void }}
 */
export function thumbnails(label) {
  const samples = samplesOf(label);
  /** @type {Map<number, Shot>} */
  const chosen = new Map();
  let selecting = false;
  /** @type {Map<string, HTMLLIElement>} */
  const shown = new Map();

  const count = make("span", { "data-testid": "sample-count" });
  const kept = make("span", { className: "t-muted", hidden: true, "data-testid": "test-count" });
  const counts = make("div", { className: "t-count" }, count, kept);
  const select = button({ icon: "select", text: say("page.samples.select"), look: "ghost", testid: "select", press: () => choose(true) });
  const picked = make("span", { className: "t-count", "aria-live": "polite" });
  const remove = button({ icon: "trash", label: say("page.samples.delete"), testid: "delete-selected", press: removeChosen });
  const mover = button({ icon: "move", label: say("page.samples.move"), testid: "move-selected" });
  const tester = button({ icon: "lock", label: say("page.samples.test"), testid: "test-selected" });
  const all = button({ text: say("page.samples.all"), look: "ghost", press: chooseAll });
  const cancel = button({ icon: "close", label: say("page.samples.stop_selecting"), press: () => choose(false) });
  const move = menu(mover, () => targets(label, [...chosen.keys()], () => choose(false)), { label: say("page.samples.move") });
  const test = menu(tester, () => testCommands(picks(), () => choose(false)), { label: say("page.samples.test") });
  const tools = make("div", { className: "t-thumbs-tools", hidden: true }, picked, all, test, move, remove, cancel);
  const head = make("div", { className: "t-thumbs-head" }, counts, select);
  const grid = make("ul", { className: "t-grid", "aria-label": say("page.samples.list") });
  const newer = button({ icon: "back", label: say("page.samples.newer"), testid: "newer", press: () => turn(samples.newer()) });
  const older = button({ icon: "next", label: say("page.samples.older"), testid: "older", press: () => turn(samples.older()) });
  const range = make("span", { className: "t-range" });
  const pager = make("div", { className: "t-pager", hidden: true }, newer, range, older);
  const element = make("div", { className: "t-thumbs" }, head, tools, grid, pager);

  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && selecting) {
      event.stopPropagation();
      choose(false);
      select.focus();
    }
    if (event.key === "Delete" && chosen.size) void removeChosen();
  });

  /** @param {boolean} on */
  function choose(on) {
    selecting = on;
    chosen.clear();
    update();
  }

  function chooseAll() {
    for (const shot of samples.visible) if (shot.id !== null) chosen.set(shot.id, shot);
    update();
  }

  async function removeChosen() {
    if (!chosen.size) return;
    const ids = [...chosen.keys()];
    choose(false);
    await deleteSamples(ids);
    select.focus();
  }

  /** @param {Promise<void>} turning */
  async function turn(turning) {
    await turning;
    update();
  }

  /** @param {Shot} shot */
  function thumb(shot) {
    const picture = make("img", { src: shot.url, alt: "", decoding: shot.local ? "sync" : "async", draggable: false });
    const open = make(
      "button",
      {
        type: "button",
        className: "t-thumb-open",
        on: { click: () => (selecting ? toggle(shot) : shot.id !== null && openLightbox(label, shot.id)) },
      },
      picture,
    );
    const tick = make(
      "button",
      { type: "button", className: "t-thumb-tick", tabIndex: -1, "aria-hidden": "true", on: { click: () => toggle(shot) } },
      icon("check"),
    );
    const badge = make("span", { className: "t-thumb-test", title: say("page.samples.test_badge"), "aria-hidden": "true" }, icon("lock"));
    return make("li", { className: "t-thumb", "data-testid": "thumbnail" }, open, tick, badge);
  }

  /** @param {Shot} shot */
  function toggle(shot) {
    if (shot.id === null) return;
    selecting = true;
    if (!chosen.delete(shot.id)) chosen.set(shot.id, shot);
    update();
  }

  function update() {
    const info = findClass(label);
    if (!info) return;
    const total = info.samples + samples.pending.length;
    const visible = samples.visible;
    const first = samples.page * PAGE + 1;
    element.toggleAttribute("data-selecting", selecting);
    write(count, total ? say("page.samples.count", { count: total }) : say("page.samples.none"));
    counts.toggleAttribute("data-none", total === 0);
    kept.hidden = info.tests === 0;
    write(kept, say("page.samples.tests", { count: info.tests }));
    select.hidden = total === 0;
    head.hidden = selecting;
    tools.hidden = !selecting;
    write(picked, say("page.samples.selected", { count: chosen.size }));
    remove.disabled = chosen.size === 0;
    tester.disabled = chosen.size === 0;
    mover.disabled = chosen.size === 0 || (state.project?.classes.length ?? 0) < 2;
    arrange(grid, visible.map((shot, index) => item(shot, first + index)));
    for (const key of shown.keys()) if (!visible.some((shot) => shot.key === key)) shown.delete(key);
    pager.hidden = total <= PAGE;
    newer.disabled = samples.page === 0;
    older.disabled = samples.page + 1 >= samples.pages;
    write(range, say("page.samples.range", { first, last: first + visible.length - 1, total }));
  }

  /**
   * @param {Shot} shot
   * @param {number} number
   */
  function item(shot, number) {
    const there = shown.get(shot.key) ?? thumb(shot);
    shown.set(shot.key, there);
    const open = there.firstElementChild;
    const on = shot.id !== null && chosen.has(shot.id);
    open?.setAttribute("aria-label", spoken(shot, number));
    if (selecting) open?.setAttribute("aria-pressed", String(on));
    else open?.removeAttribute("aria-pressed");
    there.toggleAttribute("data-chosen", on);
    there.toggleAttribute("data-sending", shot.id === null);
    there.toggleAttribute("data-test", shot.test);
    return there;
  }

  /**
   * @param {Shot} shot
   * @param {number} number
   */
  function spoken(shot, number) {
    if (selecting) return say(shot.test ? "page.samples.pick_test" : "page.samples.pick", { number });
    return say(shot.test ? "page.samples.open_test" : "page.samples.open", { number });
  }

  /** What is selected, as it is now. */
  function picks() {
    return [...chosen].map(([id, { test: kept }]) => ({ id, test: kept }));
  }

  return { element, update };
}

/**
 * The other classes, as places to move samples to.
 * @param {string} label id of the class they are in
 * @param {number[]} ids
 * @param {() => void} [after]
 */
export function targets(label, ids, after) {
  const others = state.project?.classes.filter((other) => other.id !== label) ?? [];
  return others.map((other) => ({
    text: other.name,
    press: () => {
      after?.();
      void moveSamples(ids, other.id);
    },
  }));
}
