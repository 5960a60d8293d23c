/**
 * The Studio in a classroom: a line above the page that says whose project it is, lets a pupil ask for help, and tells
 * what the teacher decided. It owns that line and asking how things stand; everything is decided by the server.
 */

import { ApiError, request } from "./api.js";
import { button, icon, make, once, write } from "./dom.js";
import { limitFiles } from "./imports.js";
import { openProject, words } from "./project.js";
import { state, subscribe } from "./store.js";
import { tell } from "./toasts.js";
import { stuck, tryAgain } from "./uploads.js";
import { megabytes, say } from "./words.js";

/** @typedef {import("../classroom/types.d.ts").Me} Me */
/** @typedef {import("../classroom/types.d.ts").Room} Room */
/** @typedef {import("../classroom/types.d.ts").Visitor} Visitor */

const LOOK_MS = 3000;
/** From this share of what a visitor may use, the page says how much is left. */
const NEAR = 0.8;
/** What a pause holds still. The preview goes on, and so does looking at the report. */
const PAUSED = ["studio-classes", "training"];

let started = false;

/**
 * Put the line above the header, if this server is a classroom's. Once per page.
 * @param {HTMLElement} place the header's
 */
export async function startVisitor(place) {
  if (started) return;
  started = true;
  await begin(place);
}

/** @param {HTMLElement} place */
async function begin(place) {
  /** @type {Me | null} */
  const me = await ask(here());
  // Without an answer it is not known whose page this is, and where what is recorded goes.
  if (!me) setTimeout(() => void begin(place), LOOK_MS);
  if (!me?.classroom) return;
  if (me.teacher) await helping(place);
  else if (me.visitor) visiting(place, me.visitor);
}

/** The question who this is; opened by its link on another device, the project tells. */
function here() {
  return `/room/me?project=${encodeURIComponent(state.project?.id ?? "")}`;
}

/**
 * @param {string} path
 * @returns {Promise<any>} null where nothing answers; the page says so elsewhere
 */
async function ask(path) {
  try {
    return await request("GET", path);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return null;
  }
}

/**
 * The line of a pupil.
 * @param {HTMLElement} place
 * @param {Visitor} visitor
 */
function visiting(place, visitor) {
  document.documentElement.dataset.visitor = visitor.id;
  let now = visitor;
  /** What was pressed is newer than an answer on its way. */
  let number = 0;
  const hand = button({ icon: "hand", text: say("page.visitor.hand"), look: "soft", testid: "hand", press: once(raise) });
  const name = make("p", { className: "t-visitor-name t-strong", dir: "auto", "data-testid": "visitor-name" }, visitor.name);
  const locked = notice("pause", "visitor-locked", "status");
  const near = notice("info", "visitor-near", "status");
  const starter = notice("folder", "visitor-starter", "status");
  starter.add(
    button({ text: say("page.visitor.starter.take"), look: "soft", testid: "starter-take", press: () => void answer(true) }),
    button({ text: say("page.visitor.starter.leave"), look: "ghost", testid: "starter-leave", press: () => void answer(false) }),
  );
  place.prepend(
    make("section", { className: "t-root t-visitor", "data-testid": "visitor", "aria-label": visitor.name }, make("div", { className: "t-visitor-line" }, name, hand), locked.element, starter.element, near.element),
  );
  const privacy = document.querySelector("[data-testid=privacy]");
  if (privacy?.lastChild) privacy.lastChild.textContent = say("page.visitor.privacy");

  async function raise() {
    try {
      number += 1;
      await request("POST", "/room/hand", { up: !now.hand, visitor: null });
      number += 1;
      show({ ...now, hand: !now.hand });
    } catch (error) {
      tell(words(error), "problem");
    }
  }

  let answering = false;
  /** @param {boolean} take */
  async function answer(take) {
    // Copying many photos takes a moment, in which it is pressed again.
    if (answering) return;
    answering = true;
    try {
      number += 1;
      const { project } = await request("POST", "/room/starter/answer", { take });
      number += 1;
      show({ ...now, starter: null });
      if (project) await openProject(project);
    } catch (error) {
      tell(words(error), "problem");
    } finally {
      answering = false;
    }
  }

  /** Removed from the class: what the page offers then, joining for one, is not held still. */
  function gone() {
    now = { ...now, locked: false };
    hand.hidden = true;
    for (const one of [locked, starter, near]) one.say("");
    pause(false);
  }

  /** @param {Visitor} told */
  function show(told) {
    const before = now;
    now = told;
    hand.hidden = false;
    write(/** @type {Element} */ (hand.lastElementChild), say(told.hand ? "page.visitor.hand_up" : "page.visitor.hand"));
    hand.setAttribute("aria-pressed", String(told.hand));
    hand.title = told.hand ? say("page.visitor.hand_up.help") : "";
    locked.say(told.locked ? say("page.visitor.locked") : "");
    starter.say(told.starter ? say("page.visitor.starter", { name: told.starter.name }) : "");
    near.say(nearly(told));
    pause(told.locked);
    limitFiles(told.limits.bytes);
    if (before.locked && !told.locked) {
      tell(say("page.visitor.unlocked"));
      // What was recorded in the moment of the pause is still here, and goes now.
      if (stuck()) tryAgain();
    }
  }

  every(async () => {
    const mine = number;
    /** @type {Me | null} */
    const told = await ask(here());
    if (mine !== number) return;
    if (told?.visitor) show(told.visitor);
    else if (told) gone();
  });
  show(visitor);
}

/**
 * What to say to somebody who has nearly used up what they may.
 * @param {Visitor} visitor
 */
function nearly({ limits, photos, bytes }) {
  if (photos >= NEAR * limits.photos) return say("page.visitor.near_photos", { photos, most: limits.photos });
  if (bytes >= NEAR * limits.bytes) return say("page.visitor.near_bytes", { used: megabytes(bytes), most: megabytes(limits.bytes) });
  return "";
}

/**
 * Hold still what changes the project. Photos on their way stay in the page.
 * @param {boolean} still
 */
function pause(still) {
  document.documentElement.toggleAttribute("data-paused", still);
  for (const id of PAUSED) document.getElementById(id)?.toggleAttribute("inert", still);
}

/**
 * The line of the teacher: whose project this is, and the way back.
 * @param {HTMLElement} place
 */
async function helping(place) {
  const whose = make("p", { className: "t-visitor-name", dir: "auto", "data-testid": "helping" });
  const back = make("a", { className: "t-button t-soft", href: "/classroom", "data-testid": "to-room" }, icon("people"), make("span", {}, say("page.visitor.to_room")));
  place.prepend(make("section", { className: "t-root t-visitor", "data-testid": "visitor", "aria-label": say("page.room.title") }, make("div", { className: "t-visitor-line" }, whose, back)));
  /** @type {string | null} */
  let asked = null;
  async function show() {
    const id = state.project?.id ?? null;
    if (id === asked) return;
    asked = id;
    /** @type {Room | null} */
    const room = id && (await ask("/room"));
    if (id !== asked) return;
    // Whose it is must not be guessed.
    write(whose, "");
    if (!room) {
      asked = null;
      setTimeout(() => void show(), LOOK_MS);
      return;
    }
    const pupil = room.visitors.find((one) => one.project === id);
    write(whose, pupil ? say("page.visitor.helping", { name: pupil.name }) : say("page.visitor.own"));
  }
  subscribe("project", () => void show());
  await show();
}

/**
 * Something the teacher or the server has to say, hidden while there is nothing.
 * @param {Parameters<typeof icon>[0]} picture
 * @param {string} testid
 * @param {string} role
 */
function notice(picture, testid, role) {
  const text = make("p", {});
  const acts = make("div", { className: "t-actions", hidden: true });
  // Screen readers speak what comes into an element that was there before.
  const element = make("div", { className: "t-visitor-notice", role, "data-testid": testid }, icon(picture), make("div", {}, text, acts));
  element.dataset.empty = "true";
  return {
    element,
    /** @param {...HTMLElement} buttons */
    add(...buttons) {
      acts.append(...buttons);
    },
    /** @param {string} words */
    say(words) {
      write(text, words);
      acts.hidden = !words || !acts.childElementCount;
      element.dataset.empty = String(!words);
    },
  };
}

/**
 * Do something now and then while the page is seen.
 * @param {() => Promise<void>} action
 */
function every(action) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  async function turn() {
    clearTimeout(timer);
    await action();
    if (!document.hidden) timer = setTimeout(turn, LOOK_MS);
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void turn();
  });
  timer = setTimeout(turn, LOOK_MS);
}
