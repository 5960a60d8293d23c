/** The samples of one class as small pictures: enlarged on click, selected to delete, move or keep for testing. */

import { button, icon, make, write } from "./dom.js";
import { openLightbox } from "./lightbox.js";
import { menu } from "./menu.js";
import { deleteSamples, moveSamples, words } from "./project.js";
import { sampleGrid } from "./sample-grid.js";
import { samplesOf } from "./samples.js";
import { findClass, state } from "./store.js";
import { testCommands } from "./test-set.js";
import { tell } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./samples.js").Shot} Shot */

/**
 * @param {string} label id of the class
 * @returns {{ element: HTMLElement, update: () => void }}
 */
export function thumbnails(label) {
  const samples = samplesOf(label);
  /** By id, whether each is only for testing. @type {Map<number, boolean>} */
  const chosen = new Map();
  let selecting = false;
  /** What was selected or taken back last: where Shift and a click begin. */
  let anchor = -1;
  let large = false;
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
  const all = button({ text: say("page.samples.all"), look: "ghost", testid: "select-all", press: () => void chooseRange(0) });
  const cancel = button({ icon: "close", label: say("page.samples.stop_selecting"), press: () => choose(false) });
  const move = menu(mover, () => targets(label, [...chosen.keys()], () => choose(false)), { label: say("page.samples.move") });
  const test = menu(tester, () => testCommands(picks(), () => choose(false)), { label: say("page.samples.test") });
  const tools = make("div", { className: "t-thumbs-tools", hidden: true }, picked, all, test, move, remove, cancel);
  const head = make("div", { className: "t-thumbs-head" }, counts, select);
  const grid = sampleGrid({
    count: () => samples.count,
    cell,
    want: (first, end) => void samples.want(first, end),
    scrolled: place,
    extend(from, to) {
      if (selecting) void chooseRange(Math.min(from, to), Math.max(from, to) + 1);
      return selecting;
    },
  });
  const newer = button({ icon: "up", label: say("page.samples.newer"), testid: "newer", press: () => grid.turn(-1) });
  const older = button({ icon: "down", label: say("page.samples.older"), testid: "older", press: () => grid.turn(1) });
  const range = make("span", { className: "t-range", "data-testid": "samples-range" });
  const size = button({ text: say("page.samples.larger"), look: "ghost", testid: "samples-size", press: () => resize(!large) });
  const pager = make("div", { className: "t-pager", hidden: true }, newer, range, older, size);
  const element = make("div", { className: "t-thumbs" }, head, tools, grid.element, pager);

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
    anchor = -1;
    chosen.clear();
    update();
  }

  /**
   * Select all samples from one place up to another, also those that were never looked at.
   * @param {number} first
   * @param {number} [end] the place after the last; without one, all there are
   */
  async function chooseRange(first, end) {
    selecting = true;
    try {
      for (const { id, test: kept } of await samples.numbers(first, end)) chosen.set(id, kept);
    } catch (error) {
      tell(words(error), "problem");
    }
    update();
  }

  async function removeChosen() {
    if (!chosen.size) return;
    const ids = [...chosen.keys()];
    choose(false);
    await deleteSamples(ids);
    select.focus();
  }

  /** @param {boolean} on */
  function resize(on) {
    large = on;
    grid.enlarge(on);
    update();
    if (on) element.scrollIntoView({ block: "nearest" });
  }

  /** @param {Shot} shot */
  function thumb(shot) {
    const picture = make("img", { src: shot.url, alt: "", decoding: shot.local ? "sync" : "async", draggable: false });
    const open = make(
      "button",
      {
        type: "button",
        className: "t-thumb-open",
        on: { click: (/** @type {MouseEvent} */ event) => press(shot, event) },
      },
      picture,
    );
    const tick = make(
      "button",
      { type: "button", className: "t-thumb-tick", tabIndex: -1, "aria-hidden": "true", on: { click: (/** @type {MouseEvent} */ event) => toggle(shot, event) } },
      icon("check"),
    );
    const badge = make("span", { className: "t-thumb-test", title: say("page.samples.test_badge"), "aria-hidden": "true" }, icon("lock"));
    return make("li", { className: "t-thumb", "data-testid": "thumbnail" }, open, tick, badge);
  }

  /**
   * @param {Shot} shot
   * @param {MouseEvent} event
   */
  function press(shot, event) {
    if (selecting || event.shiftKey) toggle(shot, event);
    else if (shot.id !== null) openLightbox(label, shot.id);
  }

  /**
   * Select a sample or take that back; with Shift, select all from the last one to this.
   * @param {Shot} shot
   * @param {MouseEvent} event
   */
  function toggle(shot, event) {
    if (shot.id === null) return;
    selecting = true;
    const [from, to] = [samples.placeOf(anchor), samples.placeOf(shot.id)];
    anchor = shot.id;
    if (event.shiftKey && from >= 0) return void chooseRange(Math.min(from, to), Math.max(from, to) + 1);
    if (!chosen.delete(shot.id)) chosen.set(shot.id, shot.test);
    update();
  }

  function update() {
    const info = findClass(label);
    if (!info) return;
    const total = info.samples + samples.pending.length;
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
    grid.update();
    const visible = new Set(grid.element.querySelectorAll("li"));
    for (const [key, there] of shown) if (!visible.has(there)) shown.delete(key);
    pager.hidden = !grid.scrolls;
    write(size, say(large ? "page.samples.smaller" : "page.samples.larger"));
    size.setAttribute("aria-expanded", String(large));
  }

  /** Say which samples are in sight. */
  function place() {
    const [first, end] = grid.sight();
    newer.disabled = grid.atStart;
    older.disabled = grid.atEnd;
    write(range, say("page.samples.range", { first: first + 1, last: end, total: samples.count }));
  }

  /**
   * What stands at a place: a sample, or room for one that is not known yet.
   * @param {number} at
   */
  function cell(at) {
    const shot = samples.at(at);
    return shot ? item(shot, at + 1) : room(at);
  }

  /** @param {number} at */
  function room(at) {
    const key = `room-${at}`;
    const there = shown.get(key) ?? make("li", { className: "t-thumb", "aria-hidden": "true", "data-testid": "thumbnail-empty" });
    shown.set(key, there);
    return there;
  }

  /**
   * @param {Shot} shot
   * @param {number} number
   */
  function item(shot, number) {
    const there = shown.get(shot.key) ?? thumb(shot);
    shown.set(shot.key, there);
    const open = there.firstElementChild;
    const picture = there.querySelector("img");
    // What the page took itself is shown as the server has it after a while.
    if (picture && picture.getAttribute("src") !== shot.url) picture.src = shot.url;
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
    return [...chosen].map(([id, kept]) => ({ id, test: kept }));
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
