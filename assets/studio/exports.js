/** The export dialog: what the file is for, whether it was checked, the download, and code to use it. */

import { modelUrl } from "./api.js";
import { arrowKeys, button, icon, make, write } from "./dom.js";
import { className } from "./bars.js";
import { state, subscribe } from "./store.js";
import { decimal, percent, say } from "./words.js";

/** What the download is called, by the server and in the snippets. */
const FILE = "model.onnx";
/** What stands for the list of class names in a snippet. */
const LABELS = "LABELS";
/** Code by platform: a text of the catalogue, and the file. */
const SNIPPETS = /** @type {const} */ ([
  ["python", "python.py.txt"],
  ["onnxruntime", "python-onnxruntime.py.txt"],
  ["javascript", "javascript.js.txt"],
]);

/** Open the dialog. */
export async function openExport() {
  const project = state.project?.id ?? "";
  const url = modelUrl(project);
  const close = button({ icon: "close", label: say("page.close"), testid: "export-close", press: () => dialog.close() });
  const title = make("h2", { className: "t-dialog-title" }, say("page.export.title"));
  const download = make("a", { className: "t-button t-primary", href: url, download: "", "data-testid": "download-model" }, icon("download"), make("span", {}, say("page.export.download")));
  const file = make("span", { className: "t-muted", dir: "ltr", "data-testid": "model-file" });
  const check = make("p", { className: "t-check", role: "status", "data-testid": "agreement" });
  const checked = make("div", { className: "t-check-row" }, icon("check"), check);
  const code = make("code", { dir: "ltr", "data-testid": "snippet" });
  const copy = button({ icon: "copy", text: say("page.export.copy"), look: "ghost", testid: "copy-snippet", press: copyCode });
  const about = make("p", { className: "t-muted" });
  const tabs = SNIPPETS.map(([name]) =>
    make(
      "button",
      { type: "button", className: "t-tab", role: "tab", id: `t-tab-${name}`, "aria-controls": "t-code", "data-testid": `tab-${name}`, on: { click: () => void select(name) } },
      say(`page.export.${name}`),
    ),
  );
  const tablist = make("div", { className: "t-tabs", role: "tablist", "aria-label": say("page.export.code") }, ...tabs);
  const panel = make("div", { className: "t-code", id: "t-code", role: "tabpanel" }, make("div", { className: "t-code-head" }, about, copy), make("pre", { tabIndex: 0 }, code));
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog t-export", "data-testid": "export-dialog", "aria-label": say("page.export.title") },
    make("header", { className: "t-dialog-head" }, title, close),
    make("p", {}, say("page.export.about")),
    make("div", { className: "t-export-download" }, download, file),
    checked,
    make("h3", { className: "t-small-title" }, say("page.export.code")),
    tablist,
    panel,
  );
  /** @param {typeof SNIPPETS[number][0]} wanted */
  async function select(wanted) {
    SNIPPETS.forEach(([other], index) => {
      const tab = tabs[index];
      tab?.setAttribute("aria-selected", String(other === wanted));
      if (tab) tab.tabIndex = other === wanted ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `t-tab-${wanted}`);
    const path = SNIPPETS.find(([other]) => other === wanted)?.[1];
    const text = await (await fetch(new URL(`snippets/${path}`, import.meta.url))).text();
    const labels = (state.status?.model?.class_ids ?? []).map(className);
    write(about, say(`page.export.${wanted}.about`));
    write(code, text.replace(LABELS, () => JSON.stringify(labels)).trim());
  }

  arrowKeys(tablist, tabs);

  async function copyCode() {
    const words = /** @type {HTMLElement} */ (copy.lastElementChild);
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      write(words, say("page.export.copied"));
    } catch {
      // Without permission for the clipboard the text is selected, ready for the keyboard.
      getSelection()?.selectAllChildren(code);
      write(words, say("page.export.selected"));
    }
    setTimeout(() => write(words, say("page.export.copy")), 3000);
  }

  function showCheck() {
    const model = state.status?.model;
    const agreement = model?.agreement;
    checked.hidden = !model;
    checked.dataset.state = agreement ? (agreement.agreeing === agreement.total ? "good" : "bad") : "checking";
    if (agreement) write(check, say("page.export.checked", { agreeing: agreement.agreeing, total: agreement.total, percent: percent(agreement.largest_difference) }));
    else write(check, say(model?.checking ? "page.export.checking" : "page.export.unchecked"));
  }

  const unsubscribe = subscribe("status", showCheck);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    unsubscribe();
    dialog.remove();
  });
  showCheck();
  document.body.append(dialog);
  dialog.showModal();
  const { size } = await (await fetch(url)).blob();
  write(file, say("page.export.file", { name: FILE, megabytes: decimal(size / 1e6), network: state.status?.model?.backbone.title }));
  await select("python");
  dialog.dataset.ready = "true";
}
