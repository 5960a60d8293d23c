/**
 * The room as the teacher sees it: how to join, everybody who is in, and what can be done for all. It owns asking the
 * server how things stand; a card of one pupil is `pupil.js`, who wants their place back `claims.js`.
 */

import { ApiError, request } from "../studio/api.js";
import { brand } from "../studio/brand.js";
import { arrange, button, icon, make, speaker, write } from "../studio/dom.js";
import { menu } from "../studio/menu.js";
import { offerUndo, tell } from "../studio/toasts.js";
import { say } from "../studio/words.js";
import { showLarge } from "./beamer.js";
import { claimsNotice } from "./claims.js";
import { show } from "./frame.js";
import { pupilCard } from "./pupil.js";
import { chooseStarter } from "./starter.js";

/** @typedef {import("./types.d.ts").Room} Room */
/** @typedef {import("./types.d.ts").Pupil} Pupil */
/** @typedef {ReturnType<typeof pupilCard>} Card */

const LOOK_MS = 1500;
/** So many of those who were removed are offered in the menu, when the message that offers it has gone. */
const BRING_BACK = 3;
const COLLECT = "/api/v1/room/collect";

/**
 * Show the room until the teacher leaves.
 * @param {HTMLElement} page
 * @param {{ out: () => Promise<void> }} options `out`: signed out, here or by the server
 */
export async function openRoom(page, { out }) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  /** @type {Room | null} */
  let room = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let gone = false;
  /** Answers of what was pressed are newer than an answer on its way. */
  let number = 0;
  let helpOnly = false;
  /** Who was removed here, the latest first. @type {{ name: string, undo: string }[]} */
  let removed = [];

  const place = joinPanel(() => room && showLarge(room, (told) => (watching = told)));
  /** @type {((room: Room) => void) | null} */
  let watching = null;
  const lock = button({ icon: "pause", text: say("page.room.lock_all"), look: "soft", testid: "lock-all", press: () => void lockAll() });
  const collect = make(
    "a",
    { className: "t-button t-soft", href: COLLECT, download: "", "data-testid": "collect" },
    icon("download"),
    make("span", {}, say("page.room.collect")),
  );
  const more = button({ icon: "more", label: say("page.room.menu"), testid: "room-menu" });
  const summary = make("p", { className: "c-summary", "data-testid": "room-summary" });
  const spoken = make("p", { className: "t-spoken", role: "status" });
  const speak = speaker(spoken);
  const help = button({ icon: "hand", text: "", look: "ghost", testid: "help-only", press: () => filter(!helpOnly) });
  help.append(make("span", {}));
  help.classList.remove("t-only-icon");
  help.classList.add("c-help-only");
  const grid = make("ul", { className: "c-grid", "data-testid": "pupils", "aria-label": say("page.room.pupils") });
  const empty = make("p", { className: "c-empty t-muted", "data-testid": "room-empty" }, say("page.room.empty"));
  const trouble = make("p", { className: "c-note c-trouble", role: "alert", hidden: true, "data-testid": "room-trouble" });
  const starter = make("p", { className: "c-starter", hidden: true, "data-testid": "room-starter" });

  const title = make("h1", { className: "t-spoken", tabIndex: -1 }, say("page.room.title"));
  const claims = claimsNotice({
    answer: (ids, allow) => attempt(() => request("POST", "/room/claims", { ids, allow })),
    leave: () => title.focus(),
  });
  const tools = make("div", { className: "c-tools" }, lock, collect, menu(more, items, { label: say("page.room.menu") }));
  const head = make("header", { className: "c-head" }, brand(), title, tools);
  const line = make("div", { className: "c-line" }, summary, help, starter);
  show(page, "room", head, claims.element, place.element, trouble, make("section", { className: "c-people" }, line, empty, grid), spoken);

  function items() {
    const joining = room?.open ?? true;
    return [
      { text: say("page.room.starter"), icon: icon("folder"), testid: "room-starter-choose", press: () => void choose() },
      {
        text: say(joining ? "page.room.close" : "page.room.open"),
        icon: icon(joining ? "lock" : "unlock"),
        testid: "room-open",
        press: () => void attempt(() => request("POST", "/room/open", { open: !joining })),
      },
      ...removed.slice(0, BRING_BACK).map((one) => ({
        text: say("page.room.bring_back", { name: one.name }),
        icon: icon("undo"),
        testid: "bring-back",
        press: () => void bringBack(one),
      })),
      { text: say("page.room.own"), icon: icon("photo"), testid: "room-own", press: () => location.assign("/?projects") },
      { text: say("page.room.sign_out"), icon: icon("close"), testid: "sign-out", press: () => void signOut() },
    ];
  }

  /** @param {boolean} only */
  function filter(only) {
    helpOnly = only;
    if (room) draw(room);
  }

  async function lockAll() {
    const locked = !room?.locked;
    if (await attempt(() => request("POST", "/room/lock", { visitor: null, locked }))) {
      tell(say(locked ? "page.room.locked_all" : "page.room.unlocked_all"));
    }
  }

  async function choose() {
    const chosen = await chooseStarter(room?.starter?.project ?? null);
    if (chosen === undefined) return;
    if (await attempt(() => request("POST", "/room/starter", { project: chosen }))) {
      tell(say(chosen ? "page.room.starter_given" : "page.room.starter_none"));
    }
  }

  /** @param {{ name: string, undo: string }} one */
  async function bringBack(one) {
    if (await attempt(() => request("POST", "/room/visitors/restore", { undo: one.undo }))) removed = removed.filter((other) => other !== one);
  }

  async function signOut() {
    await attempt(async () => {
      await request("POST", "/room/logout", {});
      return null;
    });
    await leave();
  }

  async function leave() {
    gone = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    await out();
  }

  const acts = {
    /** @param {Pupil} pupil */
    lock: (pupil) => attempt(() => request("POST", "/room/lock", { visitor: pupil.id, locked: !pupil.locked })),
    /** @param {Pupil} pupil */
    helped: (pupil) =>
      attempt(async () => {
        await request("POST", "/room/hand", { up: false, visitor: pupil.id });
        return request("GET", "/room");
      }),
    /** @param {Pupil} pupil */
    remove: async (pupil) => {
      await attempt(async () => {
        const { undo } = await request("DELETE", `/room/visitors/${encodeURIComponent(pupil.id)}`);
        const one = { name: pupil.name, undo };
        removed = [one, ...removed];
        offerUndo(say("page.room.removed", { name: pupil.name }), () => void bringBack(one));
        return request("GET", "/room");
      });
      empty.focus();
    },
  };

  /**
   * Do something, and show the room as it is then. A refusal is told.
   * @param {() => Promise<Room | null>} action
   * @returns {Promise<boolean>} whether it was done
   */
  async function attempt(action) {
    try {
      const mine = ++number;
      const told = await action();
      if (told && mine === number) draw(told);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 || error.status === 403) await leave();
      else tell(error.message, "problem");
      return false;
    }
  }

  async function look() {
    clearTimeout(timer);
    const mine = ++number;
    try {
      const told = await request("GET", "/room");
      if (mine === number) draw(told);
      trouble.hidden = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 || error.status === 403) return leave();
      trouble.hidden = false;
      write(trouble, error.message);
    }
    if (!gone && !document.hidden) timer = setTimeout(look, LOOK_MS);
    return undefined;
  }

  function wake() {
    if (!document.hidden && !gone) void look();
  }

  /** @param {Room} told */
  function draw(told) {
    const before = room;
    room = told;
    const waiting = told.visitors.filter((pupil) => pupil.hand);
    if (!waiting.length) helpOnly = false;
    const shown = helpOnly ? waiting : told.visitors;
    const there = new Set(told.visitors.map((pupil) => pupil.id));
    for (const id of cards.keys()) if (!there.has(id)) cards.delete(id);
    arrange(
      grid,
      shown.map((pupil) => {
        const card = cards.get(pupil.id) ?? pupilCard(acts);
        cards.set(pupil.id, card);
        card.update(pupil, told.locked);
        return card.element;
      }),
    );
    empty.hidden = told.visitors.length > 0;
    const photos = told.visitors.reduce((sum, pupil) => sum + pupil.photos, 0);
    const pupils = say("page.room.count", { count: told.visitors.length });
    write(summary, told.visitors.length ? `${pupils} · ${say("page.room.photos", { count: photos })}` : pupils);
    help.hidden = !waiting.length;
    help.setAttribute("aria-pressed", String(helpOnly));
    write(/** @type {Element} */ (help.lastElementChild), say("page.room.need_help", { count: waiting.length }));
    write(/** @type {Element} */ (lock.lastElementChild), say(told.locked ? "page.room.unlock_all" : "page.room.lock_all"));
    if (before?.locked !== told.locked) lock.firstElementChild?.replaceWith(icon(told.locked ? "next" : "pause"));
    lock.setAttribute("aria-pressed", String(told.locked));
    starter.hidden = !told.starter;
    if (told.starter) write(starter, say("page.room.starter_is", { name: told.starter.name }));
    place.update(told);
    watching?.(told);
    // Hands that went up and who stands at the door, and nothing else, are worth an interruption.
    const up = waiting.filter((pupil) => before && !before.visitors.find((one) => one.id === pupil.id)?.hand);
    const back = claims.update(told);
    const news = up.length ? [say("page.room.hand_up", { name: up.map((pupil) => pupil.name).join(", ") })] : [];
    if (back.length) news.push(say("page.claims.spoken", { name: back.join(", ") }));
    if (news.length) speak(news.join(" "));
  }

  empty.tabIndex = -1;
  document.addEventListener("visibilitychange", wake);
  await look();
}

/**
 * How to join, beside each other on a wide screen: the square to point a camera at, the address, and what it looks like.
 * @param {() => void} enlarge
 */
function joinPanel(enlarge) {
  const qr = make("img", { className: "c-qr", alt: say("page.room.qr"), "data-testid": "qr" });
  const address = make("p", { className: "c-address", dir: "ltr", "data-testid": "address" });
  const door = make("p", { className: "c-door", "data-testid": "door" });
  const large = button({ icon: "screen", text: say("page.room.large"), look: "primary", testid: "large", press: enlarge });
  const help = make("a", { className: "t-button t-quiet", href: "/join/help", target: "_blank", "data-testid": "warning-help" }, icon("question"), make("span", {}, say("page.room.warning_help")));
  const words = make("div", { className: "c-how" }, make("h2", { className: "c-how-title" }, say("page.room.join")), address, door, make("div", { className: "t-actions" }, large, help));
  const element = make("section", { className: "c-card c-join", "aria-label": say("page.room.join") }, qr, words);
  return {
    element,
    /** @param {Room} room */
    update(room) {
      const picture = pictureOf(room.qr);
      if (qr.src !== picture) qr.src = picture;
      write(address, plainAddress(room.address));
      write(door, say(room.open ? "page.room.is_open" : "page.room.is_closed"));
      door.dataset.open = String(room.open);
      element.dataset.open = String(room.open);
    },
  };
}

/**
 * An SVG text as the address of a picture: in it, nothing can run.
 * @param {string} svg
 */
export function pictureOf(svg) {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/**
 * What has to be typed: browsers add "http://" by themselves.
 * @param {string} address
 */
export function plainAddress(address) {
  return address.replace(/^http:\/\//, "").replace(/\/$/, "");
}
