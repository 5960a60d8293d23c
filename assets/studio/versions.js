/** The dialog with every training that is kept: naming one, going back to one, and choosing two to set side by side. */

import { arrange, button, icon, make, write } from "./dom.js";
import { words } from "./project.js";
import { state, subscribe } from "./store.js";
import { comparedView } from "./versions-compared.js";
import { versionRow } from "./versions-row.js";
import { compareVersions, listVersions } from "./versions-store.js";
import { list as join, say } from "./words.js";

/** @typedef {import("./types.d.ts").Version} Version */
/** @typedef {import("./types.d.ts").Versions} Versions */

/** Open the dialog. */
export function openVersions() {
  /** @type {Map<string, ReturnType<typeof versionRow>>} */
  const rows = new Map();
  /** @type {Versions | null} */
  let known = null;
  /** Ids of those to be compared, in the order they were ticked. @type {string[]} */
  let chosen = [];
  /** How the two that are shown did. @type {import("./types.d.ts").Compared | null} */
  let found = null;

  const close = button({ icon: "close", label: say("page.close"), testid: "versions-close", press: () => dialog.close() });
  const problem = make("p", { className: "t-notice t-notice-problem", role: "alert", hidden: true });
  const rowList = make("ul", { className: "t-versions", "data-testid": "version-list" });
  const hint = make("p", { className: "t-muted", role: "status" });
  const compare = button({ text: say("page.versions.compare_two"), look: "soft", testid: "versions-compare", press: () => void showCompared() });
  const foot = make("div", { className: "t-versions-foot" }, hint, compare);
  const listing = make("div", { className: "t-versions-panel", tabIndex: -1 }, make("p", { className: "t-muted" }, say("page.versions.about")), problem, rowList);
  const comparison = make("div", { className: "t-versions-panel", hidden: true, tabIndex: -1 });
  const title = make("h2", { className: "t-dialog-title" }, say("page.versions.title"));
  const back = button({ icon: "back", label: say("page.versions.back_to_list"), testid: "versions-back", press: showList });
  const sheet = make(
    "div",
    { className: "t-versions-sheet" },
    make("header", { className: "t-dialog-head" }, make("div", { className: "t-versions-head" }, back, title), close),
    listing,
    comparison,
    foot,
  );
  const dialog = make("dialog", { className: "t-root t-dialog t-versions-dialog", "data-testid": "versions-dialog", "data-project": state.project?.id, "aria-label": say("page.versions.title") }, sheet);

  async function refresh() {
    try {
      take(await listVersions());
    } catch (error) {
      problem.hidden = false;
      problem.replaceChildren(icon("warning"), make("span", {}, words(error)));
    }
    dialog.dataset.ready = "true";
  }

  /** @param {Versions} versions */
  function take(versions) {
    known = versions;
    problem.hidden = true;
    chosen = chosen.filter((id) => versions.versions.some((version) => version.id === id));
    update();
    // A name that was typed just before stands above the comparison too.
    if (found) drawCompared();
  }

  function update() {
    if (!known) return;
    const { versions, current } = known;
    const elements = versions.map((version) => {
      const row = rows.get(version.id) ?? versionRow(version.id, { choose, took: take, left: () => dialog.close() });
      rows.set(version.id, row);
      row.show(version, { current: version.id === current, chosen: chosen.includes(version.id), alone: versions.length < 2 });
      return row.element;
    });
    arrange(rowList, elements);
    foot.hidden = versions.length < 2 || !comparison.hidden;
    compare.disabled = chosen.length !== 2;
    const numbers = pair().map((version) => String(version.number));
    write(hint, numbers.length === 2 ? say("page.versions.chosen", { numbers: join(numbers) }) : say("page.versions.choose"));
  }

  /** Those to be compared, the older one first. */
  function pair() {
    return (known?.versions ?? []).filter((version) => chosen.includes(version.id)).sort((a, b) => a.number - b.number);
  }

  /**
   * @param {string} id
   * @param {boolean} wanted
   */
  function choose(id, wanted) {
    chosen = chosen.filter((other) => other !== id);
    // A third takes the place of the first.
    if (wanted) chosen = [...chosen, id].slice(-2);
    update();
  }

  async function showCompared() {
    const [first, second] = pair();
    if (!first || !second) return;
    found = null;
    comparison.replaceChildren(make("p", { className: "t-muted", role: "status" }, say("page.versions.comparing")));
    page(true, say("page.versions.two", { first: first.number, second: second.number }));
    comparison.focus();
    try {
      found = await compareVersions(first, second);
      drawCompared();
    } catch (error) {
      comparison.replaceChildren(make("p", { className: "t-notice t-notice-problem", role: "alert" }, icon("warning"), make("span", {}, words(error))));
    }
  }

  function drawCompared() {
    const [first, second] = pair();
    if (first && second && found) comparison.replaceChildren(comparedView(first, second, found));
  }

  function showList() {
    found = null;
    page(false, say("page.versions.title"));
    compare.focus();
  }

  /**
   * @param {boolean} compared
   * @param {string} text
   */
  function page(compared, text) {
    comparison.hidden = !compared;
    listing.hidden = compared;
    back.hidden = !compared;
    write(title, text);
    update();
  }

  // A training that ends meanwhile adds one, undo changes which is in use.
  let model = state.status?.model?.id;
  const unsubscribe = subscribe("status", () => {
    if (state.status?.model?.id === model) return;
    model = state.status?.model?.id;
    void refresh();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    unsubscribe();
    dialog.remove();
  });
  page(false, say("page.versions.title"));
  document.body.append(dialog);
  dialog.showModal();
  void refresh();
}
