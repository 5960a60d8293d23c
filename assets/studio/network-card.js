/** One network in the list: what it is good for, its figures, and what can be done with it. */

import { ApiError } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { cancelInstallation, fetchNetwork, installing, removeNetwork, switching, switchNetwork, training } from "./networks.js";
import { installationBar } from "./network-progress.js";
import { words } from "./project.js";
import { state } from "./store.js";
import { measured, megabytes, say } from "./words.js";

/** @typedef {import("./types.d.ts").NetworkInfo} NetworkInfo */

/**
 * @param {string} id
 * @param {{ switched: () => void }} options called when a training with this network has begun
 * @returns {{ element: HTMLElement, update: (info: NetworkInfo) => void }}
 */
export function networkCard(id, { switched }) {
  const title = make("h3", { className: "t-network-title", dir: "auto" });
  const badges = {
    in_use: badge("t-badge-strong", "page.network.in_use"),
    recommended: badge("t-badge-good", "page.network.recommended"),
    here: badge("", "page.network.here"),
    absent: badge("t-badge-warm", "page.network.absent_mark"),
  };
  const about = make("p", { className: "t-muted" });
  const size = fact("page.network.size");
  const accuracy = fact("page.network.accuracy");
  const native = fact("page.network.native");
  const browser = fact("page.network.browser");
  const facts = make("dl", { className: "t-facts" }, size.element, accuracy.element, native.element, browser.element);
  const code = make("code", { dir: "ltr", "data-testid": "network-file" });
  const file = make("p", { className: "t-muted t-network-file" }, `${say("page.network.file")} `, code);

  const use = button({ look: "soft", text: " ", testid: "network-use", press: () => attempt(choose) });
  const fetch = button({ look: "soft", text: " ", testid: "network-fetch", press: () => attempt(() => fetchNetwork(id)) });
  const remove = button({ look: "ghost", text: say("page.network.remove"), testid: "network-remove", press: () => ask(say(`page.network.remove_${info?.origin ?? "official"}`, { title: info?.title }), false) });
  const bar = installationBar();
  const cancel = button({ look: "ghost", text: say("page.network.cancel"), testid: "network-cancel-here", press: () => attempt(cancelInstallation) });
  const actions = make("div", { className: "t-network-actions" }, use, fetch, bar.element, cancel, remove);

  const question = make("p", { id: `t-network-question-${id}` });
  const yes = button({ look: "soft", text: " ", testid: "network-remove-yes", press: () => attempt(take) });
  const no = button({ look: "ghost", text: say("page.network.keep"), testid: "network-keep", press: () => settle(true) });
  const sure = make("div", { className: "t-notice t-network-more", role: "group", hidden: true, "data-testid": "network-sure" }, icon("warning"), make("div", {}, question, make("div", { className: "t-actions" }, yes, no)));
  const reason = make("p", {});
  const problem = make("div", { className: "t-notice t-notice-problem t-network-more", role: "alert", hidden: true, "data-testid": "network-problem" }, icon("warning"), reason);
  const element = make(
    "li",
    { className: "t-network", "data-testid": "network", "data-id": id },
    make("div", { className: "t-network-text" }, make("div", { className: "t-network-head" }, title, ...Object.values(badges)), about, facts, file),
    actions,
    sure,
    problem,
  );
  const titleId = `t-network-${id}`;
  title.id = titleId;
  element.setAttribute("aria-labelledby", titleId);
  no.setAttribute("aria-describedby", question.id);

  /** @type {NetworkInfo | null} */
  let info = null;
  /** Whether projects are taught with it and it is to go all the same. */
  let anyway = false;
  /** What went wrong with what was pressed here last. */
  let trouble = "";

  /** @param {() => Promise<unknown>} action */
  async function attempt(action) {
    trouble = "";
    try {
      await action();
    } catch (error) {
      if (error instanceof ApiError && error.key === "network_used") return ask(error.message, true);
      trouble = words(error);
    }
    return info && update(info);
  }

  async function choose() {
    await switchNetwork(id);
    if (training()) switched();
  }

  async function take() {
    const dialog = element.closest("dialog");
    await removeNetwork(id, anyway);
    settle(true);
    // One that was imported has left the list.
    if (!element.isConnected) dialog?.querySelector("button")?.focus();
  }

  /**
   * @param {string} text
   * @param {boolean} used
   */
  function ask(text, used) {
    anyway = used;
    write(question, text);
    write(/** @type {Element} */ (yes.lastElementChild), say(used ? "page.network.remove_anyway" : "page.network.remove_yes"));
    sure.hidden = false;
    no.focus({ preventScroll: true });
    sure.scrollIntoView({ block: "nearest" });
  }

  /** @param {boolean} focus where it was before the question */
  function settle(focus) {
    sure.hidden = true;
    if (focus) [remove, fetch, use].find(pressable)?.focus({ preventScroll: true });
  }

  /** @param {NetworkInfo} now */
  function update(now) {
    info = now;
    const networks = state.networks;
    const project = state.status?.network;
    // Files that people bring can have one name and nothing else in common.
    const inUse = project?.id === id && (!now.fingerprint || project.fingerprint === now.fingerprint);
    const running = installing();
    const mine = running?.id === id;
    const focused = document.activeElement;
    write(title, now.title);
    badges.in_use.hidden = !inUse;
    badges.recommended.hidden = !now.recommended;
    badges.here.hidden = !now.present || inUse;
    badges.absent.hidden = now.present || !inUse;
    write(about, now.description);
    showFacts(now);
    write(code, now.file);
    file.hidden = !now.file || now.present;

    const offer = project?.offer?.id === id ? project.offer : null;
    const retrain = offer?.retrain ?? Boolean(state.status?.model);
    label(use, retrain ? switching(offer?.seconds ?? null) : say("page.network.use"));
    use.classList.toggle("t-filled", offer !== null);
    use.hidden = !now.present || (inUse && project.present);
    explain(use, now.title, training() ? say("page.network.busy_training") : "");

    const last = networks?.installation;
    const failed = last?.state === "failed" && last.id === id;
    label(fetch, say(failed ? "page.network.fetch_again_size" : "page.network.fetch", { size: megabytes(now.download_bytes) }));
    fetch.hidden = now.present || mine || !now.file || networks?.offline !== false;
    fetch.classList.toggle("t-filled", now.recommended);
    explain(fetch, now.title, running ? say("page.network.busy", { title: running.title }) : "");

    bar.element.hidden = cancel.hidden = !mine;
    if (running && mine) bar.show(running);
    remove.hidden = !now.present || now.origin === "builtin";
    if (!now.present) settle(false);

    const text = trouble || (failed ? (last.message ?? "") : "");
    write(reason, text);
    problem.hidden = !text || mine;
    // A button that gives way to another hands the focus on.
    if (focused instanceof HTMLButtonElement && actions.contains(focused) && !pressable(focused)) [cancel, use, fetch].find(pressable)?.focus({ preventScroll: true });
  }

  /** @param {NetworkInfo} now */
  function showFacts(now) {
    size.show(say("page.network.megabytes", { size: megabytes(now.size_bytes) }), say("page.network.size_hint"));
    if (now.accuracy === null) accuracy.show("–", say("page.network.accuracy_none"));
    else accuracy.show(say("page.network.accuracy_value", { count: Math.round(now.accuracy) }), say("page.network.accuracy_hint", { percent: measured(now.accuracy), source: now.source }));
    native.show(...time(now.native_ms, now.native_factor, now.origin));
    browser.show(...time(now.browser_ms, now.browser_factor, now.origin));
  }

  return { element, update };
}

/**
 * A time, measured here or compared with the built-in network, and what is said about it.
 * @param {number | null} milliseconds
 * @param {number | null} factor
 * @param {NetworkInfo["origin"]} origin
 * @returns {[string, string]}
 */
function time(milliseconds, factor, origin) {
  if (milliseconds !== null) return [say("page.network.milliseconds", { time: measured(milliseconds) }), say("page.network.measured_hint")];
  if (origin === "builtin") return [say("page.network.factor_one"), say("page.network.factor_one_hint")];
  if (factor === null) return ["–", say("page.network.time_none")];
  const value = { factor: factor < 3 ? factor : Math.round(factor) };
  return [say("page.network.factor", value), say("page.network.factor_hint", value)];
}

/**
 * @param {string} look
 * @param {string} key
 */
function badge(look, key) {
  return make("span", { className: `t-badge ${look}`, hidden: true }, say(key));
}

/** @param {string} key of what the figure is */
function fact(key) {
  const value = make("dd", {});
  return {
    element: make("div", {}, make("dt", {}, say(key)), value),
    /**
     * @param {string} text
     * @param {string} hint
     */
    show(text, hint) {
      write(value, text);
      value.title = hint;
    },
  };
}

/**
 * @param {HTMLButtonElement} control
 * @param {string} text
 */
function label(control, text) {
  write(/** @type {Element} */ (control.lastElementChild), text);
}

/**
 * Switch a button off with the reason, or on.
 * @param {HTMLButtonElement} control
 * @param {string} about which network it is for: one button looks like the other
 * @param {string} why
 */
function explain(control, about, why) {
  control.disabled = why !== "";
  control.title = why;
  control.setAttribute("aria-description", why ? `${about}. ${why}` : about);
}

/** @param {HTMLButtonElement} control */
function pressable(control) {
  return !control.hidden && !control.disabled;
}
