/** What is on its way into a project, as quiet buttons: they say how far it is and open it. */

import { arrange, icon, make, write } from "./dom.js";
import { openImport } from "./import-dialog.js";
import { ENDED, imports } from "./imports.js";
import { subscribe } from "./store.js";
import { percent, say } from "./words.js";

/** @typedef {import("./imports.js").Going} Going */

/** They stay for as long as the element is in the page. */
export function importChips() {
  /** @type {Map<string, ReturnType<typeof chip>>} */
  const chips = new Map();
  const element = make("div", { className: "t-chips", "data-testid": "import-chips" });
  let placed = false;

  function update() {
    // A sheet that was closed takes its chips with it.
    if (placed && !element.isConnected) return end();
    placed ||= element.isConnected;
    for (const key of chips.keys()) if (!imports().some((one) => one.key === key)) chips.delete(key);
    const elements = imports().map((one) => {
      const made = chips.get(one.key) ?? chip(one);
      chips.set(one.key, made);
      made.update();
      return made.element;
    });
    arrange(element, elements);
    element.hidden = !elements.length;
  }

  const end = subscribe("imports", update);
  update();
  return element;
}

/** @param {Going} one */
function chip(one) {
  const words = make("span", { className: "t-chip-words" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-hidden": "true" });
  const mark = make("span", { className: "t-chip-mark" });
  const element = make(
    "button",
    { type: "button", className: "t-chip", "data-testid": "import-chip", on: { click: () => openImport(one) } },
    mark,
    make("span", { className: "t-chip-text" }, words, bar),
  );
  let shown = "";

  function update() {
    const { info } = one;
    const state = one.lost || one.trouble ? "trouble" : (info?.state ?? "sending");
    element.dataset.state = state;
    const share = info ? info.fraction : one.bytes ? one.sent / one.bytes : 0;
    const measured = state === "sending" || state === "running" || state === "paused";
    bar.hidden = !measured;
    bar.value = share;
    write(words, say(`page.import.chip_${state}`, { name: one.name, percent: percent(share) }));
    element.setAttribute("aria-label", words.textContent ?? "");
    if (state === shown) return;
    shown = state;
    const drawn = state === "trouble" || state === "failed" ? "warning" : state === "done" ? "check" : state === "paused" ? "pause" : state === "planned" ? "question" : ENDED.has(state) ? "info" : "upload";
    mark.replaceChildren(icon(drawn));
  }

  return { element, update };
}
