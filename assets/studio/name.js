/** A name edited in place: a heading that is a text field. Enter keeps, Escape takes back, leaving keeps. */

import { icon, make } from "./dom.js";

/**
 * @param {{ label: string, testid: string, save: (name: string, of: string) => Promise<boolean> }} options
 * @returns {{ element: HTMLElement, input: HTMLInputElement, show: (name: string, of?: string) => void, leave: () => void }}
 *   `of`: id of what has this name, where that changes; `leave`: it is shown no more, and what is being written is kept
 */
export function nameField({ label, testid, save }) {
  let kept = "";
  /** What was sent last, until the server has answered; names are sent one after the other. @type {string | null} */
  let sent = null;
  let turn = Promise.resolve(true);
  let about = "";
  const input = make("input", {
    type: "text",
    className: "t-name-input",
    "aria-label": label,
    "data-testid": testid,
    autocomplete: "off",
    spellcheck: false,
    dir: "auto",
  });
  const element = make("label", { className: "t-name" }, input, icon("pencil"));
  // Browsers that cannot fit a field to its text fit it to this copy of it (see base.css).
  const fit = () => (element.dataset.text = input.value || input.placeholder);
  /** @param {string} text */
  const put = (text) => {
    input.value = text;
    fit();
  };

  let entered = false;
  const keep = async () => {
    const again = entered;
    entered = false;
    const name = input.value.trim();
    if (name === (sent ?? kept)) {
      put(name);
      input.removeAttribute("aria-invalid");
      return;
    }
    // An empty name goes to the server too: it answers in words why it cannot be.
    sent = name;
    const of = about;
    const mine = (turn = turn.then(() => save(name, of)));
    const taken = await mine;
    if (mine !== turn) return;
    sent = null;
    if (taken) {
      if (document.activeElement !== input) put(kept);
    } else if (again) {
      // What was refused stays to be corrected; Escape takes it back.
      input.setAttribute("aria-invalid", "true");
      input.focus();
    } else if (document.activeElement !== input) put(kept);
  };
  input.addEventListener("input", () => {
    input.removeAttribute("aria-invalid");
    fit();
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", keep);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault(); // a dialog around it stays open
      put(kept);
      input.removeAttribute("aria-invalid");
    }
    entered = event.key === "Enter" && !event.isComposing;
    if ((event.key === "Enter" && !event.isComposing) || event.key === "Escape") input.blur();
  });

  function leave() {
    if (document.activeElement === input) input.blur();
    sent = null;
    turn = turn.then(() => true);
  }

  return {
    element,
    input,
    show(name, of = "") {
      if (of !== about) leave();
      about = of;
      kept = name;
      if (document.activeElement !== input && sent === null && (input.value !== name || !name)) put(name);
    },
    leave,
  };
}
