/** The top of the page: the project's name and menu, and the line about privacy. */

import { button, icon, make } from "./dom.js";
import { menu } from "./menu.js";
import { nameField } from "./name.js";
import { createProject, deleteProject, listProjects, openProject, renameProject, words } from "./project.js";
import { state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { moment, say } from "./words.js";

/** @param {import("./types.d.ts").Mount} place */
export function mountHeader({ element, trigger }) {
  const name = nameField({
    label: say("page.project.name"),
    testid: "project-name",
    save: async (text) => (await renameProject(text)) !== null,
  });
  const opener = button({ icon: "down", label: say("page.project.menu"), testid: "project-menu" });
  const commands = menu(opener, items, { label: say("page.project.menu"), align: "start" });
  const holder = make("div", { className: "t-project" }, name.element, commands);
  const root = make(
    "header",
    { className: "t-root t-header" },
    make("div", { className: "t-brand" }, mark(), make("h1", {}, say("app.title"))),
    holder,
    make("p", { className: "t-privacy", "data-testid": "privacy" }, icon("lock"), say("page.privacy")),
  );
  element.replaceChildren(root);

  function items() {
    return [
      { text: say("page.project.new"), icon: icon("plus"), testid: "project-new", press: () => void createProject() },
      { text: say("page.project.open"), icon: icon("folder"), testid: "project-open", press: () => void chooseProject() },
      { text: say("page.project.rename"), icon: icon("pencil"), testid: "project-rename", press: () => name.input.focus() },
      { text: say("page.project.delete"), icon: icon("trash"), testid: "project-delete", danger: true, press: () => void deleteProject() },
    ];
  }

  /** @type {string | null} */
  let told = null;
  function update() {
    const project = state.problem ? null : state.project;
    holder.hidden = !project;
    if (!project) return;
    name.show(project.name);
    document.title = say("page.title", { name: project.name });
    if (told !== project.id) trigger("project_opened", { id: project.id });
    told = project.id;
  }
  subscribe(["project", "problem"], update);
  addEventListener("popstate", () => {
    const id = new URLSearchParams(location.search).get("project");
    if (id) openProject(id, "keep").catch((error) => tell(words(error), "problem"));
  });
  update();
  return root;
}

/** A dialog with all projects, last changed first. */
async function chooseProject() {
  let projects;
  try {
    projects = await listProjects();
  } catch (error) {
    return tell(words(error), "problem");
  }
  const rows = projects.map((project) =>
    make(
      "li",
      {},
      make(
        "button",
        {
          type: "button",
          className: "t-button t-row",
          "data-testid": "project-row",
          "aria-current": project.id === state.project?.id ? "true" : undefined,
          on: {
            click: () => {
              dialog.close();
              openProject(project.id).catch((error) => tell(words(error), "problem"));
            },
          },
        },
        make("span", { className: "t-strong", dir: "auto" }, project.name),
        make(
          "span",
          { className: "t-muted" },
          say("page.samples.count", { count: project.classes.reduce((sum, label) => sum + label.samples, 0) }),
          " · ",
          moment(project.updated),
        ),
      ),
    ),
  );
  const close = button({ icon: "close", label: say("page.close"), press: () => dialog.close() });
  const title = make("h2", { className: "t-dialog-title" }, say("page.project.open"));
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog", "data-testid": "projects", "aria-label": say("page.project.open") },
    make("header", { className: "t-dialog-head" }, title, close),
    make("ul", { className: "t-rows" }, ...rows),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return undefined;
}

/** Our mark: a frame with four corners, one for each of the first colours. */
function mark() {
  const holder = make("span", { className: "t-mark", "aria-hidden": "true" });
  for (let corner = 0; corner < 4; corner += 1) holder.append(make("i"));
  return holder;
}
