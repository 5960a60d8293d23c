/**
 * The map of the photos: what looks alike to the network lies together. Points are selected by drawing around them, by
 * keyboard or from a list, and then moved, deleted or kept for testing; each of these can be undone.
 *
 * It owns what is shown and selected. Gestures are `map-stage.js`, painting `map-paint.js`, the list `map-list.js`.
 */

import { request, thumbnailUrl } from "./api.js";
import { button, make, write } from "./dom.js";
import { commandLine } from "./export-copy.js";
import { mapList } from "./map-list.js";
import { Points, shapeOf } from "./map-points.js";
import { mapStage } from "./map-stage.js";
import { menu } from "./menu.js";
import { deleteSamples, moveSamples, words } from "./project.js";
import { busy } from "./report-store.js";
import { findClass, state, subscribe } from "./store.js";
import { testCommands } from "./test-set.js";
import { say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Report} Report */
/** @typedef {import("./types.d.ts").SampleMap} SampleMap */
/** @typedef {SampleMap["method"]} Method */
/** @typedef {{ id: string, name: string, color: string }} Label */

const SVG = "http://www.w3.org/2000/svg";
/** Of a class that is in no project any more. */
const NO_COLOR = "#868DA0";
/** Several classes change at once when photos are moved: one answer is enough. */
const SETTLE_MS = 120;

let made = 0;

/** @returns {{ element: HTMLElement, update: (report: Report | null) => void, close: () => void }} */
export function sampleMap() {
  const number = ++made;
  /** @type {Report | null} */
  let report = null;
  /** @type {SampleMap | null} */
  let map = null;
  /** @type {Points | null} */
  let points = null;
  /** @type {Label[]} */
  let labels = [];
  /** Ids of samples, which stay when the map is drawn anew. @type {Set<number>} */
  const chosen = new Set();
  /** Ids of classes. @type {Set<string>} */
  const hidden = new Set();
  /** @type {Method} */
  let method = "pca";
  let ticket = 0;
  /** It was not asked for what has changed, because there was no map of it. */
  let late = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settling;

  const keys = make("p", { id: `t-map-keys-${number}`, className: "t-muted t-map-keys" }, say("page.map.keys"));
  const spoken = make("p", { className: "t-spoken", role: "status", "data-testid": "map-spoken" });
  const stage = mapStage({ looked, picked, remove: () => void act(deleteSamples), help: keys.id });
  const list = mapList({ picked });
  const about = make("p", { className: "t-muted", "data-testid": "map-about" });

  const hoverPicture = make("img", { alt: "" });
  const hoverName = make("span", { dir: "auto" });
  const hover = make("div", { className: "t-map-hover", hidden: true, "aria-hidden": "true", "data-testid": "map-hover" }, hoverPicture, hoverName);
  stage.element.append(hover);

  const methods = choice("method", say("page.map.method"), { pca: say("page.map.pca"), umap: say("page.map.umap") }, (wanted) => void fetchMap(wanted));
  const tools = choice("tool", say("page.map.tool"), { lasso: say("page.map.lasso"), rectangle: say("page.map.rectangle"), look: say("page.map.look") }, use);
  const zoom = make(
    "div",
    { className: "t-map-group", role: "group", "aria-label": say("page.map.zoom") },
    button({ text: "−", label: say("page.map.zoom_out"), look: "soft", testid: "map-zoom-out", press: stage.zoomOut }),
    button({ text: "+", label: say("page.map.zoom_in"), look: "soft", testid: "map-zoom-in", press: stage.zoomIn }),
    button({ text: say("page.map.whole"), look: "ghost", testid: "map-whole", press: stage.whole }),
  );
  const head = make("div", { className: "t-map-head" }, tools.element, zoom, methods.element);

  const noteText = make("p", {});
  const command = commandLine({ testid: "map-command", label: say("page.map.command") });
  const again = button({ text: say("page.try_again"), look: "soft", testid: "map-again", press: () => void fetchMap(method) });
  const note = make("div", { className: "t-notice t-map-note", role: "status", hidden: true, "data-testid": "map-note" }, make("div", {}, noteText, command.element, again));

  const legend = make("ul", { className: "t-map-legend", "aria-label": say("page.map.legend") });
  const count = make("span", { className: "t-count", role: "status", "data-testid": "map-chosen" });
  const mover = button({ icon: "move", text: say("page.map.move"), look: "soft", testid: "map-move" });
  const remove = button({ icon: "trash", text: say("page.samples.delete"), look: "soft", testid: "map-delete", press: () => void act(deleteSamples) });
  const test = button({ icon: "lock", text: say("page.samples.test"), look: "soft", testid: "map-test" });
  const none = button({ text: say("page.map.none"), look: "ghost", testid: "map-none", press: () => picked([], "only") });
  const actions = make(
    "div",
    { className: "t-map-actions" },
    count,
    menu(mover, places, { label: say("page.map.move"), align: "start", testid: "map-classes" }),
    menu(test, tests, { label: say("page.samples.test"), align: "start" }),
    remove,
    none,
  );

  const element = make(
    "section",
    { className: "t-map", hidden: true, "data-testid": "sample-map", "data-state": "none", "aria-labelledby": `t-map-title-${number}` },
    make("h3", { id: `t-map-title-${number}`, className: "t-map-title" }, say("page.map.title")),
    about,
    head,
    note,
    stage.element,
    legend,
    actions,
    list.element,
    keys,
    spoken,
  );
  // A finger scrolls the page; it draws only when asked to.
  tools.choose(matchMedia("(pointer: coarse)").matches ? "look" : "lasso");

  const ends = [
    subscribe(["samples", "project"], () => settle()),
    subscribe(["status"], () => late && settle()),
  ];

  function settle() {
    clearTimeout(settling);
    if (report) settling = setTimeout(() => void fetchMap(method), SETTLE_MS);
  }

  /** Whether the report is of the newest model: while another is made, the server has no map, and soon another one. */
  function current() {
    return !busy() && (!state.status || state.status.model?.id === report?.model);
  }

  /** @param {Report | null} given */
  function update(given) {
    const other = given?.model !== report?.model;
    report = given && given.state === "done" ? given : null;
    if (!report) {
      // An answer on its way is about photos that have gone with it, or have other numbers in another project.
      ticket += 1;
      chosen.clear();
      [map, points] = [null, null];
      element.hidden = true;
      return;
    }
    if (other) {
      chosen.clear();
      hidden.clear();
      method = "pca";
    }
    void fetchMap(method);
  }

  /** @param {Method} wanted */
  async function fetchMap(wanted) {
    const project = state.project?.id;
    if (!project || !report) return;
    if (wanted === "umap" && map && !map.umap) return offerUmap();
    late = !current();
    if (late) return methods.choose(map?.method ?? method, false);
    const turn = ++ticket;
    const anew = wanted !== map?.method;
    element.dataset.state = "busy";
    if (anew && wanted === "umap") tell(say("page.map.busy"));
    try {
      const answer = await request("GET", `/projects/${project}/report/map?method=${wanted}`);
      if (turn !== ticket) return;
      if (answer.ready) show(answer);
      // Another model was saved a moment ago: its report brings its map.
      else element.dataset.state = map ? "ready" : "none";
    } catch (error) {
      if (turn !== ticket) return;
      element.hidden = false;
      element.dataset.state = "failed";
      tell(words(error));
      again.hidden = false;
      if (map) methods.choose(map.method, false);
    }
  }

  /** @param {SampleMap} answer */
  function show(answer) {
    map = answer;
    method = answer.method;
    labels = answer.class_ids.map((id) => labelOf(id));
    points = new Points(answer);
    const there = new Set(answer.samples);
    for (const id of chosen) if (!there.has(id)) chosen.delete(id);
    element.hidden = points.count === 0;
    element.dataset.state = "ready";
    note.hidden = true;
    methods.choose(method, false);
    write(about, `${say("page.map.about")}${answer.explained === null ? "" : ` ${say("page.map.explained", { share: stated(answer.explained) })}`}`);
    showLegend();
    hide();
    stage.show(points, labels.map(({ color }) => color));
    list.show(points, labels);
    showChosen();
  }

  /** @param {string} id @returns {Label} */
  function labelOf(id) {
    const { name, color } = findClass(id) ?? report?.classes.find((one) => one.id === id) ?? { name: say("page.map.other_class"), color: NO_COLOR };
    return { id, name, color };
  }

  function offerUmap() {
    tell(say("page.map.umap_missing"));
    command.element.hidden = false;
    command.show(map?.command ?? "");
    methods.choose("pca", false);
  }

  /** @param {string} text */
  function tell(text) {
    write(noteText, text);
    note.hidden = false;
    again.hidden = true;
    command.element.hidden = true;
  }

  /** @param {number} index @param {boolean} aloud */
  function looked(index, aloud) {
    hover.hidden = index < 0 || !points;
    if (!points || index < 0) return;
    const name = labels[points.classes[index] ?? 0]?.name ?? "";
    const url = thumbnailUrl(state.project?.id ?? "", points.ids[index] ?? 0);
    // The picture of before must not stand under the name of this one.
    if (!hoverPicture.src.endsWith(url)) hoverPicture.src = url;
    write(hoverName, name);
    const { width, height } = points.size;
    const [x, y] = [points.x[index] ?? 0, points.y[index] ?? 0];
    hover.dataset.side = `${y > height / 2 ? "above" : "below"}-${x > width / 2 ? "left" : "right"}`;
    hover.style.left = `${x}px`;
    hover.style.top = `${y}px`;
    if (aloud) write(spoken, say(chosen.has(points.ids[index] ?? 0) ? "page.map.at_chosen" : "page.map.at", { number: index + 1, total: points.count, name }));
  }

  /** @param {number[]} indices @param {import("./map-stage.js").How} how */
  function picked(indices, how) {
    if (!points) return;
    if (how === "only") chosen.clear();
    for (const index of indices) {
      const id = points.ids[index] ?? 0;
      if (how !== "swap" || !chosen.delete(id)) chosen.add(id);
    }
    showChosen();
  }

  function showChosen() {
    if (!points) return;
    const { ids } = points;
    const indices = new Set(chosen.size ? [...ids.keys()].filter((index) => chosen.has(ids[index] ?? 0)) : []);
    write(count, chosen.size ? say("page.map.chosen", { count: chosen.size }) : say("page.map.none_chosen"));
    for (const control of [mover, remove, test, none]) control.disabled = chosen.size === 0;
    mover.disabled ||= (state.project?.classes.length ?? 0) < 2;
    stage.choose(indices);
    list.choose(indices);
  }

  /** @param {(ids: number[]) => Promise<unknown>} what */
  async function act(what) {
    if (!chosen.size) return;
    const ids = [...chosen];
    picked([], "only");
    await what(ids);
  }

  /** The classes that the selected photos can be moved to. */
  function places() {
    return (state.project?.classes ?? []).map(({ id, name }) => ({
      text: name,
      // Photos that are in it already stay; the server refuses none.
      press: () => void act((ids) => moveSamples(outside(ids, id), id)),
    }));
  }

  /** Both ways to test with the selected photos; those on the map are all learned from. */
  function tests() {
    return testCommands(
      [...chosen].map((id) => ({ id, test: false })),
      () => picked([], "only"),
    );
  }

  /** @param {number[]} ids @param {string} target @returns {number[]} those that are not in it yet */
  function outside(ids, target) {
    const at = map?.class_ids.indexOf(target) ?? -1;
    const inside = new Set(map?.samples.filter((_, index) => map?.classes[index] === at));
    return ids.filter((id) => !inside.has(id));
  }

  function showLegend() {
    const { classes = [] } = points ?? {};
    const totals = labels.map(() => 0);
    for (const place of classes) totals[place] = (totals[place] ?? 0) + 1;
    legend.replaceChildren(...labels.map((label, place) => make("li", {}, legendButton(label, place, totals[place] ?? 0))));
  }

  /** @param {Label} label @param {number} place @param {number} total */
  function legendButton(label, place, total) {
    const shape = document.createElementNS(SVG, "svg");
    shape.setAttribute("viewBox", "-8 -8 16 16");
    shape.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", shapeOf(place));
    path.setAttribute("fill", label.color);
    shape.append(path);
    const entry = make(
      "button",
      {
        type: "button",
        className: "t-map-class",
        title: say("page.map.toggle"),
        "aria-pressed": String(!hidden.has(label.id)),
        "data-testid": "map-class",
        on: {
          click: () => {
            if (!hidden.delete(label.id)) hidden.add(label.id);
            entry.setAttribute("aria-pressed", String(!hidden.has(label.id)));
            hide();
            stage.repaint();
          },
        },
      },
      shape,
      make("span", { dir: "auto" }, label.name),
      make("span", { className: "t-count" }, String(total)),
    );
    return entry;
  }

  /** Leave the points of classes that are switched off out of sight and out of reach. */
  function hide() {
    if (!points) return;
    const off = labels.map(({ id }) => hidden.has(id));
    points.hidden = Uint8Array.from(points.classes, (place) => Number(off[place] ?? false));
  }

  /** @param {import("./map-stage.js").Tool} tool */
  function use(tool) {
    stage.use(tool);
  }

  return {
    element,
    update,
    close() {
      for (const end of ends) end();
      clearTimeout(settling);
      ticket += 1;
    },
  };
}

/**
 * Buttons of which one is pressed.
 * @template {string} Option
 * @param {string} name
 * @param {string} label
 * @param {Record<Option, string>} options
 * @param {(option: Option) => void} changed
 */
function choice(name, label, options, changed) {
  const all = /** @type {[Option, string][]} */ (Object.entries(options));
  const buttons = all.map(([option, text]) => button({ text, look: "ghost", testid: `map-${name}-${option}`, press: () => choose(option) }));

  /** @param {Option} option @param {boolean} [told] */
  function choose(option, told = true) {
    all.forEach(([one], index) => buttons[index]?.setAttribute("aria-pressed", String(one === option)));
    if (told) changed(option);
  }

  return { element: make("div", { className: "t-map-group t-map-choice", role: "group", "aria-label": label }, ...buttons), choose };
}
