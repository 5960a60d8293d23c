/** The top of the page: the project's name and menu, and the line about privacy. */

import { projectZipUrl } from "./api.js";
import { brand } from "./brand.js";
import { button, icon, make } from "./dom.js";
import { historyButtons } from "./history.js";
import { chooseFile } from "./import.js";
import { importChips } from "./import-chip.js";
import { menu } from "./menu.js";
import { nameField } from "./name.js";
import { createProject, deleteProject, openProject, renameProject, stayHere, words } from "./project.js";
import { fillSettings, settingsFilled } from "./settings.js";
import { openShelf } from "./shelf.js";
import { state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { say } from "./words.js";

/** @param {import("./types.d.ts").Mount} place */
export function mountHeader({ element, trigger, props, watch }) {
  const name = nameField({
    label: say("page.project.name"),
    testid: "project-name",
    save: async (text, id) => (await renameProject(text, id)) !== null,
  });
  const opener = button({ icon: "down", label: say("page.project.menu"), testid: "project-menu" });
  const commands = menu(opener, items, { label: say("page.project.menu"), align: "start" });
  const holder = make("div", { className: "t-project" }, name.element, commands);
  const root = make(
    "header",
    { className: "t-root t-header" },
    brand("h1"),
    holder,
    historyButtons(),
    importChips(),
    make("p", { className: "t-privacy", "data-testid": "privacy" }, icon("lock"), say("page.privacy")),
  );
  element.replaceChildren(root);

  function items() {
    return [
      { text: say("page.project.new"), icon: icon("plus"), testid: "project-new", press: () => void createProject() },
      { text: say("page.project.open"), icon: icon("folder"), testid: "project-open", press: openShelf },
      { text: say("page.import.open"), icon: icon("upload"), testid: "project-file", press: chooseFile },
      { text: say("page.project.rename"), icon: icon("pencil"), testid: "project-rename", press: () => name.input.focus() },
      { text: say("page.shelf.download"), icon: icon("download"), testid: "project-download", href: projectZipUrl(state.project?.id ?? "") },
      { text: say("page.project.delete"), icon: icon("trash"), testid: "project-delete", danger: true, press: () => void deleteProject() },
    ];
  }

  function update() {
    const project = state.problem ? null : state.project;
    holder.hidden = !project;
    if (!project) return;
    name.show(project.name, project.id);
    document.title = say("page.title", { name: project.name });
  }
  subscribe(["project", "problem"], update);
  fillSettings(trigger);
  watch("value", () => settingsFilled(/** @type {import("./types.d.ts").Shown} */ (props.value)));
  addEventListener("popstate", () => {
    const id = new URLSearchParams(location.search).get("project");
    if (id && id !== state.project?.id) openProject(id, "keep").catch((error) => tell(words(error), "problem"));
    else if (id) stayHere();
  });
  update();
  return root;
}
