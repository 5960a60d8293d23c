/**
 * The cards for a pupil whose browser is not known any more, and whose name is in the class already: is that you, the
 * teacher has been asked, the teacher said not now. It owns how they look; what is pressed is done by `join.js`.
 */

import { button, icon, make, write } from "../studio/dom.js";
import { say } from "../studio/words.js";
import { reason } from "./frame.js";

/** @typedef {import("./types.d.ts").Known} Known */
/** @typedef {{ title: string, text: string, content: HTMLElement[] }} Card */

/**
 * Somebody of that name is here: is it you?
 * @param {string} typed
 * @param {Known} known
 * @param {{ open: boolean, ask: (name: string) => Promise<void>, other: () => Promise<void>, again: () => void }} acts
 *   `open`: whether somebody new may join; `again`: to write another name
 * @returns {Card}
 */
export function knownCard(typed, { names, otherwise }, { open, ask, other, again }) {
  const problem = trouble();
  const mine = names.map((name) =>
    choice(say("page.join.known.me", { name }), say("page.join.known.me.text"), "join-back", () => ask(name)),
  );
  const els = choice(say("page.join.known.namesake", { name: typed }), say("page.join.known.namesake.text", { name: otherwise }), "join-other", other);
  const choices = open ? [...mine, els] : mine;
  return {
    title: say("page.join.known.title", { name: names[0] ?? typed }),
    text: say("page.join.known.text"),
    content: [make("div", { className: "c-choices" }, ...oneAtATime(choices, problem)), problem, anotherName(again)],
  };
}

/**
 * The teacher has been asked.
 * @param {string} name whose place it is
 * @param {{ cancel: () => Promise<void> }} acts
 */
export function askedCard(name, { cancel }) {
  const problem = trouble();
  const state = make("span", {}, say("page.join.asked.waiting"));
  const alive = make("p", { className: "c-alive t-muted", "data-testid": "join-alive" }, make("i", { "aria-hidden": "true" }), state);
  const stop = button({ text: say("page.join.asked.cancel"), look: "soft", testid: "join-cancel" });
  const [end] = oneAtATime([{ element: stop, press: cancel }], problem);
  return {
    title: say("page.join.asked.title"),
    text: say("page.join.asked.text", { name }),
    content: [alive, ...(end ? [end] : []), problem],
    /** @param {string} words what is in the way, or "" */
    say(words) {
      write(state, words || say("page.join.asked.waiting"));
    },
  };
}

/**
 * The teacher said not now.
 * @param {string} name whose place it is
 * @param {{ open: boolean, ask: () => Promise<void>, other: () => Promise<void>, again: () => void }} acts
 * @returns {Card}
 */
export function refusedCard(name, { open, ask, other, again }) {
  const problem = trouble();
  const choices = [choice(say("page.join.refused.ask", { name }), say("page.join.refused.ask.text"), "join-again", ask)];
  if (open) choices.push(choice(say("page.join.refused.new"), say("page.join.refused.new.text"), "join-other", other));
  return {
    title: say("page.join.refused.title"),
    text: say("page.join.refused.text"),
    content: [make("div", { className: "c-choices" }, ...oneAtATime(choices, problem)), problem, anotherName(again)],
  };
}

/**
 * One of several ways on, none of which is the one to press without reading.
 * @param {string} title
 * @param {string} text
 * @param {string} testid
 * @param {() => Promise<void>} press
 */
function choice(title, text, testid, press) {
  const words = make("span", {}, make("span", { className: "t-strong", dir: "auto" }, title), make("span", { className: "t-muted", dir: "auto" }, text));
  return { element: make("button", { type: "button", className: "c-row c-choice", "data-testid": testid }, words, icon("next")), press };
}

/** @param {() => void} again */
function anotherName(again) {
  return button({ icon: "back", text: say("page.join.another_name"), testid: "join-another", press: again });
}

function trouble() {
  return make("p", { className: "c-problem", role: "alert", "data-testid": "problem" });
}

/**
 * Let one thing be done at a time, and say below what went wrong with it.
 * @param {{ element: HTMLButtonElement, press: () => Promise<void> }[]} choices
 * @param {HTMLElement} problem
 * @returns {HTMLButtonElement[]}
 */
function oneAtATime(choices, problem) {
  let busy = false;
  return choices.map(({ element, press }) => {
    element.addEventListener("click", async () => {
      if (busy) return;
      busy = true;
      problem.textContent = "";
      element.setAttribute("aria-busy", "true");
      try {
        await press();
      } catch (error) {
        problem.textContent = reason(error);
      } finally {
        busy = false;
        element.removeAttribute("aria-busy");
      }
    });
    return element;
  });
}
