/** The export dialog: the ways to take the model away, and code to use it. */

import { arrowKeys, button, icon, make, write } from "./dom.js";
import { formatCard } from "./export-card.js";
import { codePanel } from "./export-code.js";
import { followExports, going } from "./export-store.js";
import { say } from "./words.js";

/** Tabs of the dialog. */
const TABS = /** @type {const} */ (["take", "code"]);
/** The format that the programs are for, and that the dialog begins with. */
const MODEL = "onnx";
const MODEL_FILE = "model.onnx";
/** Room that is left beside what is scrolled to. */
const MARGIN_PX = 8;

/**
 * What was chosen last in each project, for as long as this page is open.
 * @type {Map<string, { format: string, variants: Map<string, string> }>}
 */
const last = new Map();

/** Open the dialog. */
export function openExport() {
  /** @type {Map<string, ReturnType<typeof formatCard>>} */
  const cards = new Map();
  let marked = "";
  const store = followExports(update);
  const before = last.get(store.project) ?? { format: MODEL, variants: new Map() };
  last.set(store.project, before);
  let chosen = before.format;
  const close = button({ icon: "close", label: say("page.close"), testid: "export-close", press: () => dialog.close() });
  const stale = make("p", { className: "t-notice", hidden: true, "data-testid": "export-stale" }, icon("info"), make("span", {}, say("page.export.stale")));
  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "soft", testid: "export-reload", press: () => void store.refresh() });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "export-trouble" }, icon("warning"), make("div", {}, reason, make("div", { className: "t-actions" }, again)));
  const list = make("div", { className: "t-formats", "data-testid": "export-formats" });
  const taking = make(
    "div",
    { className: "t-export-panel", id: "t-export-take", role: "tabpanel", "aria-labelledby": "t-export-tab-take", "data-testid": "take-panel" },
    make("p", { className: "t-export-question" }, say("page.export.question")),
    stale,
    problem,
    list,
  );
  const code = codePanel(store.project, () => cards.get(MODEL)?.file() || MODEL_FILE);
  code.element.setAttribute("aria-labelledby", "t-export-tab-code");
  const panels = { take: taking, code: code.element };
  const tabs = TABS.map((name) =>
    make(
      "button",
      { type: "button", className: "t-tab", role: "tab", id: `t-export-tab-${name}`, "aria-controls": `t-export-${name}`, "data-testid": `export-tab-${name}`, on: { click: () => select(name) } },
      say(`page.export.tab_${name}`),
    ),
  );
  const tablist = make("div", { className: "t-tabs", role: "tablist", "aria-label": say("page.export.title") }, ...tabs);
  const sheet = make("div", { className: "t-export-sheet" }, make("header", { className: "t-dialog-head" }, make("h2", { className: "t-dialog-title" }, say("page.export.title")), close), tablist, taking, code.element);
  const dialog = make("dialog", { className: "t-root t-dialog t-export-dialog", "data-testid": "export-dialog", "data-project": store.project, "aria-label": say("page.export.title") }, sheet);
  arrowKeys(tablist, tabs);

  /** @param {typeof TABS[number]} wanted */
  function select(wanted) {
    TABS.forEach((name, index) => {
      const tab = tabs[index];
      tab?.setAttribute("aria-selected", String(name === wanted));
      if (tab) tab.tabIndex = name === wanted ? 0 : -1;
      panels[name].hidden = name !== wanted;
    });
    if (wanted === "code") code.show();
    else code.hide();
  }

  /** @param {string} id of a format */
  function choose(id) {
    if (id === chosen) return;
    const card = cards.get(id);
    const top = card?.control.getBoundingClientRect().top ?? 0;
    chosen = before.format = id;
    update();
    if (!card) return;
    // Below each other, what closes above would pull the card away from under the finger.
    taking.scrollTop += card.control.getBoundingClientRect().top - top;
    const room = taking.getBoundingClientRect();
    const beyond = card.body.getBoundingClientRect().bottom - room.bottom;
    // As far as it takes to see what belongs to the card, but no further than the card itself.
    const above = card.control.getBoundingClientRect().top - room.top - MARGIN_PX;
    if (beyond > 0 && above > 0) taking.scrollBy({ top: Math.min(beyond + MARGIN_PX, above), behavior: calm() ? "instant" : "smooth" });
  }

  /**
   * @param {string} id of a format
   * @param {string} variant
   */
  function pick(id, variant) {
    before.variants.set(id, variant);
    update();
  }

  /**
   * Begin with what is being prepared, if there is something.
   * @param {readonly import("./types.d.ts").Format[]} formats
   */
  function goTo(formats) {
    const busy = formats.filter(({ variants }) => variants.some(going));
    const format = busy.find(({ id }) => id === chosen) ?? busy.find(({ variants }) => variants.some(({ state }) => state === "running")) ?? busy[0];
    if (!format) return;
    chosen = format.id;
    const mine = format.variants.find(({ id }) => id === before.variants.get(format.id));
    const made = mine && going(mine) ? mine : (format.variants.find(({ state }) => state === "running") ?? format.variants.find(going));
    if (made) before.variants.set(format.id, made.id);
  }

  function update() {
    const known = store.known;
    problem.hidden = !store.trouble;
    write(reason, store.trouble);
    list.hidden = !known;
    stale.hidden = !known?.stale;
    if (!known) return;
    const formats = known.formats;
    const opening = !cards.size;
    if (opening) goTo(formats);
    if (!formats.some(({ id }) => id === chosen)) chosen = formats[0]?.id ?? "";
    for (const format of formats) {
      let card = cards.get(format.id);
      if (!card) {
        card = formatCard(store, format, { choose: () => choose(format.id), picked: (variant) => pick(format.id, variant) }, before.variants.get(format.id));
        cards.set(format.id, card);
        list.append(card.element);
        list.style.setProperty("--formats", String(cards.size));
      }
      card.update(format, format.id === chosen);
    }
    if (opening && chosen !== formats[0]?.id) cards.get(chosen)?.control.scrollIntoView({ block: "nearest" });
    // Of another model, or one whose classes are called otherwise, the programs are others.
    if (store.mark !== marked) {
      if (marked) code.renew();
      marked = store.mark;
    }
  }

  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    store.close();
    code.close();
    dialog.remove();
  });
  select("take");
  document.body.append(dialog);
  dialog.showModal();
  void store.refresh().then(() => (dialog.dataset.ready = "true"));
}

/** Whether the person wants nothing to move. */
function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
