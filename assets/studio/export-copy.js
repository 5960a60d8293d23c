/** Text to take along: a button that copies it, and a line of command or code with one. */

import { button, make, write } from "./dom.js";
import { say } from "./words.js";

const THANKS_MS = 3000;

/**
 * A button that copies what an element says.
 * @param {Element} from
 * @param {{ testid: string, label: string }} options `label`: what is copied, for who does not see where it stands
 */
export function copyButton(from, { testid, label }) {
  const copy = button({ icon: "copy", text: say("page.export.copy"), look: "ghost", label: say("page.export.copy_what", { what: label }), testid, press: () => void take() });
  copy.classList.add("t-copy");
  const words = /** @type {HTMLElement} */ (copy.lastElementChild);
  const spoken = make("span", { className: "t-spoken", role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function take() {
    try {
      await navigator.clipboard.writeText(from.textContent ?? "");
      write(words, say("page.export.copied"));
    } catch {
      // Without permission for the clipboard the text is selected, ready for the keyboard.
      getSelection()?.selectAllChildren(from);
      write(words, say("page.export.selected"));
    }
    write(spoken, words.textContent ?? "");
    clearTimeout(timer);
    timer = setTimeout(() => {
      write(words, say("page.export.copy"));
      write(spoken, "");
    }, THANKS_MS);
  }

  return make("span", { className: "t-copy-holder" }, copy, spoken);
}

/**
 * Something to type, in a box with a button that copies it.
 * @param {{ testid: string, label: string }} options `label`: what it is
 * @returns {{ element: HTMLElement, show: (text: string) => void }}
 */
export function commandLine({ testid, label }) {
  const code = make("code", { dir: "ltr", "data-testid": testid });
  const element = make("div", { className: "t-command" }, make("pre", { tabIndex: 0, role: "group", "aria-label": label }, code), copyButton(code, { testid: `copy-${testid}`, label }));
  return {
    element,
    show(text) {
      write(code, text);
    },
  };
}

/**
 * Words in which what is to be typed stands between backticks, as elements and by itself.
 * @param {string} text
 * @returns {{ parts: (string | HTMLElement)[], command: string }} `command`: the longest of it, which is the whole of what a shorter one is part of, or empty
 */
export function quoted(text) {
  const pieces = text.split("`");
  return { parts: pieces.map((piece, index) => (index % 2 ? make("code", { dir: "ltr" }, piece) : piece)), command: pieces.filter((_, index) => index % 2).reduce((longest, one) => (one.length > longest.length ? one : longest), "") };
}
