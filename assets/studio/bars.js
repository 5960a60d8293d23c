/** One bar per class, in the class's colour, with its name and percentage; and the winner, spoken now and then. */

import { arrange, make, speaker, write } from "./dom.js";
import { findClass } from "./store.js";
import { percent, say } from "./words.js";


/**
 * What a class is called now: names are looked up, so renaming shows at once.
 * @param {string} id
 */
export function className(id) {
  return findClass(id)?.name ?? say("page.preview.deleted_class");
}

/** @returns {{ element: HTMLElement, show: (ids: string[], probabilities: number[] | null) => number }} */
export function bars() {
  /** @type {Map<string, { row: HTMLElement, label: HTMLElement, fill: HTMLElement, value: HTMLElement, meter: HTMLElement }>} */
  const rows = new Map();
  const list = make("div", { className: "t-bars", "data-testid": "bars" });
  const spoken = make("p", { className: "t-spoken", role: "status", "data-testid": "winner-spoken" });
  const element = make("div", {}, list, spoken);
  const speak = speaker(spoken);

  /** @param {string} id */
  function rowOf(id) {
    let entry = rows.get(id);
    if (!entry) {
      const label = make("span", { className: "t-bar-label", dir: "auto", "data-testid": "bar-label" });
      const fill = make("span", { className: "t-bar-fill" });
      const value = make("span", { className: "t-bar-value", "data-testid": "bar-value" });
      const meter = make("span", { className: "t-bar-track", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
      const row = make("div", { className: "t-bar", "data-testid": "bar" }, label, meter, value);
      rows.set(id, (entry = { row, label, fill, value, meter }));
    }
    return entry;
  }

  return {
    element,
    show(ids, probabilities) {
      const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
      arrange(list, ids.map((id) => rowOf(id).row));
      ids.forEach((id, index) => {
        const { row, label, fill, value, meter } = rowOf(id);
        const share = probabilities?.[index] ?? 0;
        const text = probabilities ? percent(share) : "";
        const name = className(id);
        write(label, name);
        write(value, text);
        fill.style.inlineSize = `${share * 100}%`;
        row.style.setProperty("--class", findClass(id)?.color ?? "#6B7280");
        row.toggleAttribute("data-best", index === best);
        meter.setAttribute("aria-label", name);
        meter.setAttribute("aria-valuenow", String(Math.round(share * 100)));
      });
      const winner = ids[best];
      if (winner !== undefined) speak(say("page.preview.winner", { name: className(winner) }));
      return best;
    },
  };
}
