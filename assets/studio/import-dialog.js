/**
 * The dialog of one file on its way into a project: being sent, looked into, agreed to, taken in, and how it ended.
 * Closing it stops nothing; `import-chip.js` opens it again.
 */

import { button, icon, make, write } from "./dom.js";
import { planForm } from "./import-plan.js";
import { dismiss, ENDED, imports, outcome, watch } from "./imports.js";
import { openProject, words } from "./project.js";
import { state, subscribe } from "./store.js";
import { percent, say, size } from "./words.js";

/** @typedef {import("./imports.js").Going} Going */

/** @type {{ show: (one: Going) => void } | null} */
let open = null;

/**
 * Show one; a dialog that is open already turns to it.
 * @param {Going} first
 */
export function openImport(first) {
  if (open) return open.show(first);
  let one = first;
  let phase = "";
  /** @type {ReturnType<typeof planForm> | null} */
  let form = null;
  let refused = "";
  let busy = false;
  /** What is said about the end. */
  let shown = "";

  const title = make("h2", { className: "t-dialog-title", dir: "auto" });
  const close = button({ icon: "close", label: say("page.close"), testid: "import-close", press: () => dialog.close() });
  const line = make("p", { "data-testid": "import-line" });
  const share = make("span", { className: "t-number" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.import.progress") });
  const aside = make("p", { className: "t-muted" });
  const moving = make("div", { className: "t-import-moving" }, make("div", { className: "t-between" }, make("div", { role: "status" }, line), share), bar, aside);
  const agreed = make("div", { className: "t-import-plan" });
  const sentences = make("div", { className: "t-import-end", role: "status", "data-testid": "import-end" });
  const reasons = make("ul", { className: "t-reasons", "data-testid": "import-rejected" });
  const problem = make("p", {});
  const notice = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "import-problem" }, icon("warning"), problem);
  const pause = button({ icon: "pause", text: say("page.import.pause"), look: "soft", testid: "import-pause", press: () => act(() => one.pause()) });
  const resume = button({ icon: "next", text: say("page.import.resume"), look: "soft", testid: "import-resume", press: () => act(() => one.resume()) });
  const cancel = button({ text: say("page.cancel"), look: "ghost", testid: "import-cancel", press: giveUp });
  const undo = button({ icon: "undo", text: say("page.undo"), look: "soft", testid: "import-undo", press: () => void takeBack() });
  const visit = button({ icon: "folder", text: say("page.import.visit"), look: "primary", testid: "import-visit", press: () => void goThere() });
  const start = button({ text: say("page.import.start"), look: "primary", testid: "import-start", press: begin });
  const finish = button({ text: say("page.import.finish"), look: "primary", testid: "import-finish", press: leave });
  const foot = make("div", { className: "t-ask-foot" }, cancel, pause, resume, undo, visit, start, finish);
  const dialog = make(
    "dialog",
    { className: "t-root t-dialog t-import-dialog", "data-testid": "import-dialog" },
    make("div", { className: "t-import-sheet" }, make("header", { className: "t-dialog-head" }, title, close), make("div", { className: "t-import-body" }, moving, agreed, sentences, reasons, notice), foot),
  );

  /** @param {() => Promise<void>} action */
  async function act(action) {
    if (busy) return;
    busy = true;
    refused = "";
    update();
    try {
      await action();
    } catch (error) {
      refused = words(error);
    }
    busy = false;
    update();
  }

  function begin() {
    const choices = form?.choices();
    if (choices) void act(() => one.start(choices));
  }

  function giveUp() {
    void act(() => one.cancel());
  }

  async function takeBack() {
    await act(() => one.undo());
    if (!refused) dialog.close();
  }

  async function goThere() {
    const id = one.info?.project;
    if (id) await act(() => openProject(id));
    if (!refused) leave();
  }

  /** It has been read. */
  function leave() {
    dismiss(one);
    dialog.close();
  }

  function phaseNow() {
    if (one.lost) return "lost";
    if (!one.info) return "sending";
    return one.info.state;
  }

  function update() {
    // It was given up, here or elsewhere.
    if (!imports().includes(one)) return dialog.close();
    const { info } = one;
    const before = phase;
    phase = phaseNow();
    // It went on: what was refused, or not answered, before is over.
    if (before && phase !== before) refused = "";
    dialog.dataset.state = phase;
    write(title, phase === "planned" ? say("page.import.title", { name: one.name }) : one.name);
    dialog.setAttribute("aria-label", title.textContent ?? "");
    const ended = ENDED.has(phase);
    const going = ["sending", "reading", "waiting", "running", "paused"].includes(phase);
    moving.hidden = !going;
    if (going) showMoving(phase);
    if (phase === "planned" && info?.plan && !form) {
      form = planForm(one, info.plan, update);
      agreed.replaceChildren(form.element);
    }
    agreed.hidden = phase !== "planned";
    sentences.hidden = !ended;
    reasons.hidden = !ended || !info?.rejected.length;
    if (ended) showEnd();
    notice.hidden = !refused && !one.trouble;
    write(problem, refused || one.trouble);
    pause.hidden = phase !== "running" && phase !== "waiting";
    resume.hidden = phase !== "paused";
    start.hidden = phase !== "planned" || form?.count() === null;
    start.disabled = busy || !form?.ready();
    const label = start.querySelector("span");
    if (label && form) write(label, form.command());
    cancel.hidden = !going && phase !== "planned";
    cancel.disabled = pause.disabled = resume.disabled = undo.disabled = visit.disabled = busy;
    undo.hidden = !ended || !info?.undo;
    const elsewhere = ended && info?.project !== null && info?.project !== state.project?.id && phase !== "failed";
    visit.hidden = !elsewhere;
    finish.hidden = !(ended || phase === "lost") || elsewhere;
    // What had the focus may be gone; it must not fall out of the dialog.
    if (phase !== before && dialog.open && !dialog.querySelector(":focus")) close.focus({ preventScroll: true });
  }

  /** @param {string} now */
  function showMoving(now) {
    const { info } = one;
    const measured = now === "sending" || now === "running" || now === "paused";
    if (measured) bar.value = info ? info.fraction : one.bytes ? one.sent / one.bytes : 0;
    else bar.removeAttribute("value");
    write(share, measured ? percent(bar.value) : "");
    if (now === "sending") write(line, say("page.import.sending", { done: size(one.sent), total: size(one.bytes) }));
    else if (now === "reading") write(line, say("page.import.reading"));
    else if (now === "waiting") write(line, say("page.import.waiting"));
    else write(line, say(now === "paused" ? "page.import.paused" : "page.import.running", { done: info?.done ?? 0, total: info?.total ?? 0 }));
    const stays = now === "sending" || one.local;
    write(aside, now === "paused" && !stays ? say("page.import.rests") : say(stays ? "page.import.stay" : "page.import.leave"));
  }

  function showEnd() {
    const { info } = one;
    if (!info) return;
    const said = outcome(info);
    const key = [info.id, info.state, ...said].join("\n");
    if (key === shown) return;
    shown = key;
    const [first, ...others] = said;
    const mark = icon(info.state === "done" ? "check" : info.state === "failed" ? "warning" : "info");
    sentences.replaceChildren(make("div", { className: "t-result-head" }, mark, make("p", { className: "t-strong" }, first ?? "")), ...others.map((text) => make("p", {}, text)));
    sentences.dataset.state = info.state;
    reasons.replaceChildren(...info.rejected.map(({ reason }) => make("li", { dir: "auto" }, reason)));
  }

  /** @param {Going} other */
  function show(other) {
    one = other;
    phase = "";
    form = null;
    refused = "";
    watch(one.key);
    update();
  }

  const unsubscribe = subscribe(["imports", "project"], update);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    unsubscribe();
    watch(null);
    open = null;
    dialog.remove();
    // How it ended was read here, to the end.
    if (ENDED.has(phase) || phase === "lost") dismiss(one);
  });
  open = { show };
  show(first);
  document.body.append(dialog);
  dialog.showModal();
  return undefined;
}
