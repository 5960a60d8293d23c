/** A name edited in place: a heading that is a text field. Enter keeps, Escape takes back, leaving keeps. */

import { icon, make } from "./dom.js";

/**
 * @param {{ label: string, testid: string, save: (name: string) => Promise<boolean> }} options
 * @returns {{ element: HTMLElement, input: HTMLInputElement, show: (name: string) => void }}
 */
export function nameField({ label, testid, save }) {
  let kept = "";
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

  let entered = false;
  const keep = async () => {
    const again = entered;
    entered = false;
    const name = input.value.trim();
    if (name === kept) {
      input.value = kept;
      input.removeAttribute("aria-invalid");
      return;
    }
    // An empty name goes to the server too: it answers in words why it cannot be.
    if (await save(name)) return;
    if (again) {
      // What was refused stays to be corrected; Escape takes it back.
      input.setAttribute("aria-invalid", "true");
      input.focus();
    } else if (document.activeElement !== input) input.value = kept;
  };
  input.addEventListener("input", () => input.removeAttribute("aria-invalid"));
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", keep);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault(); // a dialog around it stays open
      input.value = kept;
      input.removeAttribute("aria-invalid");
    }
    entered = event.key === "Enter" && !event.isComposing;
    if ((event.key === "Enter" && !event.isComposing) || event.key === "Escape") input.blur();
  });

  return {
    element,
    input,
    show(name) {
      kept = name;
      if (document.activeElement !== input && input.value !== name) input.value = name;
    },
  };
}
