/** Short messages at the bottom of the page, and the offer to undo. It owns how long they stay. */

import { button, make } from "./dom.js";
import { say } from "./words.js";

const STAY_MS = 10_000;
const PROBLEM_MS = 14_000;

/** @type {HTMLElement | null} */
let shelf = null;
/** @type {{ undo: () => void, token: string | null } | null} */
let latest = null;

/** Make the shelf and listen for the undo key. Once per page. */
export function startToasts() {
  if (shelf) return;
  shelf = make("div", { className: "t-root t-toasts", "data-testid": "toasts" });
  document.body.append(shelf);
  document.addEventListener("keydown", (event) => {
    const writing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.shiftKey && !writing && latest && !latest.token) {
      event.preventDefault();
      latest.undo();
    }
  });
}

/**
 * Say something that needs no answer.
 * @param {string} text
 * @param {"note" | "problem"} kind a problem is spoken at once
 */
export function tell(text, kind = "note") {
  show(text, kind, null);
}

/**
 * Say what was changed, with a button that takes it back.
 * @param {string} text
 * @param {() => void} undo
 * @param {string | null} [token] of the change, if it is one of the open project: the key for undo is `history.js` then
 */
export function offerUndo(text, undo, token = null) {
  show(text, "note", undo, token);
}

/**
 * A change of the open project was taken back in another way: it is not offered any more.
 * @param {string} token
 */
export function withdrawUndo(token) {
  for (const toast of shelf?.querySelectorAll(".t-toast") ?? []) {
    if (toast instanceof HTMLElement && toast.dataset.token === token) toast.remove();
  }
}

/**
 * @param {string} text
 * @param {"note" | "problem"} kind
 * @param {(() => void) | null} undo
 * @param {string | null} [token]
 */
function show(text, kind, undo, token = null) {
  if (!shelf) return;
  const toast = make("div", { className: `t-toast t-toast-${kind}`, role: kind === "problem" ? "alert" : "status" });
  if (token) toast.dataset.token = token;
  const close = () => {
    clearTimeout(timer);
    toast.remove();
    if (latest === offer) latest = null;
  };
  const offer = {
    token,
    undo: () => {
      close();
      undo?.();
    },
  };
  const stay = kind === "problem" ? PROBLEM_MS : STAY_MS;
  let timer = setTimeout(close, stay);
  // Someone who is reading or reaching for the button is not hurried.
  const wait = () => clearTimeout(timer);
  const resume = () => {
    clearTimeout(timer);
    timer = setTimeout(close, stay);
  };
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, wait);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, resume);

  toast.append(make("span", { className: "t-toast-text" }, text));
  if (undo) {
    latest = offer;
    toast.append(button({ text: say("page.undo"), look: "on-toast", testid: "undo", press: offer.undo }));
  }
  toast.append(button({ icon: "close", label: say("page.close"), look: "on-toast", press: close }));
  for (const other of [...shelf.children]) if (other.firstElementChild?.textContent === text) other.remove();
  // Below an open dialog nothing can be reached; in it, a removal can be taken back.
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  const place = dialog ?? document.body;
  if (shelf.parentElement !== place) place.append(shelf);
  dialog?.addEventListener("close", () => shelf && document.body.append(shelf), { once: true });
  // Three at most: older ones make room.
  while (shelf.children.length >= 3) shelf.firstElementChild?.remove();
  shelf.append(toast);
}
