/** A button that opens a small panel: a menu of commands, or any content. It owns opening, closing, and the keys. */

import { make } from "./dom.js";

let count = 0;

/**
 * @typedef {{ text: string, icon?: SVGElement, testid?: string, danger?: boolean, current?: boolean, href?: string,
 *   press?: () => void }} Item
 */

/**
 * Join a button and a panel that opens below it.
 * @param {HTMLButtonElement} opener
 * @param {() => Item[]} items asked each time it opens
 * @param {{ label: string, testid?: string, align?: "start" | "end" }} options
 * @returns {HTMLElement} both, to be placed where the button belongs
 */
export function menu(opener, items, { label, testid, align = "end" }) {
  const panel = make("div", {
    id: `t-menu-${++count}`,
    className: "t-menu",
    role: "menu",
    hidden: true,
    "aria-label": label,
    "data-testid": testid,
    "data-align": align,
  });
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-controls", panel.id);
  const holder = make("span", { className: "t-menu-holder" }, opener, panel);

  const close = (focus = true) => {
    if (panel.hidden) return;
    panel.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (focus) opener.focus();
  };
  const outside = (/** @type {PointerEvent} */ event) => {
    if (event.target instanceof Node && !holder.contains(event.target)) close(false);
  };
  const open = () => {
    panel.replaceChildren(...items().map((item) => entry(item, close)));
    panel.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    choices(panel)[0]?.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  opener.addEventListener("click", () => (panel.hidden ? open() : close()));
  opener.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      open();
    }
  });
  holder.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      event.stopPropagation();
      event.preventDefault(); // a dialog around it stays open
      close();
    }
  });
  panel.addEventListener("keydown", (event) => {
    const all = choices(panel);
    const at = all.findIndex((choice) => choice === document.activeElement);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    all.at(step % all.length)?.focus();
  });
  // In Safari the focus would go to what lies around the menu, and the menu would close before the click.
  panel.addEventListener("mousedown", (event) => event.preventDefault());
  panel.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !holder.contains(event.relatedTarget)) close(false);
  });
  return holder;
}

/**
 * @param {Item} item
 * @param {(focus?: boolean) => void} close
 */
function entry(item, close) {
  const options = {
    role: item.current === undefined ? "menuitem" : "menuitemradio",
    "aria-checked": item.current === undefined ? undefined : String(item.current),
    className: `t-menu-item${item.danger ? " t-danger" : ""}`,
    "data-testid": item.testid,
    on: {
      click: () => {
        close();
        item.press?.();
      },
    },
  };
  const words = make("span", {}, item.text);
  if (item.href) return make("a", { ...options, href: item.href, download: "" }, item.icon ?? null, words);
  return make("button", { ...options, type: "button" }, item.icon ?? null, words);
}

/**
 * @param {HTMLElement} panel
 * @returns {HTMLElement[]}
 */
function choices(panel) {
  return [...panel.querySelectorAll("a, button")].filter((choice) => choice instanceof HTMLElement);
}
