/** The left column: all classes of the project, a dashed place to add one, and what stands in the way. */

import { arrange, button, icon, make, once, write } from "./dom.js";
import { takePageDrops } from "./drop.js";
import { classCard } from "./card.js";
import { addClass, createProject, openFromAddress, openProject, refreshProject } from "./project.js";
import { samplesOf } from "./samples.js";
import { state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { discardAll, stuck, tryAgain } from "./uploads.js";
import { moment, say } from "./words.js";

/** @typedef {ReturnType<typeof classCard>} Card */

/** @param {import("./types.d.ts").Mount} place */
export function mountClasses({ element }) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {string | null} */
  let used = null;
  /** The project whose classes are shown. @type {string | null} */
  let shown = null;
  /** Classes that photos could not be added to any more. @type {Set<string>} */
  const lost = new Set();

  const list = make("div", { className: "t-cards" });
  const add = button({ icon: "plus", text: say("page.class.add"), look: "add", testid: "add-class", press: once(addOne) });
  const why = make("p", {});
  const waiting = make("p", { className: "t-muted" });
  const banner = make(
    "div",
    { className: "t-notice t-notice-problem t-banner", role: "alert", hidden: true, "data-testid": "upload-problem" },
    icon("warning"),
    make(
      "div",
      {},
      why,
      waiting,
      make(
        "div",
        { className: "t-actions" },
        button({ text: say("page.try_again"), look: "soft", testid: "try-again", press: tryAgain }),
        button({ text: say("page.upload.discard"), look: "ghost", testid: "discard", press: discardAll }),
      ),
    ),
  );
  const unknown = make("section", { className: "t-card t-unknown", hidden: true, "data-testid": "project-problem" });
  const title = make("h2", { className: "t-spoken" }, say("page.classes.title"));
  const root = make("section", { className: "t-root t-column", "data-testid": "studio", "aria-label": say("page.classes.title") });
  root.append(title, banner, unknown, list, add);
  element.replaceChildren(root);
  takePageDrops(root, () => (used && cards.has(used) ? used : (state.project?.classes[0]?.id ?? null)));

  async function addOne() {
    const label = await addClass();
    if (!label) return;
    const card = cards.get(label.id);
    card?.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    card?.name.focus();
  }

  function update() {
    const classes = state.problem ? [] : (state.project?.classes ?? []);
    const there = new Set(classes.map((label) => label.id));
    for (const [id, card] of cards) {
      if (there.has(id)) continue;
      const focused = card.element.contains(document.activeElement);
      // Where another project is shown instead, or none can be, nothing was deleted.
      const deleted = state.project?.id === shown && !state.problem;
      const waited = card.leave(deleted);
      cards.delete(id);
      if (deleted) {
        if (waited || lost.has(id)) tell(say("page.class.gone", { name: card.name.value }), "problem");
        if (focused) add.focus({ preventScroll: true });
      }
      lost.delete(id);
    }
    shown = state.project?.id ?? null;
    const elements = classes.map(({ id }) => {
      const card = cards.get(id) ?? classCard(id, { used: () => (used = id), removed: () => add.focus({ preventScroll: true }) });
      cards.set(id, card);
      card.update();
      return card.element;
    });
    arrange(list, elements);
    add.hidden = state.problem !== null || !state.project;
  }

  function showProblem() {
    const problem = state.problem;
    unknown.hidden = !problem;
    document.documentElement.toggleAttribute("data-no-project", problem !== null);
    if (problem) {
      const others = problem.projects.map((project) =>
        make(
          "li",
          {},
          make(
            "button",
            { type: "button", className: "t-button t-row", on: { click: () => void openProject(project.id) } },
            make("span", { className: "t-strong", dir: "auto" }, project.name),
            make("span", { className: "t-muted" }, moment(project.updated)),
          ),
        ),
      );
      unknown.replaceChildren(
        make("p", { role: "alert" }, problem.message),
        make("ul", { className: "t-rows" }, ...others),
        problem.retry
          ? button({ text: say("page.try_again"), look: "soft", testid: "retry-open", press: () => void openFromAddress() })
          : button({ icon: "plus", text: say("page.project.new"), look: "soft", press: once(createProject) }),
        problem.join ? make("a", { className: "t-button t-primary", href: "/join", "data-testid": "to-join" }, say("page.project.join")) : "",
      );
    }
    update();
  }

  function showUploads() {
    const trouble = stuck();
    banner.hidden = !trouble;
    if (trouble) {
      write(why, trouble.message);
      write(waiting, say("page.upload.waiting", { count: trouble.count }));
    }
    for (const card of cards.values()) card.update();
  }

  subscribe("project", update);
  subscribe("gone", (/** @type {string} */ id) => {
    if (!cards.has(id)) return;
    lost.add(id);
    void refreshProject().catch(() => undefined);
  });
  subscribe("problem", showProblem);
  subscribe("uploads", showUploads);
  subscribe("samples", (/** @type {string | null} */ id) => {
    for (const label of id === null ? cards.keys() : [id]) void samplesOf(label).load().catch(() => undefined);
  });
  subscribe("samples-shown", (/** @type {string} */ id) => cards.get(id)?.pictures.update());
  showProblem();
  return root;
}
