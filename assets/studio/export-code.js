/** Programs that use the model file, ready to copy: one tab for each, as the server writes them. */

import { ApiError, request } from "./api.js";
import { arrowKeys, button, icon, make, write } from "./dom.js";
import { commandLine, copyButton } from "./export-copy.js";
import { words } from "./project.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Program} Program */

/**
 * @param {string} project
 * @param {() => string} file the model file that the programs are for
 */
export function codePanel(project, file) {
  const which = make("p", { "data-testid": "code-file" });
  let tablist = make("div", { className: "t-programs" });
  const about = make("p", { "data-testid": "program-about" });
  const badge = make("span", { className: "t-badge", "data-testid": "program-badge" });
  const install = commandLine({ testid: "install", label: say("page.export.install") });
  const installing = make("div", { className: "t-code-part" }, make("h3", { className: "t-small-title" }, say("page.export.install")), install.element);
  const code = make("code", { dir: "ltr", "data-testid": "snippet" });
  const name = make("h3", { className: "t-small-title", dir: "ltr", "data-testid": "program-file" });
  const save = make("a", { className: "t-button t-ghost", "data-testid": "download-program" }, icon("download"), make("span", {}, say("page.export.save")));
  const copy = copyButton(code, { testid: "copy-snippet", label: say("page.export.program") });
  const pre = make("pre", { tabIndex: 0, role: "group", "aria-label": say("page.export.program") }, code);
  const panel = make(
    "div",
    { className: "t-program", id: "t-program", role: "tabpanel", hidden: true },
    make("div", { className: "t-program-head" }, about, badge),
    installing,
    make("div", { className: "t-code-part" }, make("div", { className: "t-code-head" }, name, make("div", { className: "t-code-actions" }, copy, save)), pre),
  );
  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "soft", press: () => void load() });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "code-problem" }, icon("warning"), make("div", {}, reason, make("div", { className: "t-actions" }, again)));
  const element = make("div", { className: "t-export-panel t-export-code", id: "t-export-code", role: "tabpanel", "data-testid": "code-panel" }, which, problem, tablist, panel);

  /** @type {Program[]} */
  let programs = [];
  let chosen = "";
  let open = false;
  /** What was asked for last, and whether it is still what is wanted. */
  let loaded = "";
  let turn = 0;
  let address = "";

  async function load() {
    const wanted = file();
    const mine = ++turn;
    loaded = wanted;
    try {
      const answer = await request("GET", `/projects/${project}/programs?file=${encodeURIComponent(wanted)}`);
      if (mine !== turn) return;
      programs = answer.programs;
      problem.hidden = true;
    } catch (error) {
      if (mine !== turn) return;
      loaded = "";
      programs = [];
      write(reason, words(error));
      problem.hidden = false;
      if (!(error instanceof ApiError)) throw error;
    }
    draw(wanted);
  }

  /** @param {string} wanted */
  function draw(wanted) {
    write(which, say("page.export.code_about", { file: wanted }));
    const focused = tablist.contains(document.activeElement);
    const tabs = programs.map(({ id, title }) =>
      make("button", { type: "button", className: "t-program-tab", role: "tab", id: `t-program-${id}`, "aria-controls": "t-program", "data-testid": `tab-${id}`, on: { click: () => select(id) } }, title),
    );
    const fresh = make("div", { className: "t-programs", role: "tablist", "aria-label": say("page.export.programs") }, ...tabs);
    arrowKeys(fresh, tabs);
    tablist.replaceWith(fresh);
    tablist = fresh;
    panel.hidden = !programs.length;
    if (!programs.some(({ id }) => id === chosen)) chosen = programs[0]?.id ?? "";
    select(chosen);
    if (focused) document.getElementById(`t-program-${chosen}`)?.focus();
    element.dataset.ready = "true";
  }

  /** @param {string} id */
  function select(id) {
    const program = programs.find((one) => one.id === id);
    if (!program) return;
    chosen = id;
    for (const tab of tablist.children) {
      const wanted = tab.id === `t-program-${id}`;
      tab.setAttribute("aria-selected", String(wanted));
      /** @type {HTMLElement} */ (tab).tabIndex = wanted ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `t-program-${id}`);
    write(about, program.about);
    write(badge, say(program.tested ? "page.export.run" : "page.export.not_run_here"));
    badge.classList.toggle("t-badge-good", program.tested);
    installing.hidden = !program.install;
    install.show(program.install);
    write(name, program.file);
    write(code, program.code);
    pre.scrollTo(0, 0);
    URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([program.code], { type: "text/plain" }));
    save.href = address;
    save.download = program.file;
  }

  return {
    element,
    /** It is looked at: the programs are fetched, unless those of this file are there. */
    show() {
      open = true;
      if (loaded !== file()) void load();
    },
    hide() {
      open = false;
    },
    /** Names of classes may have changed. */
    renew() {
      loaded = "";
      if (open) void load();
    },
    close() {
      turn += 1;
      URL.revokeObjectURL(address);
    },
  };
}
