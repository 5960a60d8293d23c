/** After a switch: how the network before did and how the new one does, on the same photos, and the way back. */

import { button, make, write } from "./dom.js";
import { findNetwork, switchNetwork, training } from "./networks.js";
import { words } from "./project.js";
import { subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").ModelStatus} ModelStatus */
/** @typedef {import("./types.d.ts").Before} Before */

/** @returns {{ element: HTMLElement, show: (model: ModelStatus) => boolean }} `show` returns whether there is something to show */
export function beforeAndNow() {
  const was = make("p", { "data-testid": "network-before" });
  const is = make("p", { className: "t-strong", "data-testid": "network-now" });
  const verdict = make("p", { className: "t-muted", "data-testid": "network-verdict" });
  const back = button({ text: say("page.network.switch_back"), look: "ghost", testid: "switch-back", press: goBack });
  const element = make("div", { className: "t-before", hidden: true }, was, is, verdict, back);
  /** @type {Before | null} */
  let shown = null;
  /** Id of the network of the model. */
  let present = "";

  async function goBack() {
    if (!shown) return;
    // The button goes with the figures; the keyboard stays where the network is named.
    /** @type {HTMLElement | null} */ (document.querySelector("[data-testid=network-change]"))?.focus({ preventScroll: true });
    try {
      await switchNetwork(shown.backbone.id);
    } catch (error) {
      tell(words(error), "problem");
    }
  }

  function update() {
    // A network that was renewed cannot be had back, and one that was removed has to be fetched first.
    back.hidden = !shown || shown.backbone.id === present || !findNetwork(shown.backbone.id)?.present;
    back.disabled = training();
  }

  /** @param {ModelStatus} model */
  function show(model) {
    const { before, accuracy, low, high } = model;
    shown = accuracy === null ? null : before;
    element.hidden = !shown;
    if (!before || accuracy === null) return false;
    present = model.backbone.id;
    write(was, sentence("page.network.before", before.backbone.title, before.accuracy, before));
    write(is, sentence("page.network.now", model.backbone.title, accuracy, model));
    write(verdict, say(judge(before, { accuracy, low: low ?? 0, high: high ?? 1 })));
    update();
    return true;
  }

  subscribe("networks", update);
  return { element, show };
}

/**
 * @param {string} key
 * @param {string} title
 * @param {number} share
 * @param {{ correct: number, held_out: number }} counts
 */
function sentence(key, title, share, { correct, held_out: total }) {
  return say(key, { percent: stated(share), title, correct, total });
}

/**
 * The text that says what the two figures mean. Each lies within the interval of the other: then it may be chance.
 * @param {Before} before
 * @param {{ accuracy: number, low: number, high: number }} now
 */
function judge(before, now) {
  if (now.accuracy === before.accuracy) return "page.network.equal";
  const within = (/** @type {number} */ share, /** @type {{ low: number, high: number }} */ { low, high }) => low <= share && share <= high;
  if (within(now.accuracy, before) && within(before.accuracy, now)) {
    return now.accuracy > before.accuracy ? "page.network.perhaps_better" : "page.network.perhaps_worse";
  }
  return now.accuracy > before.accuracy ? "page.network.better" : "page.network.worse";
}
