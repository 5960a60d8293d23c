/** What a project takes up on the disk, and what of it can be given back, with what would be lost. */

import { button, icon, make, write } from "./dom.js";
import { words } from "./project.js";
import { askStorage, cleanUp } from "./shelf-store.js";
import { say, size } from "./words.js";

/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {import("./types.d.ts").Storage} Storage */

const PARTS = /** @type {const} */ (["photos", "removed", "versions", "caches"]);

/** @param {Project} project */
export function openStorage(project) {
  /** @type {Storage | null} */
  let known = null;
  let busy = false;
  const close = button({ icon: "close", label: say("page.close"), testid: "storage-close", press: () => dialog.close() });
  const title = say("page.storage.title", { name: project.name });
  const bar = make("div", { className: "t-storage-bar", "aria-hidden": "true" });
  const rows = PARTS.map((part) => {
    const amount = make("span", { className: "t-number", "data-testid": `storage-${part}` });
    const row = make(
      "li",
      { className: "t-storage-row", "data-part": part },
      make("i", { "aria-hidden": "true" }),
      make("span", {}, make("span", { className: "t-strong" }, say(`page.storage.${part}`)), make("span", { className: "t-muted" }, say(`page.storage.${part}_about`))),
      amount,
    );
    const piece = make("i", { "data-part": part });
    bar.append(piece);
    return { part, row, amount, piece };
  });
  const total = make("p", { className: "t-strong", "data-testid": "storage-total" });
  const removed = tick("removed");
  const caches = tick("caches");
  const said = make("p", { role: "status", "data-testid": "storage-said" });
  const problem = make("p", { className: "t-notice t-notice-problem", role: "alert", hidden: true });
  const go = button({ icon: "trash", text: say("page.storage.clean_none"), look: "danger-fill", testid: "storage-clean", press: () => void clean() });
  const body = make(
    "div",
    { className: "t-storage", hidden: true },
    total,
    bar,
    make("ul", { className: "t-storage-rows" }, ...rows.map(({ row }) => row)),
    make("h3", { className: "t-small-title" }, say("page.storage.clean_title")),
    removed.element,
    caches.element,
    make("div", { className: "t-ask-foot" }, said, go),
  );
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog", "data-testid": "storage", "aria-label": title },
    make("header", { className: "t-dialog-head" }, make("h2", { className: "t-dialog-title" }, title), close),
    problem,
    body,
  );

  /** @param {"removed" | "caches"} part */
  function tick(part) {
    const box = make("input", { type: "checkbox", className: "t-tick", "data-testid": `storage-tick-${part}`, on: { change: update } });
    const lost = make("span", { className: "t-muted" }, say(`page.storage.${part}_lost`));
    return { box, element: make("label", { className: "t-tick-row t-storage-tick" }, box, make("span", {}, make("span", {}, say(`page.storage.${part}_clean`)), lost)) };
  }

  async function load() {
    try {
      known = await askStorage(project.id);
      problem.hidden = true;
    } catch (error) {
      problem.hidden = false;
      problem.replaceChildren(icon("warning"), words(error));
    }
    update();
  }

  async function clean() {
    if (busy) return;
    busy = true;
    update();
    try {
      const freed = await cleanUp(project.id, { removed: removed.box.checked, caches: caches.box.checked });
      removed.box.checked = caches.box.checked = false;
      write(said, say("page.storage.freed", { size: size(freed) }));
    } catch (error) {
      problem.hidden = false;
      problem.replaceChildren(icon("warning"), words(error));
    }
    busy = false;
    await load();
    close.focus();
  }

  function update() {
    body.hidden = !known;
    if (!known) return;
    write(total, say("page.storage.total", { size: size(known.total) }));
    for (const { part, amount, piece } of rows) {
      write(amount, size(known[part]));
      piece.style.inlineSize = `${(100 * known[part]) / Math.max(1, known.total)}%`;
    }
    removed.box.disabled = busy || known.removed === 0;
    caches.box.disabled = busy || known.caches === 0;
    const bytes = (removed.box.checked ? known.removed : 0) + (caches.box.checked ? known.caches : 0);
    const chosen = removed.box.checked || caches.box.checked;
    go.disabled = busy || !chosen;
    const label = go.querySelector("span");
    if (label) write(label, chosen ? say("page.storage.clean", { size: size(bytes) }) : say("page.storage.clean_none"));
    if (chosen) write(said, "");
  }

  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  void load().then(() => (dialog.dataset.ready = "true"));
}
