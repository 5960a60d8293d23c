/** One way to take the model away: its card in the list, and what belongs to it when it is chosen. */

import { icon, make, write } from "./dom.js";
import { compared } from "./export-check.js";
import { filePanel } from "./export-file.js";
import { phonePanel } from "./export-phone.js";
import { going, isModel } from "./export-store.js";
import { state } from "./store.js";
import { known, megabytes, percent, say } from "./words.js";

/** @typedef {import("./types.d.ts").Format} Format */
/** @typedef {import("./types.d.ts").Made} Made */

/** The format that a phone can be given. */
const PAGE = "page";

/**
 * @param {import("./export-store.js").ExportStore} store
 * @param {Format} first how the format stands now: its variants are the same from then on
 * @param {{ choose: () => void, picked: (variant: string) => void }} told `choose`: the card was pressed; `picked`: another variant was
 * @param {string} [begin] the variant to begin with, instead of the first
 */
export function formatCard(store, first, { choose, picked }, begin) {
  const id = first.id;
  let format = first;
  let variant = (first.variants.find((made) => made.id === begin) ?? first.variants[0])?.id ?? "";
  let open = false;
  const purpose = `page.export.for_${id}`;
  const lacks = make("span", { className: "t-format-lacks", hidden: true, "data-testid": "format-lacks" });
  const title = make("span", { className: "t-format-title" }, make("span", { className: "t-format-line" }, make("span", {}, first.title), lacks), known(purpose) ? make("span", { className: "t-muted" }, say(purpose)) : null);
  const mark = make("span", { className: "t-format-mark", "data-testid": "format-mark" });
  const control = make("button", { type: "button", className: "t-format", id: `t-format-${id}`, "aria-expanded": "false", "aria-controls": `t-format-body-${id}`, "data-testid": "export-format", "data-id": id, on: { click: choose } }, title, mark);

  const name = `t-export-variant-${id}`;
  const choices = first.variants.map((made) => {
    const input = make("input", { type: "radio", name, value: made.id, checked: made.id === variant, "data-testid": `variant-${made.id}` });
    input.addEventListener("change", () => {
      variant = made.id;
      update(format, open);
      picked(variant);
    });
    const weight = make("span", { className: "t-muted t-number" });
    const figure = make("span", { className: "t-muted t-number" });
    return { id: made.id, weight, figure, element: make("label", { className: "t-choice" }, input, make("span", { className: "t-choice-title" }, made.title), weight, figure) };
  });
  const group = make("div", { className: "t-choices", role: "radiogroup", "aria-label": say("page.export.size"), hidden: choices.length < 2 }, ...choices.map(({ element }) => element));
  const tested = make("p", { className: "t-muted t-choices-note", hidden: true, "data-testid": "export-tested" });
  const file = filePanel(store, id);
  const phone = id === PAGE ? phonePanel(store.project, id) : null;
  const body = make(
    "div",
    { className: "t-format-body", id: `t-format-body-${id}`, role: "region", "aria-labelledby": control.id, "data-testid": "format-body" },
    make("p", { className: "t-format-name", "aria-hidden": "true" }, first.title),
    make("p", { className: "t-format-about" }, first.about),
    make("div", { className: "t-choices-holder" }, group, tested),
    file.element,
    phone?.element ?? null,
  );
  const element = make("div", { className: "t-format-row" }, make("h3", { className: "t-format-head" }, control));

  function chosen() {
    return format.variants.find((made) => made.id === variant) ?? format.variants[0];
  }

  /**
   * @param {Format} now
   * @param {boolean} shown its body stands open
   */
  function update(now, shown) {
    format = now;
    open = shown;
    control.setAttribute("aria-expanded", String(open));
    if (open && body.parentElement !== element) element.append(body);
    else if (!open) body.remove();
    for (const choice of choices) {
      const made = format.variants.find((one) => one.id === choice.id);
      if (!made) continue;
      write(choice.weight, weight(format, made));
      write(choice.figure, cost(made));
    }
    showTested();
    const made = chosen();
    if (made) {
      file.update(format, made, open);
      phone?.update(made.id, made.state === "done");
    }
    showMark();
  }

  /** Say once what was done to compare the sizes. */
  function showTested() {
    const known = choices.length < 2 ? [] : format.variants.filter((made) => cost(made)).map(({ check }) => check?.held_out ?? 0);
    tested.hidden = !known.length;
    if (known.length) write(tested, say("page.export.tested", { count: Math.max(...known) }));
  }

  function showMark() {
    const need = format.command ? "page.export.mark_missing" : format.fits ? "" : "page.export.mark_unfit";
    lacks.hidden = !need;
    write(lacks, need && say(need));
    const running = format.variants.find((made) => made.state === "running") ?? format.variants.find(going);
    const ready = format.variants.some((made) => made.state === "done" || (isModel(format, made) && agrees()));
    const trouble = format.variants.some((made) => made.state === "refused" || made.state === "failed");
    const now = running ? `${running.state} ${percent(running.fraction)}` : ready ? "ready" : trouble ? "trouble" : "";
    if (mark.dataset.now === now) return;
    mark.dataset.now = now;
    if (running) mark.replaceChildren(running.state === "running" ? percent(running.fraction) : "…");
    else if (ready) mark.replaceChildren(icon("check"), spoken("page.export.mark_ready"));
    else if (trouble) mark.replaceChildren(icon("warning"), spoken("page.export.mark_trouble"));
    else mark.replaceChildren();
  }

  return {
    element,
    control,
    body,
    update,
    /** The name of the chosen file. */
    file() {
      return chosen()?.file ?? "";
    },
  };
}

function agrees() {
  const model = state.status?.model;
  return Boolean(model?.agreement && !model.checking && model.agreement.agreeing === model.agreement.total);
}

/**
 * What a variant weighs, or why that is not known, in a word.
 * @param {Format} format
 * @param {Made} made
 */
function weight(format, { state: now, size_bytes: bytes, fraction }) {
  if (now === "running") return percent(fraction);
  const trouble = now === "refused" || now === "failed";
  if (bytes === null || trouble) return format.command || !format.fits ? "–" : say(trouble ? "page.export.not_to_be_had" : "page.export.not_prepared");
  return say("page.network.megabytes", { size: megabytes(bytes) });
}

/**
 * What a variant costs beside the exact model, in words, where that was measured.
 * @param {Made} made
 */
function cost({ state: now, check }) {
  if (now !== "done" || !compared(check)) return "";
  const fewer = check.correct_full - check.correct;
  if (!fewer) return say("page.export.cost_none");
  return fewer > 0 ? say("page.export.cost_fewer", { count: fewer }) : say("page.export.cost_more", { count: -fewer });
}

/** @param {string} key */
function spoken(key) {
  return make("span", { className: "t-spoken" }, say(key));
}
