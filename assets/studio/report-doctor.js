/** What is probably wrong with the photos, the worst first, each with the ways to mend it. */

import { thumbnailUrl } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { deleteSamples, moveSamples, testSamples } from "./project.js";
import { openPhotos } from "./report-photos.js";
import { state } from "./store.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Report} Report */
/** @typedef {import("./types.d.ts").Finding} Finding */
/** @typedef {import("./types.d.ts").Action} Action */

/** Photos shown on a card; the dialog has them all. */
const MOST = 6;

/** @type {Record<string, keyof typeof import("./icons.js").ICONS>} */
const SIGNS = { mislabelled: "warning", repeated: "copy", duplicates: "copy", blurred: "eyeOff", dark: "eyeOff", empty: "photo", background: "photo" };

/** What each action does. @type {Record<Action["kind"], { icon: keyof typeof import("./icons.js").ICONS, run: (action: Action) => Promise<boolean> | void }>} */
const DEEDS = {
  move: { icon: "move", run: ({ samples, class_id: target }) => (target ? moveSamples([...samples], target) : undefined) },
  delete: { icon: "trash", run: ({ samples }) => deleteSamples([...samples]) },
  test: { icon: "lock", run: ({ samples }) => testSamples([...samples]) },
  record: { icon: "camera", run: ({ class_id: label }) => showClass(label) },
};

export function doctor() {
  const list = make("ul", { className: "t-findings", "data-testid": "report-findings" });
  const well = make("p", { className: "t-hood-well", "data-testid": "report-well" }, icon("check"), make("span", {}, say("page.report.well")));
  const more = make("p", { className: "t-muted", "data-testid": "report-more-findings" });
  const element = make("section", { className: "t-hood-part" }, make("h3", {}, say("page.report.doctor")), make("p", { className: "t-muted" }, say("page.report.doctor_about")), list, well, more);
  /** @type {Report | null} */
  let known = null;

  return {
    element,
    /** @param {Report} report */
    update(report) {
      if (report === known) return;
      known = report;
      // Before all was looked at, nothing can be said.
      element.hidden = report.state !== "done";
      const focused = document.activeElement?.closest("[data-finding]");
      const last = focused instanceof HTMLElement && list.contains(focused) ? focused.dataset.finding : undefined;
      list.replaceChildren(...report.findings.map((finding) => card(finding, report)));
      list.hidden = !report.findings.length;
      well.hidden = report.findings.length > 0;
      more.hidden = !report.more_findings;
      write(more, say("page.report.more_findings", { count: report.more_findings }));
      // Whoever works through the cards with the keyboard goes on with the one that took the place.
      const next = last === undefined ? null : (list.querySelector(`[data-finding="${CSS.escape(last)}"] button`) ?? list.querySelector("button"));
      if (next instanceof HTMLElement) next.focus({ preventScroll: true });
    },
  };
}

/**
 * @param {Finding} finding
 * @param {Report} report
 */
function card(finding, report) {
  const target = finding.actions.find(({ kind }) => kind === "move")?.class_id ?? null;
  const shown = finding.samples.slice(0, MOST);
  const hidden = finding.samples.length - shown.length;
  const open = (/** @type {number} */ first) =>
    openPhotos({
      title: finding.title,
      about: finding.text,
      classes: report.classes,
      target,
      first,
      load: (offset, limit) => samples(finding, offset, limit),
    });
  const pictures = shown.map((id, at) => {
    const label = say("page.report.photo", { number: at + 1, total: finding.samples.length });
    const rest = at === shown.length - 1 && hidden ? make("span", { className: "t-finding-rest" }, `+${hidden}`) : null;
    const picture = make("img", { src: thumbnailUrl(state.project?.id ?? "", id), alt: "", loading: "lazy", decoding: "async" });
    return make("li", {}, make("button", { type: "button", className: "t-finding-photo", "aria-label": label, "data-testid": "finding-photo", on: { click: () => open(id) } }, picture, rest));
  });
  const done = make("p", { className: "t-muted", role: "status", "data-testid": "finding-done" });
  const actions = make("div", { className: "t-actions" });
  const made = make(
    "li",
    { className: "t-finding", "data-testid": "finding", "data-finding": finding.id, "data-kind": finding.kind },
    make("div", { className: "t-finding-head" }, icon(SIGNS[finding.kind] ?? "info"), make("h4", { dir: "auto" }, finding.title)),
    make("p", { dir: "auto" }, finding.text),
    pictures.length ? make("ul", { className: "t-finding-photos", "aria-label": say("page.report.photos_list") }, ...pictures) : null,
    actions,
    done,
  );
  actions.append(
    ...finding.actions.map((action, at) => {
      const deed = DEEDS[action.kind];
      const press = async () => {
        if (action.kind === "record") return void deed.run(action);
        // A button that cannot be pressed any more loses the focus; the card keeps it until the next one takes over.
        made.tabIndex = -1;
        made.focus({ preventScroll: true });
        const buttons = [...actions.querySelectorAll("button")];
        for (const one of buttons) one.disabled = true;
        made.toggleAttribute("data-done", true);
        if (await deed.run(action)) return write(done, say("page.report.checking_again"));
        // Why not has been said; it can be pressed again.
        for (const one of buttons) one.disabled = false;
        made.removeAttribute("data-done");
      };
      return button({ icon: deed.icon, text: action.text, look: at ? "ghost" : "soft", testid: `finding-${action.kind}`, press: () => void press() });
    }),
  );
  return made;
}

/**
 * Photos of a finding, as the dialog asks for them.
 * @param {Finding} finding
 * @param {number} offset
 * @param {number} limit
 */
async function samples({ samples: ids }, offset, limit) {
  return { photos: ids.slice(offset, offset + limit).map((id) => ({ id, present: true })), total: ids.length };
}

/**
 * Go to the card of a class, to record more of it.
 * @param {string | null} id
 */
function showClass(id) {
  const found = document.querySelector(`[data-testid=class-card][data-id="${CSS.escape(id ?? "")}"]`);
  if (!found) return;
  found.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
  const camera = found.querySelector("[data-testid=webcam]");
  if (camera instanceof HTMLElement) camera.focus({ preventScroll: true });
}
