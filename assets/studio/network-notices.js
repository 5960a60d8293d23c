/**
 * Below the Training column: which network is in use, and at most one notice about networks. It owns which notice that
 * is; what the person has put aside is `network-aside.js`, fetching and switching are `networks.js`.
 */

import { button, icon, make, write } from "./dom.js";
import { cancelInstallation, dismissRenewal, fetchNetwork, findNetwork, installing, startNetworks, switching, switchNetwork, training } from "./networks.js";
import { failureId, isAside, offerId, putAside } from "./network-aside.js";
import { installationBar, installationTitle } from "./network-progress.js";
import { words } from "./project.js";
import { state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { megabytes, say } from "./words.js";

/** @typedef {import("./types.d.ts").Status} Status */

/**
 * @typedef {{ text: string, press: () => unknown, look?: string, testid: string, waits?: boolean }} Action
 *   `waits`: not while a training runs
 * @typedef {{ id: string, progress?: boolean, title: string, lines: string[], small?: string, actions: Action[] }} Notice
 */

/** @param {import("./types.d.ts").Mount} place */
export function mountNetwork({ element }) {
  const title = make("span", { className: "t-strong", dir: "auto", "data-testid": "network-in-use" });
  const mark = make("span", { className: "t-muted", "data-testid": "network-absent", hidden: true }, say("page.network.absent_mark"));
  const change = button({ text: say("page.network.change"), look: "ghost", testid: "network-change", press: () => openDialog() });
  change.setAttribute("aria-haspopup", "dialog");
  change.setAttribute("aria-label", say("page.network.change_label"));
  const line = make(
    "div",
    { className: "t-network-line" },
    make("div", {}, make("span", { className: "t-muted" }, say("page.network.label")), title, mark),
    change,
  );
  const spoken = make("div", { role: "status" });
  const bar = installationBar();
  const actions = make("div", { className: "t-actions" });
  const notice = make("div", { className: "t-notice t-network-notice", hidden: true, "data-testid": "network-notice" }, spoken, bar.element, actions);
  const root = make("div", { className: "t-root t-network-area", "data-testid": "network-area" }, line, notice);
  element.replaceChildren(root);

  /** The notice that is shown, by its words: it is built anew only when they change. */
  let drawn = "";
  /** @type {Array<[HTMLButtonElement, Action]>} */
  let pressable = [];
  let opening = false;

  /** @param {{ bring?: boolean }} [options] */
  async function openDialog(options) {
    if (opening) return;
    opening = true;
    try {
      const { openNetworks } = await import("./network-dialog.js");
      openNetworks({ ...options, closed: () => document.activeElement === document.body && change.focus() });
    } catch (error) {
      tell(words(error), "problem");
    } finally {
      opening = false;
    }
  }

  /** @param {Action} action */
  function act({ text, press, look = "soft", testid, waits = false }) {
    const made = button({
      text,
      look,
      testid,
      press: async () => {
        try {
          await press();
        } catch (error) {
          tell(words(error), "problem");
        }
        update();
      },
    });
    pressable.push([made, { text, press, testid, waits }]);
    return made;
  }

  /** @param {Notice | null} wanted */
  function draw(wanted) {
    const key = wanted ? JSON.stringify([wanted.id, wanted.title, wanted.lines, wanted.small, wanted.actions.map(({ text }) => text)]) : "";
    if (key !== drawn) {
      // Nothing moves away from under a pointer: what is new waits until it is elsewhere.
      if (!drawn && pointerBelow(root)) return;
      drawn = key;
      const focused = notice.contains(document.activeElement);
      pressable = [];
      notice.hidden = !wanted;
      if (wanted) {
        notice.dataset.kind = wanted.id.split(" ")[0];
        const title = make("p", { className: "t-notice-title" }, icon(wanted.progress ? "download" : "info"), make("span", {}, wanted.title));
        const small = wanted.small ? make("p", { className: "t-muted" }, wanted.small) : "";
        spoken.replaceChildren(title, ...wanted.lines.map((text) => make("p", {}, text)), small);
        actions.replaceChildren(...wanted.actions.map(act));
      }
      if (focused) change.focus({ preventScroll: true });
    }
    bar.element.hidden = !wanted?.progress;
    notice.toggleAttribute("data-progress", wanted?.progress === true);
    const now = installing();
    if (now) bar.show(now);
    for (const [made, { waits }] of pressable) {
      const focused = document.activeElement === made;
      made.disabled = Boolean(waits) && training();
      // A button that is switched off would lose the keyboard.
      if (focused && made.disabled) change.focus({ preventScroll: true });
      made.title = made.disabled ? say("page.network.busy_training") : "";
    }
  }

  function update() {
    const status = state.problem ? null : state.status;
    const network = status?.network;
    write(title, network?.title ?? "");
    mark.hidden = network?.present !== false;
    draw(status ? choose(status, { bring: () => openDialog({ bring: true }) }) : null);
  }

  subscribe(["status", "networks", "problem"], update);
  update();
  startNetworks();
  return root;
}

/**
 * Which notice is to be shown: the most pressing one that has not been put aside.
 * @param {Status} status
 * @param {{ bring: () => unknown }} ways
 * @returns {Notice | null}
 */
function choose(status, { bring }) {
  const { network, model } = status;
  const project = state.project?.id ?? "";
  // Why a network did not come is said before that it is missing, else pressing “Fetch” would seem to do nothing.
  const found = [progress(), failure(), missing(), renewal(), offer()];
  return found.find((notice) => notice !== null && !isAside(notice.id)) ?? null;

  /** @returns {Notice | null} */
  function progress() {
    const now = installing();
    if (!now) return null;
    const id = `progress ${now.started}`;
    const cancel = { text: say("page.network.cancel"), look: "ghost", testid: "network-cancel", press: stop };
    return { id, progress: true, title: installationTitle(now), lines: [say("page.network.meanwhile")], actions: [cancel] };
  }

  async function stop() {
    await cancelInstallation();
    if (state.networks?.installation.state === "cancelled") tell(say("page.network.cancelled"));
  }

  /** @returns {Notice | null} */
  function missing() {
    if (network.present) return null;
    const known = findNetwork(network.id);
    /** @type {Action[]} */
    const actions = [];
    if (network.offer) {
      const { id, title, retrain } = network.offer;
      const text = say(retrain ? "page.network.instead_retrain" : "page.network.instead", { title });
      actions.push({ text, testid: "network-instead", waits: true, press: () => switchNetwork(id) });
    }
    if (known?.file && !state.networks?.offline) {
      const text = say("page.network.fetch", { size: megabytes(known.download_bytes) });
      actions.unshift({ text, look: "soft t-filled", testid: "network-fetch-missing", press: () => fetchNetwork(network.id) });
    }
    actions.push({ text: say("page.network.bring"), look: "ghost", testid: "network-bring", press: bring });
    const lines = [say(model ? "page.network.missing_model" : "page.network.missing_new")];
    return { id: `missing ${network.id}`, title: say("page.network.missing", { title: network.title }), lines, actions };
  }

  /** @returns {Notice | null} */
  function failure() {
    const failed = state.networks?.installation;
    if (failed?.state !== "failed") return null;
    const known = findNetwork(failed.id);
    // It came another way since.
    if (known?.present) return null;
    const title = failed.title ?? "";
    const id = failureId(failed);
    const lines = network.present ? [say("page.network.uses", { title: network.title })] : [];
    /** @type {Action[]} */
    const actions = [];
    function heading() {
      if (!failed?.id) return say("page.network.import_failed", { title });
      return say(failed.id === state.networks?.recommended ? "page.network.failed_stronger" : "page.network.failed", { title });
    }
    if (known?.file) actions.push({ text: say("page.network.fetch_again"), testid: "network-again", press: () => fetchNetwork(known.id) });
    actions.push({ text: say("page.network.bring"), look: known?.file ? "ghost" : "soft", testid: "network-bring", press: bring });
    actions.push({ text: say("page.network.ok"), look: "ghost", testid: "network-ok", press: () => putAside(id) });
    return { id, title: heading(), lines, small: failed.message ?? "", actions };
  }

  /** @returns {Notice | null} */
  function renewal() {
    if (!network.renewed) return null;
    const ok = { text: say("page.network.ok"), testid: "network-ok", press: dismissRenewal };
    const lines = [say(model ? "page.network.renewed_model" : "page.network.renewed_photos")];
    return { id: `renewed ${project}`, title: say("page.network.renewed", { title: network.title }), lines, actions: [ok] };
  }

  /** @returns {Notice | null} */
  function offer() {
    if (!network.offer) return null;
    const { id: wanted, title, seconds, retrain } = network.offer;
    const id = offerId(project, wanted);
    const lines = [say(retrain ? "page.network.offer_model" : "page.network.offer_new")];
    const text = retrain ? switching(seconds) : say("page.network.use_it");
    const actions = [
      { text, look: "soft t-filled", testid: "network-switch", waits: true, press: () => switchNetwork(wanted) },
      { text: say("page.network.later"), look: "ghost", testid: "network-later", press: () => putAside(id) },
    ];
    return { id, title: say("page.network.offer", { title }), lines, actions };
  }
}

/**
 * Whether the mouse rests on something that a new notice would push down.
 * @param {HTMLElement} area
 */
function pointerBelow(area) {
  const column = document.getElementById("studio-preview");
  if (!column?.matches(":hover") || !matchMedia("(hover: hover)").matches) return false;
  return column.getBoundingClientRect().top >= area.getBoundingClientRect().bottom;
}
