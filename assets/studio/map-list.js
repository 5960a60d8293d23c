/** The photos of a map as a list: for who cannot see it, and for who wants to tick photos one by one. */

import { thumbnailUrl } from "./api.js";
import { arrange, button, make, write } from "./dom.js";
import { state } from "./store.js";
import { say } from "./words.js";

/** @typedef {import("./map-points.js").Points} Points */
/** @typedef {{ id: string, name: string }} Label */

const PAGE = 24;
const CHOSEN = "chosen";
const ALL = "all";

let made = 0;

/**
 * @param {{ picked: (indices: number[], how: import("./map-stage.js").How) => void }} told
 */
export function mapList({ picked }) {
  /** @type {Points | null} */
  let points = null;
  /** @type {Label[]} */
  let labels = [];
  /** @type {ReadonlySet<number>} */
  let chosen = new Set();
  let page = 0;
  /** @type {Map<number, HTMLLIElement>} */
  let shown = new Map();

  const field = `t-map-filter-${++made}`;
  const filter = make("select", { id: field, className: "t-field", "data-testid": "map-filter", on: { change: () => turn(0) } });
  const these = button({ icon: "select", text: say("page.map.choose_these"), look: "ghost", testid: "map-choose-these", press: () => picked(wanted(), "more") });
  const grid = make("ul", { className: "t-map-list", "aria-label": say("page.map.list") });
  const newer = button({ icon: "back", label: say("page.map.back"), testid: "map-back", press: () => turn(page - 1) });
  const older = button({ icon: "next", label: say("page.map.next"), testid: "map-next", press: () => turn(page + 1) });
  const range = make("span", { className: "t-range", role: "status" });
  const pager = make("div", { className: "t-pager" }, newer, range, older);
  const head = make("div", { className: "t-map-list-head" }, make("label", { for: field }, say("page.map.filter")), filter, these);
  const element = make(
    "details",
    { className: "t-map-table", "data-testid": "map-list", on: { toggle: () => update() } },
    make("summary", {}, say("page.map.as_list")),
    head,
    grid,
    pager,
  );

  /** Indices of the photos to list, class by class. @returns {number[]} */
  function wanted() {
    if (!points) return [];
    const { classes } = points;
    const only = labels.findIndex((label) => label.id === filter.value);
    const all = [...classes.keys()].filter((index) => (filter.value === CHOSEN ? chosen.has(index) : only < 0 || classes[index] === only));
    return all.sort((a, b) => (classes[a] ?? 0) - (classes[b] ?? 0) || a - b);
  }

  /** @param {number} to */
  function turn(to) {
    page = to;
    update();
  }

  function update() {
    if (!element.open || !points) return;
    const all = wanted();
    page = Math.max(0, Math.min(page, Math.ceil(all.length / PAGE) - 1));
    const first = page * PAGE;
    const here = all.slice(first, first + PAGE);
    const kept = new Map(here.map((index) => [index, shown.get(index) ?? item(index)]));
    shown = kept;
    arrange(grid, [...kept.values()]);
    for (const [index, entry] of kept) {
      const box = entry.querySelector("input");
      if (box) box.checked = chosen.has(index);
      entry.toggleAttribute("data-chosen", chosen.has(index));
    }
    these.disabled = !all.length || filter.value === CHOSEN;
    newer.disabled = page === 0;
    older.disabled = first + PAGE >= all.length;
    pager.hidden = all.length <= PAGE && all.length > 0;
    write(range, all.length ? say("page.map.range", { first: first + 1, last: first + here.length, total: all.length }) : say("page.map.list_empty"));
  }

  /** @param {number} index */
  function item(index) {
    const name = labels[points?.classes[index] ?? 0]?.name ?? "";
    const box = make("input", { type: "checkbox", "data-testid": "map-tick", "aria-label": say("page.map.tick", { number: index + 1, name }), on: { change: () => picked([index], "swap") } });
    const picture = make("img", { src: thumbnailUrl(state.project?.id ?? "", points?.ids[index] ?? 0), alt: "", loading: "lazy", decoding: "async" });
    return make("li", {}, make("label", {}, box, picture, make("span", { dir: "auto" }, name)));
  }

  return {
    element,
    /** @param {Points} given @param {Label[]} named */
    show(given, named) {
      [points, labels] = [given, named];
      shown = new Map();
      const before = filter.value;
      const options = [{ id: ALL, name: say("page.map.all") }, { id: CHOSEN, name: say("page.map.chosen_only") }, ...named];
      filter.replaceChildren(...options.map(({ id, name }) => make("option", { value: id }, name)));
      filter.value = options.some(({ id }) => id === before) ? before : ALL;
      update();
    },
    /** @param {ReadonlySet<number>} indices */
    choose(indices) {
      chosen = indices;
      update();
    },
  };
}
