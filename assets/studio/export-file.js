/**
 * One file of a format: preparing it, how far that is, why it cannot be had, or its download with what is known of it.
 *
 * The model file itself was written and checked when the training ended: it is here at once, and is not made again.
 */

import { exportUrl, modelUrl } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { checkBox, points } from "./export-check.js";
import { commandLine, quoted } from "./export-copy.js";
import { going, isModel } from "./export-store.js";
import { state } from "./store.js";
import { megabytes, percent, say } from "./words.js";

/** @typedef {import("./types.d.ts").Format} Format */
/** @typedef {import("./types.d.ts").Made} Made */

/** After so long it is said how long it has been. */
const LONG_SECONDS = 5;

/**
 * How a file stands for who looks at it. `missing`: something has to be installed. `checking`: the model is not ready.
 * @typedef {"missing" | "checking" | "ask" | "cancelled" | "going" | "problem" | "done"} Standing
 */

/**
 * @param {import("./export-store.js").ExportStore} store
 * @param {string} format
 */
export function filePanel(store, format) {
  let variant = "";
  const spoken = make("p", { className: "t-spoken", role: "status", "data-testid": "export-spoken" });
  const command = commandLine({ testid: "export-command", label: say("page.export.command") });
  const missing = make("div", { className: "t-export-missing", "data-testid": "export-missing" }, make("p", {}, say("page.export.missing")), command.element);

  const wait = make("p", { className: "t-muted", "data-testid": "export-wait" });
  const prepare = button({ text: say("page.export.prepare"), look: "primary", testid: "export-prepare", press: begin });
  const asking = make("div", { className: "t-export-ask" }, prepare, wait);

  const doing = make("span", { "data-testid": "export-doing" });
  const share = make("span", { className: "t-number" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.export.progress") });
  const cancel = button({ text: say("page.export.cancel"), look: "ghost", testid: "export-cancel", press: () => store.cancel(format, variant) });
  const long = make("p", { className: "t-muted", "data-testid": "export-long" });
  const foot = make("div", { className: "t-between" }, long, cancel);
  const progress = make("div", { className: "t-export-progress", "data-testid": "export-progress" }, make("div", { className: "t-between" }, doing, share), bar, foot);

  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "soft", testid: "export-again", press: begin });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", "data-testid": "export-problem" }, icon("warning"), make("div", {}, reason, make("div", { className: "t-actions" }, again)));

  const link = make("a", { className: "t-button t-primary", download: "", "data-testid": "download-model" }, icon("download"), make("span", {}, say("page.export.download")));
  const file = make("span", { className: "t-muted", "data-testid": "model-file" });
  const download = make("div", { className: "t-export-download" }, link, file);
  const check = checkBox();

  const element = make("div", { className: "t-export-file", "data-testid": "export-file" }, missing, asking, progress, problem, download, check.element, spoken);
  /** @type {Standing | null} */
  let shown = null;
  let shownFile = "";

  function begin() {
    store.start(format, variant);
  }

  /**
   * @param {Format} about
   * @param {Made} made the chosen one of its variants
   * @param {boolean} open somebody looks at it: a quick one is made without being asked
   */
  function update(about, made, open) {
    variant = made.id;
    const own = isModel(about, made);
    if (open && made.quick && standing(about, made)[0] === "ask") store.startOnce(format, variant);
    const [now, words] = standing(about, made);
    const hadFocus = element.contains(document.activeElement);
    missing.hidden = now !== "missing";
    asking.hidden = now !== "ask" && now !== "cancelled" && now !== "checking";
    progress.hidden = now !== "going";
    problem.hidden = now !== "problem";
    download.hidden = now !== "done";
    prepare.hidden = now === "checking";
    command.show(about.command ?? "");
    write(wait, words);
    const why = now === "problem" ? words : "";
    if (reason.dataset.said !== why) reason.replaceChildren(...quoted(why).parts);
    reason.dataset.said = why;
    // What was found wrong with a file is found again, until another model is trained.
    again.parentElement?.toggleAttribute("hidden", made.state === "refused" || own || !about.fits);
    if (now === "going") showProgress(made);
    if (now === "done") showDownload(made, own);
    else check.hide();

    const name = `${format}/${variant}`;
    if (shownFile === name && shown !== now) {
      // What is said of one file is news; what is said of another is read where it stands.
      write(spoken, now === "done" ? say("page.export.ready", { file: made.file }) : now === "going" ? say("page.export.preparing") : "");
      if (hadFocus && !element.contains(pressable(document.activeElement))) [link, cancel, prepare, again].find(pressable)?.focus({ preventScroll: true });
    } else if (shownFile !== name) write(spoken, "");
    shown = now;
    shownFile = name;
    element.dataset.state = now;
    element.dataset.variant = made.id;
  }

  /**
   * @param {Format} about
   * @param {Made} made
   * @returns {[Standing, string]} how it stands, and the words to it
   */
  function standing(about, made) {
    const refusal = store.refusal(format, variant);
    const model = state.status?.model;
    if (isModel(about, made) && model?.agreement && !model.checking) {
      const { agreeing, total, largest_difference: difference } = model.agreement;
      return agreeing === total ? ["done", ""] : ["problem", say("page.export.differs", { count: total - agreeing, total, difference: points(difference) })];
    }
    if (about.command) return ["missing", ""];
    if (!about.fits) return ["problem", say("page.export.unfit")];
    if (made.state === "done") return ["done", ""];
    if (going(made) || store.starting(format, variant)) return ["going", ""];
    if (refusal) return ["problem", refusal];
    if (made.state === "refused" || made.state === "failed") return ["problem", made.message ?? say("page.error.unexpected")];
    if (store.known?.checking) return ["checking", say("page.export.checking")];
    if (made.state === "cancelled") return ["cancelled", say("page.export.cancelled")];
    return ["ask", [made.message ?? "", made.quick ? "" : say("page.export.slow")].filter(Boolean).join(" ")];
  }

  /** @param {Made} made */
  function showProgress({ state: phase, fraction, seconds, quick }) {
    const running = phase === "running";
    const queued = phase === "waiting";
    write(doing, say(queued ? "page.export.waiting" : "page.export.preparing"));
    // Not read out: it would be said anew every second.
    const spent = running && (seconds ?? 0) >= LONG_SECONDS ? say("page.export.elapsed", { seconds: Math.floor(seconds ?? 0) }) : "";
    write(share, [spent, running ? percent(fraction) : ""].filter(Boolean).join(" · "));
    write(long, [quick ? "" : say("page.export.slow"), say("page.export.goes_on")].filter(Boolean).join(" "));
    if (running && fraction > 0) bar.value = fraction;
    else bar.removeAttribute("value");
  }

  /**
   * @param {Made} made
   * @param {boolean} own
   */
  function showDownload(made, own) {
    const agreement = own ? state.status?.model?.agreement : null;
    link.href = agreement ? modelUrl(store.project) : exportUrl(store.project, format, made.id);
    const name = make("span", { dir: "ltr" }, made.file);
    if (made.size_bytes === null) file.replaceChildren(name);
    else file.replaceChildren(name, ", ", say("page.network.megabytes", { size: megabytes(made.size_bytes) }));
    if (agreement) check.showAgreement(agreement);
    else check.showMade(made);
  }

  return { element, update };
}

/** @param {Element | null} control */
function pressable(control) {
  return control instanceof HTMLElement && control.getClientRects().length > 0 && !(control instanceof HTMLButtonElement && control.disabled) ? control : null;
}
