/** The dialog with all networks: choosing, fetching, removing and bringing one, and comparing those that are here. */

import { arrange, arrowKeys, button, icon, make, write } from "./dom.js";
import { failureId, putAside } from "./network-aside.js";
import { networkCard } from "./network-card.js";
import { comparisonPanel } from "./network-comparison.js";
import { cancelInstallation, chooseAutomatic, importNetwork, installing, refreshNetworks } from "./networks.js";
import { installationBar, installationTitle } from "./network-progress.js";
import { words } from "./project.js";
import { state, subscribe } from "./store.js";
import { say } from "./words.js";

/** Endings of the files that can be brought. */
const KINDS = ".pth,.onnx,.safetensors";
const TABS = /** @type {const} */ (["list", "compare"]);

/**
 * Open the dialog.
 * @param {{ bring?: boolean, closed?: () => void }} [options] `bring`: begin where a file can be brought
 */
export function openNetworks({ bring = false, closed } = {}) {
  /** @type {Map<string, ReturnType<typeof networkCard>>} */
  const cards = new Map();
  const close = button({ icon: "close", label: say("page.close"), testid: "networks-close", press: () => dialog.close() });
  const offline = make("p", { className: "t-notice t-calm", hidden: true, "data-testid": "networks-offline" }, icon("info"), say("page.network.offline"));
  const list = make("ul", { className: "t-networks", "data-testid": "network-list" });
  const bringing = bringFile();
  const automatic = make("input", { type: "checkbox", className: "t-tick", "data-testid": "networks-automatic" });
  const automaticRow = make("label", { className: "t-tick-row" }, automatic, make("span", {}, say("page.network.automatic")));
  const refused = make("p", { className: "t-muted", role: "alert" });
  const choosing = make(
    "div",
    { className: "t-networks-panel", id: "t-networks-list", role: "tabpanel", "aria-labelledby": "t-networks-tab-list" },
    make("p", {}, say("page.network.about")),
    offline,
    list,
    make("p", { className: "t-muted" }, say("page.network.footnote")),
    bringing.element,
    automaticRow,
    refused,
  );
  const comparing = comparisonPanel({ switched: () => finish() });
  comparing.element.id = "t-networks-compare";
  comparing.element.setAttribute("aria-labelledby", "t-networks-tab-compare");
  const panels = { list: choosing, compare: comparing.element };
  const tabs = TABS.map((name) =>
    make(
      "button",
      { type: "button", className: "t-tab", role: "tab", id: `t-networks-tab-${name}`, "aria-controls": `t-networks-${name}`, "data-testid": `networks-tab-${name}`, on: { click: () => select(name) } },
      say(`page.network.tab_${name}`),
    ),
  );
  const tablist = make("div", { className: "t-tabs", role: "tablist", "aria-label": say("page.network.title") }, ...tabs);
  const sheet = make(
    "div",
    { className: "t-networks-sheet" },
    make("header", { className: "t-dialog-head" }, make("h2", { className: "t-dialog-title" }, say("page.network.title")), close),
    tablist,
    choosing,
    comparing.element,
  );
  const dialog = make("dialog", { className: "t-root t-dialog t-networks-dialog", "data-testid": "networks-dialog", "data-project": state.project?.id, "aria-label": say("page.network.title") }, sheet);

  /** @param {typeof TABS[number]} wanted */
  function select(wanted) {
    TABS.forEach((name, index) => {
      const tab = tabs[index];
      tab?.setAttribute("aria-selected", String(name === wanted));
      if (tab) tab.tabIndex = name === wanted ? 0 : -1;
      panels[name].hidden = name !== wanted;
    });
    if (wanted === "compare") comparing.open();
  }

  arrowKeys(tablist, tabs);

  automatic.addEventListener("change", async () => {
    write(refused, "");
    try {
      await chooseAutomatic(automatic.checked);
    } catch (error) {
      write(refused, words(error));
      automatic.checked = !automatic.checked;
    }
  });

  /** A training with another network has begun: it is watched in the page, not here. */
  function finish() {
    dialog.close();
    document.querySelector("[data-testid=train-status]")?.scrollIntoView({ block: "nearest" });
  }

  function update() {
    const networks = state.networks;
    if (!networks) return;
    offline.hidden = !networks.offline;
    // Offline it would say what cannot happen.
    automaticRow.hidden = networks.offline;
    automatic.checked = networks.automatic;
    const elements = networks.networks.map((info) => {
      const card = cards.get(info.id) ?? networkCard(info.id, { switched: finish });
      cards.set(info.id, card);
      card.update(info);
      return card.element;
    });
    arrange(list, elements);
    // It is said here, where it was asked for; the page need not say it again.
    if (networks.installation.state === "failed") putAside(failureId(networks.installation));
    bringing.update();
    comparing.update();
  }

  dialog.addEventListener("dragover", (event) => {
    event.preventDefault();
    dialog.toggleAttribute("data-drop", true);
  });
  dialog.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node && dialog.contains(event.relatedTarget))) dialog.removeAttribute("data-drop");
  });
  dialog.addEventListener("drop", (event) => {
    event.preventDefault();
    dialog.removeAttribute("data-drop");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    select("list");
    void bringing.take(files);
  });

  const unsubscribe = subscribe(["networks", "status"], update);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    unsubscribe();
    comparing.close();
    dialog.remove();
    closed?.();
  });
  select("list");
  update();
  document.body.append(dialog);
  dialog.showModal();
  if (bring) bringing.focus();
  void refreshNetworks().then(() => (dialog.dataset.ready = "true"));
}

/** Where a file can be brought, and what becomes of it. */
function bringFile() {
  const chooser = make("input", { type: "file", accept: KINDS, hidden: true, tabIndex: -1, "data-testid": "network-input" });
  const choose = button({ icon: "folder", text: say("page.network.bring"), look: "soft", testid: "network-choose", press: () => chooser.click() });
  const said = make("p", {});
  const bar = installationBar();
  const cancel = button({ text: say("page.network.cancel"), look: "ghost", testid: "network-cancel-import", press: () => void stop() });
  const work = make("div", { className: "t-network-import" }, bar.element, cancel);
  const report = make("div", { className: "t-notice t-calm", hidden: true, "data-testid": "network-report" }, icon("info"), make("div", {}, make("div", { role: "status" }, said), work));
  const element = make(
    "section",
    { className: "t-bring" },
    make("h3", { className: "t-network-title" }, say("page.network.bring_title")),
    make("p", { className: "t-muted" }, say("page.network.bring_about")),
    make("div", { className: "t-actions" }, choose, chooser),
    report,
  );
  /** When the installation began that a file was brought for here. @type {number | null} */
  let mine = null;
  let sending = false;

  chooser.addEventListener("change", () => {
    void take([...(chooser.files ?? [])]);
    chooser.value = "";
  });

  /** @param {File[]} files */
  async function take([file, ...others]) {
    if (!file || sending) return;
    const running = installing();
    mine = null;
    if (running) tell("problem", say("page.network.busy", { title: running.title }));
    else if (others.length) tell("problem", say("error.one_network_file"));
    else tell("note", say("page.network.sending", { name: file.name }));
    report.scrollIntoView({ block: "nearest" });
    if (running || others.length) return;
    sending = true;
    try {
      await importNetwork(file);
      mine = state.networks?.installation.started ?? null;
    } catch (error) {
      tell("problem", words(error));
    }
    sending = false;
    update();
  }

  async function stop() {
    try {
      await cancelInstallation();
    } catch (error) {
      tell("problem", words(error));
    }
  }

  /**
   * @param {"note" | "problem"} kind
   * @param {string} text
   */
  function tell(kind, text) {
    report.hidden = false;
    report.classList.toggle("t-notice-problem", kind === "problem");
    write(said, text);
  }

  function update() {
    const running = installing();
    const now = state.networks?.installation;
    choose.disabled = sending || running !== null;
    choose.title = running ? say("page.network.busy", { title: running.title }) : "";
    const going = running !== null && running.started === mine;
    work.hidden = !going;
    if (!now || now.started !== mine || sending) return;
    if (going) {
      tell("note", installationTitle(running));
      bar.show(running);
    } else if (now.state === "failed") tell("problem", now.message ?? "");
    else if (now.state === "done") tell("note", say("page.network.imported", { title: now.title }));
    else report.hidden = true;
  }

  return {
    element,
    take,
    update,
    focus() {
      choose.focus();
      element.scrollIntoView({ block: "center" });
    },
  };
}
