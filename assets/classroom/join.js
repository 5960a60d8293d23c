/**
 * Where a pupil comes in: a name, one button, and their own project. It owns the states of this page; who may join and
 * what they get is the server's decision, and whether somebody gets their place back the teacher's.
 */

import { ApiError, request } from "../studio/api.js";
import { brand } from "../studio/brand.js";
import { button, icon, make, write } from "../studio/dom.js";
import { ready, say } from "../studio/words.js";
import { asking, reason, show, startPage } from "./frame.js";
import { askedCard, knownCard, refusedCard } from "./seat.js";

await ready;

/** @typedef {import("./types.d.ts").Me} Me */
/** @typedef {import("./types.d.ts").Joined} Joined */
/** @typedef {import("./types.d.ts").Known} Known */

const LOOK_AGAIN_MS = 4000;
/** While the teacher is asked, a class waits. */
const LOOK_SOON_MS = 1500;
const LONGEST_NAME = 40;

const page = startPage();
const spoken = make("p", { className: "t-spoken", role: "status" });
page.after(make("div", { className: "t-root" }, spoken));
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** What was pressed is newer than an answer on its way. */
let number = 0;
/** Somebody new may join. */
let joining = true;
let typed = "";
/** The field with the name, and the card of who waits, while they are shown. @type {HTMLInputElement | null} */
let field = null;
/** @type {ReturnType<typeof askedCard> | null} */
let waiting = null;
/** Whose place was asked for, and whether the server has said that it knows of it. */
let asked = "";
let confirmed = false;

/** Ask how the room stands, and show it. While it is closed or silent, or the teacher is asked, ask again by itself. */
async function look() {
  clearTimeout(timer);
  const mine = ++number;
  /** @type {Me} */
  let me;
  try {
    me = await request("GET", "/room/me");
  } catch (error) {
    if (mine !== number) return undefined;
    if (waiting) {
      waiting.say(why(error));
      return later(LOOK_SOON_MS);
    }
    later();
    return showPlain("unreachable", say("page.join.unreachable.title"), why(error));
  }
  if (mine !== number) return undefined;
  joining = me.open;
  if (me.claim) {
    asked = me.claim.name;
    confirmed = true;
    return me.claim.state === "waiting" ? showAsked(me.claim.name) : showRefused(me.claim.name);
  }
  if (waiting) return waited(me);
  if (me.visitor) return showBack(me.visitor.name, me.open);
  if (!me.open) later();
  return showForm(me);
}

/**
 * Nothing is waited for any more.
 * @param {Me} me
 */
async function waited(me) {
  const again = confirmed;
  confirmed = false;
  try {
    if (me.visitor?.name === asked) return await goOn();
    // Teachable was started anew and knows of nobody who waits: they go on waiting. Not where the browser keeps nothing.
    if (again) return await ask(asked);
  } catch (error) {
    if (!me.visitor) return showForm(me, reason(error));
  }
  return me.visitor ? showBack(me.visitor.name, me.open) : showForm(me, say("page.join.forgotten"));
}

function later(delay = LOOK_AGAIN_MS) {
  timer = setTimeout(look, delay);
}

/**
 * A problem in words that fit someone who only knows their teacher's address.
 * @param {unknown} error
 */
function why(error) {
  if (!(error instanceof ApiError)) throw error;
  return error.status === 0 ? say("page.join.unreachable.text") : error.message;
}

/**
 * Join, or ask for a place.
 * @param {{ name: string, back?: boolean }} body
 */
async function join(body) {
  number += 1;
  clearTimeout(timer);
  try {
    /** @type {Joined} */
    const { project } = await request("POST", "/room/join", body);
    if (project !== null) return open(project);
    asked = body.name;
    confirmed = false;
    return showAsked(asked);
  } catch (error) {
    if (error instanceof ApiError && error.key === "room_name_known") return showKnown(body.name, /** @type {Known} */ (error.values));
    if (page.dataset.state === "closed") later();
    throw new Error(why(error));
  }
}

/** @param {string} name */
function ask(name) {
  return join({ name, back: true });
}

function goOn() {
  // Not to the project that was told: who deleted all they had is given a new one.
  return join({ name: "" });
}

/** Somebody else is here now, or the teacher is not to be asked any more. */
async function leave() {
  number += 1;
  clearTimeout(timer);
  try {
    await request("POST", "/room/leave", {});
  } catch (error) {
    if (waiting) later(LOOK_SOON_MS);
    throw new Error(why(error));
  }
  waiting = null;
  delete page.dataset.state;
  await look();
}

/**
 * The field for a name. Where nobody new can join, it lets back in who was here before.
 * @param {{ name: string, open: boolean }} room
 * @param {string} [trouble] what went wrong before
 */
function showForm(room, trouble = "") {
  const state = room.open ? "form" : "closed";
  if (page.dataset.state === state) return;
  // The door was opened while somebody was writing.
  const value = field?.value || typed;
  const { form, input } = asking({
    label: say(room.open ? "page.join.name" : "page.join.closed.name"),
    hint: room.open ? say("page.join.name.hint") : undefined,
    text: say(room.open ? "page.join.start" : "page.join.closed.start"),
    testid: "join-name",
    longest: LONGEST_NAME,
    value,
    send: (name) => {
      typed = name;
      return join({ name });
    },
  });
  const problem = form.querySelector("[role=alert]");
  if (problem) problem.textContent = trouble;
  if (room.open) card(state, room.name ? say("page.join.title_of", { name: room.name }) : say("page.join.title"), form, privacy(), camera());
  else {
    const text = say("page.join.closed.text");
    card(state, say("page.join.closed.title"), make("p", {}, text), make("p", { className: "t-muted" }, say("page.join.waiting")), form);
    write(spoken, text);
  }
  field = input;
  input.focus();
}

/**
 * @param {string} name as it was typed
 * @param {Known} known
 */
function showKnown(name, known) {
  seat("known", knownCard(name, known, { open: joining, ask, other: () => join({ name, back: false }), again: restart }));
}

/** @param {string} name whose place it is */
function showAsked(name) {
  later(LOOK_SOON_MS);
  if (page.dataset.state === "asked") return waiting?.say("");
  const made = askedCard(name, { cancel: leave });
  seat("asked", made);
  waiting = made;
  return undefined;
}

/** @param {string} name whose place it is */
function showRefused(name) {
  if (page.dataset.state === "refused") return;
  const other = () => (typed ? join({ name: typed, back: false }) : leave());
  seat("refused", refusedCard(name, { open: joining, ask: () => ask(name), other, again: () => void leave().catch(() => look()) }));
}

/** To the field again, with what was written in it. */
function restart() {
  delete page.dataset.state;
  void look();
}

/**
 * A card about a place in the class. Where it begins is where one goes on reading.
 * @param {string} state
 * @param {import("./seat.js").Card} content
 */
function seat(state, { title, text, content }) {
  card(state, title, make("p", {}, text), ...content);
  write(spoken, text);
  const heading = page.querySelector("h1");
  if (heading) heading.tabIndex = -1;
  heading?.focus();
}

/**
 * This browser has been here before.
 * @param {string} name
 * @param {boolean} open whether somebody new may join
 */
function showBack(name, open) {
  /** @param {() => Promise<unknown>} action */
  const attempt = (action) => async () => {
    try {
      await action();
    } catch (error) {
      problem.textContent = reason(error);
    }
  };
  const go = button({ text: say("page.join.go_on"), look: "primary", testid: "go-on", press: attempt(goOn) });
  go.classList.add("c-big");
  const other = button({ text: say("page.join.somebody_else"), testid: "somebody-else", press: attempt(leave) });
  const problem = make("p", { className: "c-problem", role: "alert" });
  const text = make("p", {}, say("page.join.back.text"));
  card("back", say("page.join.back.title", { name }), text, go, problem, ...(open ? [other] : []), camera());
  go.focus();
}

/**
 * @param {string} state
 * @param {string} title
 * @param {string} text
 */
function showPlain(state, title, text) {
  if (page.dataset.state === state) return;
  const again = button({ text: say("page.try_again"), look: "soft", testid: "look-again", press: () => void look() });
  card(state, title, make("p", { role: "status" }, text), make("p", { className: "t-muted" }, say("page.join.waiting")), again);
}

/**
 * @param {string} state
 * @param {string} title
 * @param {...Element | null} content
 */
function card(state, title, ...content) {
  if (field) typed = field.value.trim();
  field = null;
  waiting = null;
  const there = content.filter((one) => one !== null);
  document.title = say("page.title", { name: title });
  show(page, state, brand(), make("section", { className: "c-card c-narrow" }, make("h1", { className: "c-title", dir: "auto" }, title), ...there));
}

function privacy() {
  return make("p", { className: "c-privacy t-muted", "data-testid": "privacy" }, icon("lock"), make("span", {}, say("page.visitor.privacy")));
}

/** Where the browser gives no camera because the address is not a safe one, that is said before anybody looks for it. */
function camera() {
  if (isSecureContext) return null;
  const link = make("a", { className: "t-button t-soft", href: "/join/help", "data-testid": "join-help" }, say("page.join.help"));
  return make(
    "div",
    { className: "c-note", "data-testid": "no-camera" },
    icon("camera"),
    make("div", {}, make("p", {}, say("page.join.no_camera")), link),
  );
}

/** @param {string} project */
function open(project) {
  location.assign(`/?project=${encodeURIComponent(project)}`);
}

// A page that the browser kept aside knows nothing of what was done since.
addEventListener("pageshow", (event) => event.persisted && void look());
// Phones let no page ask while it is not seen.
document.addEventListener("visibilitychange", () => void (waiting && !document.hidden && look()));
await look();
