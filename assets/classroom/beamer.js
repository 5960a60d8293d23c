/** How to join, as large as the screen, for everybody in the room to see. It owns the full screen and leaving it. */

import { arrange, button, make, write } from "../studio/dom.js";
import { say } from "../studio/words.js";
import { pictureOf, plainAddress } from "./room.js";

/** @typedef {import("./types.d.ts").Room} Room */

/**
 * @param {Room} room
 * @param {(told: ((room: Room) => void) | null) => void} follow is given what to call when the room changes, and null
 *   when nothing is shown any more
 */
export function showLarge(room, follow) {
  const qr = make("img", { className: "c-large-qr", alt: say("page.room.qr") });
  const address = make("p", { className: "c-large-address", dir: "ltr", "data-testid": "large-address" });
  const count = make("p", { className: "c-large-count", role: "status", "data-testid": "large-count" });
  const names = make("ul", { className: "c-large-names" });
  const close = button({ icon: "close", label: say("page.room.small"), testid: "small", press: () => dialog.close() });
  const dialog = make(
    "dialog",
    { className: "t-root c-large", "data-testid": "beamer", "aria-label": say("page.room.join") },
    close,
    make("div", { className: "c-large-picture" }, qr),
    make(
      "div",
      { className: "c-large-words" },
      make("h2", { className: "c-large-title" }, say("page.room.join")),
      make("ol", { className: "c-large-steps" }, make("li", {}, say("page.room.large.scan"), address), make("li", {}, say("page.room.large.warning")), make("li", {}, say("page.room.large.name"))),
      count,
      names,
    ),
  );

  /** @param {Room} told */
  function update(told) {
    const picture = pictureOf(told.qr);
    if (qr.src !== picture) qr.src = picture;
    write(address, plainAddress(told.address));
    // What does not fit into its line is set smaller: an address in two lines is typed wrongly.
    address.style.setProperty("--letters", String(Math.max(18, plainAddress(told.address).length)));
    write(count, told.open ? say("page.room.count", { count: told.visitors.length }) : say("page.room.is_closed"));
    const there = new Map([...names.children].map((one) => [one.textContent, one]));
    arrange(names, told.visitors.map(({ name }) => there.get(name) ?? make("li", { dir: "auto" }, name)));
  }

  const left = () => {
    if (!document.fullscreenElement && dialog.open) dialog.close();
  };
  dialog.addEventListener("close", () => {
    document.removeEventListener("fullscreenchange", left);
    if (document.fullscreenElement) void document.exitFullscreen();
    dialog.remove();
    follow(null);
  });
  document.body.append(dialog);
  update(room);
  dialog.showModal();
  follow(update);
  // Where the browser gives no full screen, the dialog fills the window.
  document.documentElement
    .requestFullscreen?.()
    .then(() => document.addEventListener("fullscreenchange", left))
    .catch(() => undefined);
}
