/** One bar per class, in the class's colour, with its name and percentage; and the winner, spoken now and then. */

import { arrange, make, speaker, write } from "./dom.js";
import { findClass } from "./store.js";
import { percent, probability, say } from "./words.js";

/** @typedef {{ row: HTMLElement, label: HTMLElement, fill: HTMLElement, value: HTMLElement, meter: HTMLElement }} Row */

/**
 * What a class is called now: names are looked up, so renaming shows at once.
 * @param {string} id
 */
export function className(id) {
  return findClass(id)?.name ?? say("page.preview.deleted_class");
}

/**
 * @param {{ pick?: (id: string) => void, naming?: (id: string) => string }} [options] `pick`: the bars are buttons, and
 *   it hears which one was pressed; `naming`: what a class is called
 */
export function bars({ pick, naming = className } = {}) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  const list = make("div", { className: "t-bars", "data-testid": "bars" });
  const spoken = make("p", { className: "t-spoken", role: "status", "data-testid": "winner-spoken" });
  const element = make("div", {}, list, spoken);
  const speak = speaker(spoken);
  let picked = "";

  /**
   * @param {string} id
   * @returns {Row}
   */
  function rowOf(id) {
    let entry = rows.get(id);
    if (!entry) {
      const label = make("span", { className: "t-bar-label", dir: "auto", "data-testid": "bar-label" });
      const fill = make("span", { className: "t-bar-fill" });
      const value = make("span", { className: "t-bar-value", "data-testid": "bar-value" });
      const meter = make("span", { className: "t-bar-track", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
      const options = { className: "t-bar", "data-testid": "bar" };
      const parts = [label, meter, value];
      const row = pick ? make("button", { ...options, type: "button", on: { click: () => pick(id) } }, ...parts) : make("div", options, ...parts);
      rows.set(id, (entry = { row, label, fill, value, meter }));
    }
    return entry;
  }

  return {
    element,
    /**
     * @param {string[]} ids in the order of the model
     * @param {number[] | null} probabilities
     * @param {boolean} [unsure] the photo is unlike those of every class: none of them is the winner
     * @returns {number} the place of the winner, or -1
     */
    show(ids, probabilities, unsure = false) {
      const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
      arrange(list, ids.map((id) => rowOf(id).row));
      list.toggleAttribute("data-unsure", unsure);
      ids.forEach((id, index) => {
        const { row, label, fill, value, meter } = rowOf(id);
        const share = probabilities?.[index] ?? 0;
        // What is live changes all the time; a figure that stands is taken at its word.
        const text = probabilities ? (pick ? probability(share, true) : percent(share)) : "";
        const name = naming(id);
        write(label, name);
        write(value, text);
        fill.style.inlineSize = `${share * 100}%`;
        row.style.setProperty("--class", findClass(id)?.color ?? "#6B7280");
        row.toggleAttribute("data-best", index === best && !unsure);
        meter.setAttribute("aria-label", name);
        meter.setAttribute("aria-valuenow", String(Math.round(share * 100)));
        if (pick) row.setAttribute("aria-pressed", String(id === picked));
      });
      const winner = ids[best];
      if (unsure) speak(say("page.preview.winner_unsure"));
      else if (winner !== undefined) speak(say("page.preview.winner", { name: naming(winner) }));
      return unsure ? -1 : best;
    },
    /**
     * Mark the bar that was pressed.
     * @param {string} id
     */
    mark(id) {
      picked = id;
      for (const [other, { row }] of rows) if (pick) row.setAttribute("aria-pressed", String(other === id));
    },
  };
}
