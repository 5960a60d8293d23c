/** The card of one pupil on the teacher's page. It owns how a pupil looks there; what is pressed is done by `room.js`. */

import { thumbnailUrl } from "../studio/api.js";
import { button, icon, make, once, write } from "../studio/dom.js";
import { say, stated } from "../studio/words.js";

/** @typedef {import("./types.d.ts").Pupil} Pupil */

const PICTURES = 4;
/** Someone who was silent for longer may have left. */
const MINUTE = 60;

/**
 * @param {{ lock: (pupil: Pupil) => unknown, helped: (pupil: Pupil) => unknown, remove: (pupil: Pupil) => unknown }} acts
 */
export function pupilCard(acts) {
  /** @type {Pupil | null} */
  let now = null;
  /** @param {(pupil: Pupil) => unknown} act */
  const press = (act) => once(async () => now && act(now));

  const pictures = Array.from({ length: PICTURES }, () => {
    const picture = make("img", { alt: "", loading: "lazy", hidden: true });
    picture.addEventListener("error", () => (picture.hidden = true));
    return picture;
  });
  const name = make("h3", { className: "c-name", dir: "auto", "data-testid": "pupil-name" });
  const state = make("span", {});
  const badge = make("p", { className: "c-state", "data-testid": "pupil-state" }, make("i", { "aria-hidden": "true" }), state);
  const photos = make("span", { "data-testid": "pupil-photos" });
  const score = make("strong", { className: "c-score", "data-testid": "pupil-score" });
  const some = make("span", {});
  const problem = make("p", { className: "c-pupil-problem", hidden: true, "data-testid": "pupil-problem" });
  const open = make("a", { className: "t-button t-soft c-open", "data-testid": "pupil-open" }, say("page.room.open_project"));
  const lock = button({ icon: "pause", label: say("page.room.lock"), testid: "pupil-lock", press: press(acts.lock) });
  const helped = button({ icon: "check", text: say("page.room.helped"), look: "soft", testid: "pupil-helped", press: press(acts.helped) });
  const remove = button({ icon: "trash", label: say("page.room.remove"), testid: "pupil-remove", press: press(acts.remove) });
  helped.classList.add("c-helped");
  const notes = make("div", { className: "c-notes" }, problem, helped);
  const element = make(
    "li",
    { className: "c-pupil", "data-testid": "pupil" },
    make("div", { className: "c-pictures", "aria-hidden": "true" }, ...pictures),
    make("div", { className: "c-who" }, name, badge),
    make("p", { className: "c-facts" }, photos, make("span", { className: "c-result" }, score, " ", some)),
    notes,
    make("div", { className: "c-acts" }, open, lock, remove),
  );

  return {
    element,
    /**
     * @param {Pupil} pupil
     * @param {boolean} everybody whether the whole room is paused
     */
    update(pupil, everybody) {
      now = pupil;
      write(name, pupil.name);
      const what = stateOf(pupil, everybody);
      element.dataset.state = what;
      element.dataset.hand = String(pupil.hand);
      write(state, say(`page.room.state.${what}`));
      write(photos, `${say("page.room.photos", { count: pupil.photos })} · ${say("page.room.classes", { count: pupil.classes })}`);
      write(score, pupil.accuracy === null ? "" : stated(pupil.accuracy));
      const part = pupil.accuracy !== null && pupil.judged < pupil.learned;
      write(some, part ? say("page.room.score_some", { judged: pupil.judged, total: pupil.learned }) : "");
      score.title = score.textContent ? say("page.room.score") : "";
      problem.hidden = !pupil.problem;
      write(problem, pupil.problem ?? "");
      pictures.forEach((picture, place) => {
        const id = pupil.covers[place];
        const address = id === undefined || !pupil.project ? "" : thumbnailUrl(pupil.project, id);
        if (picture.dataset.from === address) return;
        picture.dataset.from = address;
        picture.hidden = !address;
        if (address) picture.src = address;
      });
      // Somebody may have deleted all they had.
      if (pupil.project) open.href = `/?project=${encodeURIComponent(pupil.project)}`;
      else open.removeAttribute("href");
      open.setAttribute("aria-label", say("page.room.open_project_of", { name: pupil.name }));
      const words = say(pupil.locked ? "page.room.unlock_one" : "page.room.lock_one", { name: pupil.name });
      lock.setAttribute("aria-pressed", String(pupil.locked));
      lock.setAttribute("aria-label", words);
      lock.title = words;
      lock.disabled = everybody;
      remove.setAttribute("aria-label", say("page.room.remove_one", { name: pupil.name }));
      remove.title = say("page.room.remove");
      helped.hidden = !pupil.hand;
      helped.setAttribute("aria-label", say("page.room.helped_one", { name: pupil.name }));
      if (!lock.firstElementChild?.classList.contains(pupil.locked ? "c-locked" : "c-free")) {
        const picture = icon(pupil.locked ? "lock" : "pause");
        picture.classList.add(pupil.locked ? "c-locked" : "c-free");
        lock.replaceChildren(picture);
      }
    },
  };
}

/**
 * The one thing most worth knowing about a pupil.
 * @param {Pupil} pupil
 * @param {boolean} everybody
 */
function stateOf(pupil, everybody) {
  if (pupil.hand) return "hand";
  if (pupil.problem) return "problem";
  if (pupil.locked || everybody) return "locked";
  if (pupil.state === "training") return "training";
  if (!pupil.online && Date.now() / 1000 - pupil.last_seen > MINUTE) return "away";
  return pupil.state;
}
