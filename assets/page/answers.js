/** The answer: the winner in large letters, a bar per class, and the winner spoken at most once a second. */

import { arrange, icon, make, speaker, write } from "../studio/dom.js";
import { COLORS, NAMES } from "./model.js";
import { isUnsure, strictness } from "./strictness.js";
import { percent, say } from "./words.js";

/** Up to so many classes stand in their own order; of more, so many of the most probable are shown. */
const MOST = 10;

/** @param {{ changed: () => void }} options `changed`: the person wants it stricter or less strict; `again` says the rest */
export function answers({ changed }) {
  /** What is shown, and what it was seen in. @type {[import("./model.js").Seen | null, string?]} */
  let shown = [null];
  const spoken = make("p", { className: "t-spoken", role: "status", "data-testid": "spoken" });
  const name = make("strong", { dir: "auto", "data-testid": "winner" });
  const sure = make("span", { className: "o-sure t-number" });
  const winner = make("p", { className: "o-winner" }, name, sure);
  const none = make("p", { className: "o-none t-muted" }, say("answer_none"));
  const list = make("ul", { className: "o-bars", "data-testid": "bars" });
  const rest = NAMES.length - MOST;
  const others = make("p", { className: "t-muted", hidden: rest <= 0 }, rest > 0 ? say("others", { count: rest }) : "");
  const element = make(
    "section",
    { className: "t-card o-answer", id: "answer", tabIndex: -1, "aria-labelledby": "answer-title", "data-testid": "answer" },
    make("h2", { className: "t-small-title", id: "answer-title" }, say("answer")),
    make("div", { className: "o-top" }, winner, none),
    list,
    others,
    strictness({ changed }),
    spoken,
  );
  const speak = speaker(spoken);
  const rows = NAMES.map((label, index) => bar(label, COLORS[index] ?? ""));

  /** @param {import("./model.js").Seen | null} seen @param {string} [file] what it was seen in */
  function show(seen, file) {
    element.toggleAttribute("data-empty", !seen);
    shown = [seen, file];
    const unsure = isUnsure(seen);
    element.toggleAttribute("data-unsure", unsure);
    const best = unsure ? say("not_sure") : seen ? (NAMES[seen.best] ?? "") : "";
    const share = percent(seen?.shares[seen.best] ?? 0);
    write(name, best);
    write(sure, seen && !unsure ? share : "");
    const order = NAMES.map((_, index) => index);
    if (rest > 0) order.sort((one, other) => (seen?.shares[other] ?? 0) - (seen?.shares[one] ?? 0) || one - other).splice(MOST);
    arrange(list, order.flatMap((index) => rows[index]?.element ?? []));
    for (const index of order) rows[index]?.show(seen ? (seen.shares[index] ?? 0) : null, index === seen?.best && !unsure);
    if (unsure) speak(file === undefined ? say("winner_unsure") : say("winner_photo_unsure", { file }));
    else if (seen) speak(file === undefined ? say("winner", { name: best }) : say("winner_photo", { file, name: best, share }));
  }

  show(null);
  return { element, show, again: () => show(...shown) };
}

/** @param {string} label @param {string} color */
function bar(label, color) {
  const fill = make("span", { className: "o-fill" });
  const value = make("span", { className: "o-value t-number", "data-testid": "bar-value" });
  const meter = make("span", { className: "o-track", role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  const title = make("span", { className: "o-label", dir: "auto", "data-testid": "bar-label" }, label);
  const element = make("li", { className: "o-bar", "data-testid": "bar" }, make("span", { className: "o-line" }, icon("check"), title, value), meter);
  element.style.setProperty("--class", color);
  return {
    element,
    /** @param {number | null} share @param {boolean} best */
    show(share, best) {
      fill.style.inlineSize = `${(share ?? 0) * 100}%`;
      write(value, share === null ? "" : percent(share));
      meter.setAttribute("aria-valuenow", String(Math.floor(100 * (share ?? 0) + 0.5)));
      meter.setAttribute("aria-valuetext", percent(share ?? 0));
      element.toggleAttribute("data-best", best);
      element.dataset.share = share === null ? "" : String(share);
    },
  };
}
