/**
 * What the pages around the Studio share: light or dark as the system asks, the mark, and the place for content.
 *
 * They are plain pages without Gradio, which would otherwise say on the body which of the two it is.
 */

import { make } from "../studio/dom.js";
import { focusPressed } from "../studio/pressed.js";
import { startToasts } from "../studio/toasts.js";

/** Begin a page, and return where it is drawn. */
export function startPage() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  startToasts();
  focusPressed();
  const page = document.getElementById("page");
  if (!page) throw new Error("the page has lost its place");
  return page;
}

/**
 * Put content into the page and say which of its states it is in.
 * @param {HTMLElement} page
 * @param {string} name of the state
 * @param {...Element} content
 */
export function show(page, name, ...content) {
  page.replaceChildren(...content);
  page.dataset.state = name;
  page.setAttribute("aria-busy", "false");
}

/**
 * What went wrong, as it is shown.
 * @param {unknown} error
 */
export function reason(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A field with its label, and a button that sends what was written.
 * @param {{ label: string, hint?: string, text: string, testid: string, type?: "text" | "password",
 *   autocomplete?: "username" | "current-password" | "off", longest?: number, value?: string, send: (value: string) => Promise<void> }} options
 *   `send` throws where it was refused; the reason is shown below the field
 */
export function asking({ label, hint, text, testid, type = "text", autocomplete = "off", longest = 200, value = "", send }) {
  const input = make("input", {
    id: testid,
    className: "c-input",
    type,
    name: testid,
    autocomplete,
    maxLength: longest,
    required: true,
    value,
    "autocapitalize": type === "text" ? "words" : "off",
    spellcheck: false,
    dir: "auto",
    "data-testid": testid,
    "aria-describedby": `${testid}-problem`,
  });
  const problem = make("p", { id: `${testid}-problem`, className: "c-problem", role: "alert", "data-testid": "problem" });
  const button = make(
    "button",
    { type: "submit", className: "t-button t-primary c-big", "data-testid": `${testid}-send` },
    make("span", {}, text),
  );
  const form = make(
    "form",
    { className: "c-form", noValidate: true },
    make("label", { className: "c-label", htmlFor: testid }, label),
    hint ? make("p", { className: "t-muted" }, hint) : null,
    input,
    problem,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const value = type === "password" ? input.value : input.value.trim();
    if (!value) return input.focus();
    button.disabled = true;
    problem.textContent = "";
    input.removeAttribute("aria-invalid");
    try {
      await send(value);
    } catch (error) {
      problem.textContent = reason(error);
      input.setAttribute("aria-invalid", "true");
      input.select();
      // Not where it was taken: until the next page is there, an impatient second press would send it again.
      button.disabled = false;
    }
    return undefined;
  });
  return { form, input };
}
