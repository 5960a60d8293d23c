/** What would be made of a file, shown before anything is made: classes with pictures, and what can be chosen about them. */

import { icon, make, write } from "./dom.js";
import { state } from "./store.js";
import { decimal, say, size } from "./words.js";

/** @typedef {import("./types.d.ts").ImportPlan} ImportPlan */
/** @typedef {import("./types.d.ts").ImportChoices} ImportChoices */
/** @typedef {import("./types.d.ts").PlannedClass} PlannedClass */
/** @typedef {import("./imports.js").Going} Going */

/** Choices beside the classes of the project: a new one, and none. */
const NEW = "+";
const OUT = "-";
/** The note about what the switch for mirrored photos mends. */
const MIRRORED = "note.import.machine_mirrored";
const RATE = 2;
const RATES = { min: 0.1, max: 30, step: 0.1 };

/**
 * @param {Going} one
 * @param {ImportPlan} plan
 * @param {() => void} chosen called when something was chosen
 */
export function planForm(one, plan, chosen) {
  // Guests of a classroom add to what they have, a project too: how many they may make is counted elsewhere.
  const guest = document.documentElement.dataset.visitor !== undefined;
  const whole = plan.kind === "project" && !guest;
  const here = state.problem ? null : state.project;
  const used = (here?.classes ?? []).some(({ samples }) => samples > 0);
  // A project of another program is one of its own, unless the one that is open is still empty.
  let fresh = whole || !here || (!guest && plan.kind === "teachable-machine" && used);

  const elements = /** @type {HTMLElement[]} */ ([make("p", { className: "t-import-about", "data-testid": "import-about" }, about(plan, whole))]);
  // What a switch further down says anyway.
  const said = plan.options.includes("unmirror") ? MIRRORED : null;
  for (const note of plan.notes.filter(({ key }) => key !== said)) elements.push(make("p", { className: "t-notice t-calm", "data-testid": "import-note" }, icon("info"), make("span", {}, note.text ?? say(note.key, note.values))));

  const target = targetChoice();
  if (!whole && here && !guest) elements.push(target);
  const tight = make("span", {});
  const room = make("p", { className: "t-notice", role: "status", hidden: true, "data-testid": "import-room" }, icon("warning"), tight);
  elements.push(room);

  const rate = rateField();
  if (plan.options.includes("rate")) elements.push(rate.element);

  const rows = plan.classes.map((planned) => classRow(planned));
  const list = make("ul", { className: "t-plan-rows", "data-testid": "plan-classes" }, ...rows.map(({ element }) => element));
  if (plan.classes.length) elements.push(list);

  const mirror = mirrorSwitch();
  if (plan.options.includes("unmirror")) elements.push(mirror.element);
  const independent = tick("import-independent", say("page.import.independent"), say("page.import.independent_about"));
  if (plan.options.includes("independent")) elements.push(independent.element);
  const settings = tick("import-settings", say("page.import.settings"), plan.settings ? say("page.import.settings_about", { epochs: plan.settings.epochs, batch: plan.settings.batch_size, rate: String(plan.settings.learning_rate) }) : "");
  settings.box.checked = fresh || !used;
  if (plan.settings && !whole) elements.push(settings.element);
  if (plan.skipped_total) elements.push(skipped(plan));
  const element = make("div", { className: "t-plan" }, ...elements);

  function targetChoice() {
    const pick = (/** @type {boolean} */ wanted, /** @type {string} */ testid, /** @type {string} */ text) =>
      make(
        "label",
        { className: "t-tick-row" },
        make("input", {
          type: "radio",
          name: `target-${one.key}`,
          className: "t-tick",
          checked: wanted === fresh,
          "data-testid": testid,
          on: {
            change: () => {
              fresh = wanted;
              for (const row of rows) row.offer();
              changed();
            },
          },
        }),
        make("span", { dir: "auto" }, text),
      );
    return make(
      "fieldset",
      { className: "t-plan-target" },
      make("legend", { className: "t-small-title" }, say("page.import.target")),
      pick(false, "import-here", say("page.import.here", { name: here?.name })),
      pick(true, "import-fresh", say("page.import.fresh")),
    );
  }

  /** @param {PlannedClass} planned */
  function classRow(planned) {
    const pictures = make("span", { className: "t-plan-pictures" }, ...planned.previews.map((preview) => picture(preview)));
    const into = make("select", { className: "t-select", "aria-label": say("page.import.into", { name: planned.name }), "data-testid": "plan-into", on: { change: show } });
    const name = make("input", { type: "text", className: "t-text", value: planned.name, dir: "auto", autocomplete: "off", spellcheck: false, "aria-label": say("page.import.class_name"), "data-testid": "plan-name", on: { input: () => changed() } });
    // What it is called in the file, where it does not become the name of a class.
    const called = make("p", { className: "t-strong", dir: "auto" }, planned.name);
    const counts = make("p", { className: "t-muted", "data-testid": "plan-counts" });
    const row = make("li", { className: "t-plan-row", "data-testid": "plan-class" }, pictures, make("div", { className: "t-plan-text" }, called, whole ? null : name, counts), whole ? null : into);

    function offer() {
      const classes = fresh ? [] : (here?.classes ?? []);
      const same = classes.find((label) => label.name.toLowerCase() === planned.name.toLowerCase());
      const before = into.value;
      const options = [
        make("option", { value: NEW }, say("page.import.new_class")),
        ...classes.map((label) => make("option", { value: label.id }, say("page.import.into_class", { name: label.name }))),
        make("option", { value: OUT }, say("page.import.leave_out")),
      ];
      into.replaceChildren(...options);
      const dropped = plan.classes.length === 1 && !fresh ? one.into : null;
      const wanted = before === OUT ? OUT : (classes.find(({ id }) => id === dropped)?.id ?? same?.id ?? NEW);
      into.value = wanted;
      show();
    }

    function show() {
      name.hidden = into.value !== NEW;
      called.hidden = !name.hidden;
      row.toggleAttribute("data-out", into.value === OUT);
      changed();
    }

    /** Photos it would get. */
    function photos() {
      const still = planned.seconds ? planned.photos - Math.round(planned.seconds * RATE) : planned.photos;
      return planned.seconds ? Math.max(0, still) + Math.max(1, Math.round(planned.seconds * rate.value())) : planned.photos;
    }

    function update() {
      const parts = [say(planned.seconds ? "page.import.about_photos" : "page.photos", { count: photos() })];
      if (planned.groups > 1) parts.push(say("page.import.recordings", { count: planned.groups }));
      if (planned.tests) parts.push(say("page.import.tests", { count: planned.tests }));
      if (planned.bytes) parts.push(size(planned.bytes));
      write(counts, parts.join(" · "));
    }

    const taken = () => whole || into.value !== OUT;
    const named = () => whole || into.value !== NEW || name.value.trim() !== "";
    const choice = () => ({ key: planned.key, into: into.value === NEW ? null : into.value, name: name.value.trim() });
    return { element: row, offer, update, photos, taken, named, choice };
  }

  /** @param {number} preview */
  function picture(preview) {
    const shown = make("img", { src: one.preview(preview), alt: "", loading: "lazy", decoding: "async" });
    // A photo that cannot be shown is reported when it is its turn.
    shown.addEventListener("error", () => shown.remove());
    return shown;
  }

  function mirrorSwitch() {
    const box = make("input", { type: "checkbox", className: "t-switch", role: "switch", "data-testid": "import-unmirror" });
    const sample = plan.classes.find(({ previews }) => previews.length)?.previews[0];
    const shown = (/** @type {string} */ text, /** @type {boolean} */ turned) =>
      make("figure", { className: "t-mirror-figure" }, make("img", { src: sample === undefined ? "" : one.preview(sample), alt: "", className: turned ? "t-turned" : "" }), make("figcaption", { className: "t-muted" }, text));
    const pair = sample === undefined ? null : make("div", { className: "t-mirror-pair" }, shown(say("page.import.mirror_before"), false), shown(say("page.import.mirror_after"), true));
    const words = make("span", {}, make("span", { className: "t-strong" }, say("page.import.unmirror")), make("span", { className: "t-muted" }, say("page.import.unmirror_about")));
    const element = make("div", { className: "t-plan-mirror" }, make("label", { className: "t-tick-row" }, box, words), pair);
    box.addEventListener("change", () => list.toggleAttribute("data-turned", box.checked));
    return { element, on: () => box.checked && plan.options.includes("unmirror") };
  }

  function rateField() {
    const field = make("input", { type: "number", className: "t-input", value: String(RATE), ...number(RATES), "data-testid": "import-rate", on: { input: () => changed() } });
    const value = () => Number(field.value);
    const good = () => field.value !== "" && field.validity.valid && value() > 0;
    const duration = plan.seconds ? say("page.import.duration", { seconds: decimal(plan.seconds) }) : "";
    const element = make("label", { className: "t-plan-rate" }, make("span", {}, make("span", { className: "t-strong" }, say("page.import.rate")), make("span", { className: "t-muted" }, `${say("page.import.rate_about")} ${duration}`.trim())), field);
    return { element, value: () => (good() ? value() : RATE), good };
  }

  function total() {
    return rows.filter((row) => row.taken()).reduce((sum, row) => sum + row.photos(), 0);
  }

  /** Say before it begins that not everything fits. */
  function tell() {
    const left = fresh ? null : (one.info?.room ?? null);
    const over = left === null ? 0 : Math.max(0, total() - left);
    room.hidden = !over;
    if (over) write(tight, say("page.import.room", { room: say("page.photos", { count: left ?? 0 }), wanted: say("page.photos", { count: total() }) }));
  }

  let built = false;
  function changed() {
    if (built) chosen();
  }

  for (const row of rows) if (!whole) row.offer();
  built = true;

  return {
    element,
    /** Photos that would be made, or null where nothing can be. */
    count: () => (plan.classes.length || whole ? total() : null),
    ready() {
      for (const row of rows) row.update();
      tell();
      return whole || (rows.some((row) => row.taken()) && rows.every((row) => row.named()) && (!plan.options.includes("rate") || rate.good()));
    },
    /** What the button says. */
    command() {
      if (whole) return say("page.import.start_project");
      return say(plan.options.includes("rate") ? "page.import.start_about" : "page.import.start_photos", { count: total() });
    },
    /** @returns {ImportChoices} */
    choices() {
      const taken = whole ? [] : rows.filter((row) => row.taken()).map((row) => row.choice());
      return {
        project: fresh ? null : (here?.id ?? null),
        classes: taken,
        unmirror: mirror.on() ? taken.map(({ key }) => key) : [],
        rate: rate.value(),
        settings: settings.box.checked && plan.settings !== null,
        independent: independent.box.checked,
      };
    },
  };
}

/**
 * @param {ImportPlan} plan
 * @param {boolean} whole it becomes a project of its own, as it is
 */
function about(plan, whole) {
  const photos = say("page.photos", { count: plan.classes.reduce((sum, one) => sum + one.photos, 0) });
  const classes = say("page.shelf.classes", { count: plan.classes.length });
  if (plan.kind === "teachable-machine") return say("page.import.about_tm", { photos, classes });
  if (whole) return say("page.import.about_project", { title: plan.title, photos, classes });
  if (plan.kind === "video") return say("page.import.about_video");
  if (plan.kind === "animation") return say("page.import.about_animation");
  return say("page.import.about_folder", { photos, classes });
}

/**
 * @param {string} testid
 * @param {string} text
 * @param {string} detail
 */
function tick(testid, text, detail) {
  const box = make("input", { type: "checkbox", className: "t-tick", "data-testid": testid });
  return { box, element: make("label", { className: "t-tick-row t-storage-tick" }, box, make("span", {}, make("span", {}, text), make("span", { className: "t-muted" }, detail))) };
}

/** @param {ImportPlan} plan */
function skipped(plan) {
  const rest = plan.skipped_total - plan.skipped.length;
  const rows = plan.skipped.map(({ reason }) => make("li", { dir: "auto" }, reason));
  if (rest > 0) rows.push(make("li", {}, say("page.import.more_skipped", { count: rest })));
  return make("details", { className: "t-plan-skipped", "data-testid": "plan-skipped" }, make("summary", {}, say("page.import.skipped", { count: plan.skipped_total })), make("ul", { className: "t-reasons" }, ...rows));
}

/** @param {{ min: number, max: number, step: number }} range */
function number({ min, max, step }) {
  return { min: String(min), max: String(max), step: String(step) };
}
