/** The bin at the end of the page of all projects: what was deleted, how long it is kept, and getting it back. */

import { confirmed } from "./ask.js";
import { button, icon, make, once, write } from "./dom.js";
import { emptyBin, restore } from "./shelf-store.js";
import { say, size } from "./words.js";

/** @typedef {import("./types.d.ts").Binned} Binned */

const DAY_SECONDS = 86_400;

/** @param {{ restored: (id: string) => void }} on */
export function binSection(on) {
  const summary = make("span", {});
  const about = make("p", { className: "t-muted" });
  const list = make("ul", { className: "t-bin-rows" });
  const all = button({ icon: "trash", text: say("page.bin.empty"), look: "ghost", testid: "bin-empty", press: () => void empty() });
  const element = make(
    "details",
    { className: "t-bin", "data-testid": "bin", hidden: true },
    make("summary", { className: "t-bin-summary" }, icon("trash"), summary),
    about,
    list,
    make("div", { className: "t-actions" }, all),
  );
  let count = 0;
  let kept = 0;

  async function empty() {
    const question = { title: say("page.bin.empty_title"), text: say("page.bin.empty_text", { count }), yes: say("page.bin.forever") };
    if (await confirmed(question)) await emptyBin(null);
  }

  /** @param {Binned} binned */
  async function remove(binned) {
    const question = { title: say("page.bin.forever_title", { name: binned.name }), text: say("page.bin.forever_text"), yes: say("page.bin.forever") };
    if (await confirmed(question)) await emptyBin(binned.id);
  }

  /** @param {Binned} binned */
  async function bringBack(binned) {
    const project = await restore(binned);
    if (project) on.restored(project.id);
  }

  /** @param {Binned} binned */
  function row(binned) {
    // A clock that went backwards keeps it longer, never shorter.
    const days = Math.max(0, Math.min(kept, Math.ceil(kept - (Date.now() / 1000 - binned.deleted) / DAY_SECONDS)));
    const details = [say("page.photos", { count: binned.photos }), size(binned.bytes), say("page.bin.left", { count: days })];
    return make(
      "li",
      { className: "t-bin-row", "data-testid": "bin-row", "data-id": binned.id },
      make("span", { className: "t-bin-text" }, make("span", { className: "t-strong", dir: "auto" }, binned.name), make("span", { className: "t-muted" }, details.join(" · "))),
      button({ icon: "undo", text: say("page.bin.restore"), look: "soft", testid: "bin-restore", press: once(() => bringBack(binned)) }),
      button({ icon: "trash", label: say("page.bin.forever_named", { name: binned.name }), testid: "bin-forever", press: () => void remove(binned) }),
    );
  }

  return {
    element,
    /**
     * @param {Binned[]} bin
     * @param {number} days for which a deleted project is kept
     */
    update(bin, days) {
      kept = days;
      count = bin.length;
      write(about, say("page.bin.about", { count: days }));
      element.hidden = !count;
      write(summary, say("page.bin.title", { count }));
      list.replaceChildren(...bin.map(row));
    },
  };
}
