/** One version in the list: what it is, its name, and what can be done with it. */

import { versionUrl } from "./api.js";
import { arrange, button, icon, make, once, write } from "./dom.js";
import { menu } from "./menu.js";
import { nameField } from "./name.js";
import { state } from "./store.js";
import { deleteVersion, nameVersion, restoreVersion } from "./versions-store.js";
import { end, moment, say, size, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Version} Version */
/** @typedef {import("./types.d.ts").Versions} Versions */

/** Classes that are named one by one; of more, how many others there are. */
const NAMED = 8;

/**
 * @param {string} id of the version
 * @param {{ choose: (id: string, wanted: boolean) => void, took: (versions: Versions) => void, left: () => void }} options
 *   `took`: hears what there is after a change; `left`: the project was changed, and is what the person wants to see
 */
export function versionRow(id, { choose, took, left }) {
  /** @type {Version | null} */
  let version = null;
  let inUse = false;

  const number = make("span", { className: "t-strong", "data-testid": "version-number" });
  const badge = make("span", { className: "t-badge", hidden: true, "data-testid": "version-current" }, icon("check"), say("page.versions.current"));
  const name = nameField({ label: say("page.versions.name"), testid: "version-name", save });
  name.input.placeholder = say("page.versions.unnamed");
  const made = make("span", { className: "t-muted" });
  const score = make("span", { className: "t-version-score" });
  const scoreText = make("span", { className: "t-muted" });
  const facts = make("p", { className: "t-muted" });
  const classes = make("ul", { className: "t-version-classes" });
  const tick = make("input", { type: "checkbox", className: "t-tick", "data-testid": "version-choose", on: { change: () => choose(id, tick.checked) } });
  const tickRow = make("label", { className: "t-tick-row t-version-tick" }, tick, make("span", {}, say("page.versions.compare")));
  const goBack = button({ icon: "versions", text: say("page.versions.restore"), look: "soft", testid: "version-restore", press: () => ask(true) });
  const more = button({ icon: "more", label: say("page.versions.more"), testid: "version-menu" });
  const asking = make("div", { className: "t-version-ask", hidden: true, role: "group" });
  const element = make(
    "li",
    { className: "t-version", "data-testid": "version" },
    make(
      "div",
      { className: "t-version-text" },
      make("div", { className: "t-version-head" }, number, badge, name.element, made),
      make("p", { className: "t-version-result" }, score, " ", scoreText),
      facts,
      classes,
    ),
    make("div", { className: "t-version-actions" }, goBack, tickRow, menu(more, items, { label: say("page.versions.more") })),
    asking,
  );

  /** @param {string} text */
  async function save(text) {
    const versions = await nameVersion(id, text);
    if (versions) took(versions);
    return versions !== null;
  }

  function items() {
    const download = { text: say("page.versions.download"), icon: icon("download"), testid: "version-download", href: versionUrl(state.project?.id ?? "", id) };
    const remove = { text: say("page.versions.delete"), icon: icon("trash"), testid: "version-delete", danger: true, press: () => askDelete() };
    return inUse ? [download] : [download, remove];
  }

  /**
   * Ask what goes back.
   * @param {boolean} open
   */
  function ask(open) {
    if (!open || !version) return shut();
    const group = `t-version-${id}`;
    const whole = make("input", { type: "radio", name: group, checked: version.restorable, disabled: !version.restorable, "data-testid": "version-whole" });
    const only = make("input", { type: "radio", name: group, checked: !version.restorable, disabled: inUse, "data-testid": "version-model-only" });
    const yes = button({ text: say("page.versions.restore"), look: "primary", testid: "version-restore-yes", press: once(() => restore(whole.checked)) });
    const rows = [
      make("label", { className: "t-version-option" }, whole, make("span", {}, make("span", { className: "t-strong" }, say("page.versions.whole")), make("span", { className: "t-muted" }, say(version.restorable ? "page.versions.whole_about" : "page.versions.whole_unknown")))),
      make("label", { className: "t-version-option" }, only, make("span", {}, make("span", { className: "t-strong" }, say("page.versions.model_only")), make("span", { className: "t-muted" }, say(inUse ? "page.versions.model_current" : "page.versions.model_only_about")))),
    ];
    panel(say("page.versions.restore_title", { number: version.number }), rows, yes);
  }

  function askDelete() {
    const yes = button({ text: say("page.versions.delete"), look: "soft t-danger", testid: "version-delete-yes", press: once(remove) });
    panel(say("page.versions.delete_title", { number: version?.number ?? 0 }), [make("p", { className: "t-muted" }, say("page.versions.delete_about"))], yes);
  }

  /**
   * @param {string} title
   * @param {HTMLElement[]} rows
   * @param {HTMLButtonElement} yes
   */
  function panel(title, rows, yes) {
    const no = button({ text: say("page.versions.cancel"), look: "ghost", press: shut });
    asking.setAttribute("aria-label", title);
    asking.replaceChildren(make("p", { className: "t-strong" }, title), ...rows, make("div", { className: "t-actions" }, yes, no));
    asking.hidden = false;
    asking.scrollIntoView({ block: "nearest" });
    const first = asking.querySelector("input:checked");
    (first instanceof HTMLElement ? first : yes).focus();
  }

  function shut() {
    asking.hidden = true;
    asking.replaceChildren();
    goBack.focus();
  }

  /** @param {boolean} contents */
  async function restore(contents) {
    if (await restoreVersion(id, contents)) left();
  }

  async function remove() {
    const versions = await deleteVersion(id);
    if (versions) took(versions);
    else shut();
  }

  asking.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // the dialog stays open
    shut();
  });

  return {
    element,
    /**
     * @param {Version} now
     * @param {{ current: boolean, chosen: boolean, alone: boolean }} how
     */
    show(now, { current, chosen, alone }) {
      version = now;
      inUse = current;
      element.toggleAttribute("data-current", current);
      write(number, say("page.versions.number", { number: now.number }));
      badge.hidden = !current;
      name.show(now.name ?? "");
      write(made, moment(now.created));
      const judged = now.accuracy !== null;
      write(score, judged ? stated(now.accuracy ?? 0) : "");
      const total = now.classes.length;
      const values = { low: end(now.low ?? 0), high: end(now.high ?? 0), judged: now.judged, total };
      if (!judged) write(scoreText, say("page.versions.unjudged"));
      else write(scoreText, say(now.judged < total ? "page.versions.score_some" : "page.versions.score", values));
      const photos = say("page.samples.count", { count: now.samples });
      write(facts, [photos, now.network, size(now.bytes)].join(" · "));
      const shown = now.classes.slice(0, NAMED).map((label) => {
        const dot = make("i", { className: "t-version-dot" });
        if (label.color) dot.style.setProperty("--class", label.color);
        return make("li", {}, dot, make("span", { dir: "auto" }, label.name), label.photos === null ? null : make("span", { className: "t-muted t-number" }, String(label.photos)));
      });
      if (now.classes.length > NAMED) shown.push(make("li", { className: "t-muted" }, say("page.versions.more_classes", { count: now.classes.length - NAMED })));
      if (classes.dataset.shown !== JSON.stringify(now.classes)) arrange(classes, shown);
      classes.dataset.shown = JSON.stringify(now.classes);
      tick.checked = chosen;
      tickRow.hidden = alone;
      tick.setAttribute("aria-label", say("page.versions.compare_this", { number: now.number }));
      goBack.setAttribute("aria-label", say("page.versions.restore_title", { number: now.number }));
      // The one in use can only bring back what was changed since.
      goBack.hidden = current && !(now.restorable && state.status?.model?.stale);
    },
  };
}
