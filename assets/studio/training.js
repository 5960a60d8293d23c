/**
 * Below the Train button: why it cannot run yet, how far it is, and what is honestly known when it ends.
 *
 * The button itself is Gradio's; this tells it when to be pressable (`train-button.js`) and Python when a new model is
 * there to draw its curves.
 */

import { explain, request } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { beforeAndNow } from "./network-before.js";
import { words } from "./project.js";
import { openHood } from "./report-section.js";
import { settingsReady } from "./settings.js";
import { askNow, expectNoTraining, expectTraining } from "./status.js";
import { findClass, state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { openVersions } from "./versions.js";
import { decimal, end, list, percent, say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Status} Status */
/** @typedef {import("./types.d.ts").ModelStatus} ModelStatus */

/** @param {import("./types.d.ts").Mount} place */
export function mountTraining({ element, trigger, props, watch }) {
  const reason = make("p", { className: "t-train-reason", "data-testid": "train-reason" });
  const phase = make("span", { "data-testid": "train-phase" });
  const share = make("span", { className: "t-number" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.train.progress") });
  const cancel = button({ text: say("page.train.cancel"), look: "ghost", testid: "train-cancel", press: stop });
  const progress = make("div", { className: "t-train-progress", hidden: true }, make("div", { className: "t-between" }, phase, share), bar, cancel);
  const time = make("p", { className: "t-strong", "data-testid": "train-seconds" });
  const figure = make("span", { className: "t-figure" });
  const detail = make("span", { className: "t-muted" });
  const why = button({ text: say("page.train.why"), look: "link", testid: "train-why", press: openHood });
  const summary = make("p", { className: "t-summary", "data-testid": "train-accuracy" }, figure, " ", detail, " ", why);
  const unjudged = make("p", { className: "t-muted", "data-testid": "train-unjudged" });
  const network = make("p", { className: "t-muted", "data-testid": "train-network" });
  const before = beforeAndNow();
  const versions = button({ icon: "versions", text: say("page.versions.title"), look: "ghost", testid: "versions-open", press: openVersions });
  const result = make(
    "div",
    { className: "t-result", hidden: true, "data-testid": "train-result" },
    make("div", { className: "t-result-head" }, icon("check"), time),
    summary,
    unjudged,
    network,
    before.element,
    versions,
  );
  const failed = make("p", {});
  const failure = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "train-failure" }, icon("warning"), failed);
  const backlog = make("p", { className: "t-muted t-backlog", "data-testid": "embedding" });
  const root = make(
    "div",
    { className: "t-root t-train", "data-testid": "train-status", "data-can-train": "false", "data-state": "idle" },
    make("div", { role: "status" }, reason, progress, result),
    failure,
    backlog,
  );
  element.replaceChildren(root);

  /** Cancel was pressed before the server had begun: it counts all the same, as soon as it has. */
  let stopping = false;
  async function stop() {
    stopping = state.starting;
    try {
      await request("DELETE", `/projects/${state.project?.id}/training`);
    } catch (error) {
      tell(words(error), "problem");
    }
    askNow();
  }

  // Gradio sends the press to Python; the page need not wait for that to show that it was heard. While a training runs
  // the button keeps the focus, and presses end here: a button that is disabled would lose it.
  const listen = (/** @type {MouseEvent} */ event) => {
    const pressed = event.target instanceof Element && event.target.closest("#train-button");
    if (!pressed) return;
    if (root.dataset.canTrain === "true") return expectTraining();
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener("click", listen, { capture: true });

  watch("value", () => {
    if (!props.value || !("refused" in props.value)) return;
    tell(props.value.refused, "problem");
    expectNoTraining();
  });

  /** @type {string | null} */
  let shownModel = null;
  let told = "";
  function update() {
    const status = state.status;
    const running = state.starting || status?.training.state === "running";
    const ready = !running && status?.ready.ok === true && !state.problem;
    const can = ready && settingsReady();
    if (stopping && !state.starting) {
      stopping = false;
      if (running) void stop();
    }
    // What a finished training said gives way to the progress of the next one: the place it took stays, nothing jumps.
    if (running && !root.style.minBlockSize) root.style.minBlockSize = `${root.offsetHeight}px`;
    if (!running) root.style.minBlockSize = "";
    const press = document.getElementById("train-button");
    // Where the fields are filled anew for a moment, the button keeps the focus, too.
    const busy = running || (ready && !can && press !== null && press === document.activeElement);
    root.dataset.canTrain = String(can);
    root.dataset.busy = String(busy);
    root.dataset.state = state.starting ? "starting" : (status?.training.state ?? "idle");
    press?.setAttribute("aria-disabled", String(!can));
    if (told !== `${can} ${busy}`) trigger("train_state");
    told = `${can} ${busy}`;
    // The button to cancel goes with the training; whoever pressed it is back where it began.
    if (!running && progress.contains(document.activeElement)) press?.focus({ preventScroll: true });

    write(reason, running || !status || status.ready.ok ? "" : explain(status.ready.key ?? "", status.ready.values, status.ready.message));
    reason.hidden = !reason.textContent;
    progress.hidden = !running;
    failure.hidden = running || status?.training.state !== "failed";
    write(failed, status?.training.message ?? "");
    if (!status) {
      result.hidden = true;
      write(backlog, "");
      return;
    }
    if (running) showProgress(status);
    showResult(running ? null : status.model, status);
    showBacklog(status, running);
    const model = `${state.project?.id} ${status.model?.id ?? ""}`;
    if (model !== shownModel) trigger("model_changed", { id: state.project?.id });
    shownModel = model;
  }

  /** @param {Status} status */
  function showProgress({ training, embedding: { done, total, failed: lost } }) {
    const going = training.state === "running";
    const { epoch, epochs } = training;
    if (!going || !training.phase) write(phase, say("page.train.starting"));
    else if (training.phase === "embedding" && done + lost < total) write(phase, say("page.train.backlog", { done, total }));
    else write(phase, say(`page.train.phase.${training.phase}`, { epoch, epochs }));
    write(share, going ? percent(training.fraction) : "");
    bar.value = going ? training.fraction : 0;
  }

  /**
   * @param {ModelStatus | null} model
   * @param {Status} status
   */
  function showResult(model, { training }) {
    result.hidden = !model;
    if (!model) return;
    const cancelled = training.state === "cancelled";
    write(time, say(cancelled ? "page.train.kept" : "page.train.done", { seconds: decimal(model.seconds), count: model.samples }));
    write(network, say("page.train.network", { title: model.backbone.title }));
    network.hidden = before.show(model);
    const judged = model.accuracy !== null && model.held_out > 0;
    // Without a figure there is still the reason for that, and what to do about it.
    summary.hidden = !judged;
    write(/** @type {Element} */ (why.lastElementChild), say(judged ? "page.train.why" : "page.train.what_now"));
    // Moved only when it must be: what is moved loses the focus.
    if (judged && why.parentElement !== summary) summary.append(why);
    if (!judged && why.parentElement === summary) unjudged.after(why);
    if (judged) {
      const total = model.class_ids.length;
      write(figure, say("page.train.accuracy", { percent: stated(model.accuracy ?? 0) }));
      const values = { low: end(model.low ?? 0), high: end(model.high ?? 0), judged: total - model.unjudged.length, total };
      write(detail, say(model.unjudged.length ? "page.train.unseen_some" : "page.train.unseen", values));
    }
    const names = called(model.unjudged);
    unjudged.hidden = names.length === 0;
    if (!names.length) return;
    const lacking = say(judged ? "page.train.unjudged" : "page.train.unmeasured", { count: names.length, names: list(names) });
    // Who recorded twice would not understand the first half without the second.
    const merged = called(model.merged);
    write(unjudged, merged.length ? `${lacking} ${say("page.train.merged", { names: list(merged) })}` : lacking);
  }

  /** @param {string[]} ids of classes, of which some may be gone */
  function called(ids) {
    return ids.map((id) => findClass(id)?.name ?? "").filter(Boolean);
  }

  /**
   * @param {Status} status
   * @param {boolean} running
   */
  function showBacklog({ embedding, network }, running) {
    const { done, total, failed: lost } = embedding;
    // Without the network nobody looks at them.
    const left = network.present ? total - done - lost : 0;
    write(backlog, left > 0 && !running ? say("page.train.backlog", { done, total }) : "");
  }

  subscribe(["status", "project", "problem"], update);
  update();
  return root;
}
