/**
 * Where a pupil comes in: a name, one button, and their own project. It owns the states of this page; who may join and
 * what they get is the server's decision.
 */

import { ApiError, request } from "../studio/api.js";
import { brand } from "../studio/brand.js";
import { button, icon, make } from "../studio/dom.js";
import { say } from "../studio/words.js";
import { asking, show, startPage } from "./frame.js";

/** @typedef {import("./types.d.ts").Me} Me */

const LOOK_AGAIN_MS = 4000;
const LONGEST_NAME = 40;

const page = startPage();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Ask how the room stands, and show it. While it is closed or silent, ask again by itself. */
async function look() {
  clearTimeout(timer);
  /** @type {Me} */
  let me;
  try {
    me = await request("GET", "/room/me");
  } catch (error) {
    later();
    return showPlain("unreachable", say("page.join.unreachable.title"), why(error));
  }
  if (me.visitor) return showBack(me.visitor.name, me.open);
  if (me.open) return showForm(me.name);
  later();
  return showPlain("closed", say("page.join.closed.title"), say("page.join.closed.text"));
}

function later() {
  timer = setTimeout(look, LOOK_AGAIN_MS);
}

/**
 * A problem in words that fit someone who only knows their teacher's address.
 * @param {unknown} error
 */
function why(error) {
  if (!(error instanceof ApiError)) throw error;
  return error.status === 0 ? say("page.join.unreachable.text") : error.message;
}

/** @param {string} name of the room, may be empty */
function showForm(name) {
  if (page.dataset.state === "form") return;
  const { form, input } = asking({
    label: say("page.join.name"),
    hint: say("page.join.name.hint"),
    text: say("page.join.start"),
    testid: "join-name",
    longest: LONGEST_NAME,
    send: async (value) => {
      try {
        open((await request("POST", "/room/join", { name: value })).project);
      } catch (error) {
        throw new Error(why(error));
      }
    },
  });
  card("form", name ? say("page.join.title_of", { name }) : say("page.join.title"), form, privacy(), camera());
  input.focus();
}

/**
 * This browser has been here before.
 * @param {string} name
 * @param {boolean} joining whether somebody new may join
 */
function showBack(name, joining) {
  const go = button({
    text: say("page.join.go_on"),
    look: "primary",
    testid: "go-on",
    press: async () => {
      try {
        // Not to the project that was told: who deleted all they had is given a new one.
        open((await request("POST", "/room/join", { name: "" })).project);
      } catch (error) {
        problem.textContent = why(error);
      }
    },
  });
  go.classList.add("c-big");
  const other = button({
    text: say("page.join.somebody_else"),
    testid: "somebody-else",
    press: async () => {
      try {
        await request("POST", "/room/leave", {});
      } catch (error) {
        problem.textContent = why(error);
        return;
      }
      await look();
    },
  });
  const problem = make("p", { className: "c-problem", role: "alert" });
  const text = make("p", {}, say("page.join.back.text"));
  card("back", say("page.join.back.title", { name }), text, go, problem, ...(joining ? [other] : []), camera());
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
await look();
