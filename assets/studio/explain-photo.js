/**
 * One stored photo and what the present model says about it: bars, whether it is sure, and where it looked.
 *
 * The server answers, with the very model file; other parts of the page put the element where they need it.
 */

import { photoUrl, request } from "./api.js";
import { bars, className } from "./bars.js";
import { button, icon, make, write } from "./dom.js";
import { fitPlace, heatMap } from "./heat.js";
import { words } from "./project.js";
import { state } from "./store.js";
import { isUnsure } from "./strictness.js";
import { probability, say } from "./words.js";

/** @typedef {import("./heat.js").Heat} Heat */

/**
 * What the model says about a stored photo. `heatmap` is of the class asked for, or else of the winner; `view` is the
 * part of the shorter side of the photo that the network sees.
 * @typedef {{ probabilities: Record<string, number>, familiarity: number | null, heatmap: Heat | null, view: number | null }} Found
 */

/** A person who switched the heat map off does not want it on the next photo either. */
const REMEMBERED = "teachable.explain.heat";

/**
 * @param {{ sample: number, classes: string[], trained?: boolean, first?: string, naming?: (id: string) => string }} options
 *   `classes`: ids in the order of the model. `trained`: the model was trained on this photo, which is then said, because
 *   its answer proves nothing. `first`: the class whose heat map is shown to begin with, or else the winner's. `naming`:
 *   what a class is called
 * @returns {HTMLElement} fills itself; `data-state` is `loading`, `ready` or `problem`
 */
export function explainPhoto({ sample, classes, trained = false, first = "", naming = className }) {
  const project = state.project?.id ?? "";
  /** By class, what has been asked for; "" is that of the winner. @type {Map<string, Found>} */
  const known = new Map();
  let wanted = first;

  const image = make("img", { src: photoUrl(project, sample), alt: say("page.explain.photo"), "data-testid": "explain-photo" });
  const heat = heatMap();
  const picture = make("div", { className: "t-photo-place" }, image, heat.element);
  const look = make("input", { type: "checkbox", role: "switch", className: "t-switch", checked: localStorage.getItem(REMEMBERED) !== "off", "data-testid": "explain-heat" });
  const lookRow = make("label", { className: "t-look", hidden: true }, look, make("span", {}, say("page.preview.look")));
  const winner = make("p", { className: "t-explain-winner", dir: "auto", "data-testid": "explain-winner" });
  const output = bars({ pick, naming });
  const about = make("p", { className: "t-muted", hidden: true, "data-testid": "explain-about" });
  const note = make("p", { className: "t-muted", hidden: !trained }, say("page.explain.trained"));
  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "ghost", press: () => void ask(wanted) });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "explain-problem" }, icon("warning"), make("div", {}, reason, again));
  const answer = make("div", { className: "t-explain-answer" }, note, winner, output.element, lookRow, about, problem);
  const element = make(
    "div",
    { className: "t-explain", "data-testid": "explain", "data-state": "loading" },
    make("div", { className: "t-explain-parts" }, make("div", { className: "t-explain-stage" }, picture), answer),
  );

  look.addEventListener("change", () => {
    localStorage.setItem(REMEMBERED, look.checked ? "on" : "off");
    draw();
  });
  image.addEventListener("load", () => {
    fitPlace(picture, image);
    draw();
  });

  /** @param {string} id of a class, or "" for the winner */
  async function ask(id) {
    problem.hidden = true;
    if (!known.has(id)) {
      try {
        const question = id ? `?class=${encodeURIComponent(id)}` : "";
        known.set(id, await request("GET", `/projects/${project}/samples/${sample}/prediction${question}`));
      } catch (error) {
        write(reason, words(error));
        problem.hidden = false;
        element.dataset.state = "problem";
        return;
      }
    }
    draw();
    element.dataset.state = "ready";
  }

  /** @param {string} id */
  function pick(id) {
    wanted = id;
    look.checked = true;
    void ask(id);
  }

  function draw() {
    // Every answer has the same probabilities; until that for the class wanted is there, another will do.
    const found = known.get(wanted) ?? [...known.values()][0];
    if (!found) return;
    const shares = found.probabilities;
    const probabilities = classes.map((id) => shares[id] ?? 0);
    const unsure = isUnsure(found.familiarity);
    output.show(classes, probabilities, unsure);
    const best = classes[probabilities.indexOf(Math.max(...probabilities))] ?? "";
    const name = naming(best);
    write(winner, unsure ? say("page.preview.not_sure") : say("page.explain.winner", { name, share: probability(shares[best] ?? 0) }));
    const shown = known.has(wanted) && wanted ? wanted : best;
    output.mark(look.checked ? shown : "");
    const can = found.heatmap !== null && found.view !== null;
    lookRow.hidden = !can;
    if (image.naturalWidth) heat.show(look.checked && can ? found.heatmap : null, image.naturalWidth, image.naturalHeight, found.view ?? 1);
    about.hidden = heat.element.hidden;
    write(about, `${say("page.preview.look_about", { name: naming(shown) })}${heat.edge() ? ` ${say("page.preview.look_edge")}` : ""}`);
  }

  void ask(wanted);
  return element;
}
