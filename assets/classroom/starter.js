/** Choosing what pupils start from. It owns the dialog; what becomes of the choice is said by who asked. */

import { ApiError, request } from "../studio/api.js";
import { button, icon, make } from "../studio/dom.js";
import { tell } from "../studio/toasts.js";
import { moment, say } from "../studio/words.js";

/** @typedef {import("../studio/types.d.ts").Project} Project */

/**
 * Let the teacher choose one of their own projects.
 * @param {string | null} current id of the one that is given out now
 * @returns {Promise<string | null | undefined>} id, null for none, undefined where nothing was chosen
 */
export async function chooseStarter(current) {
  /** @type {Project[]} */
  let projects;
  try {
    projects = (await request("GET", "/projects")).projects;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tell(error.message, "problem");
    return undefined;
  }
  return new Promise((resolve) => {
    /** @type {string | null | undefined} */
    let chosen;
    /** @param {string | null} id */
    const choose = (id) => {
      chosen = id;
      dialog.close();
    };
    const rows = projects.map((project) =>
      row(
        project.name,
        `${say("page.room.photos", { count: project.classes.reduce((sum, label) => sum + label.samples, 0) })} · ${moment(project.updated)}`,
        project.id === current,
        () => choose(project.id),
      ),
    );
    const none = row(say("page.room.starter.none"), say("page.room.starter.none.text"), current === null, () => choose(null));
    const close = button({ icon: "close", label: say("page.close"), press: () => dialog.close() });
    const title = make("h2", { className: "t-dialog-title" }, say("page.room.starter"));
    const dialog = make(
      "dialog",
      { className: "t-root t-dialog", "data-testid": "starter", "aria-label": say("page.room.starter") },
      make("header", { className: "t-dialog-head" }, title, close),
      make("p", { className: "t-muted" }, say("page.room.starter.text")),
      make("ul", { className: "c-rows" }, none, ...rows),
      rows.length ? null : make("p", { className: "t-muted", "data-testid": "starter-nothing" }, say("page.room.starter.nothing")),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * @param {string} title
 * @param {string} text
 * @param {boolean} current
 * @param {() => void} press
 */
function row(title, text, current, press) {
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", className: "c-row", "aria-current": current ? "true" : undefined, "data-testid": "starter-row", on: { click: press } },
      make("span", {}, make("span", { className: "t-strong", dir: "auto" }, title), make("span", { className: "t-muted" }, text)),
      current ? icon("check") : null,
    ),
  );
}
