/** The teacher's page: the password first, then the room. It owns which of the two is shown. */

import { ApiError, request } from "../studio/api.js";
import { brand } from "../studio/brand.js";
import { button, make } from "../studio/dom.js";
import { ready, say } from "../studio/words.js";
import { asking, show, startPage } from "./frame.js";
import { openRoom } from "./room.js";

await ready;

/** @typedef {import("./types.d.ts").Me} Me */

const page = startPage();
document.title = say("page.title", { name: say("page.room.title") });

async function look() {
  /** @type {Me} */
  let me;
  try {
    me = await request("GET", "/room/me");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const again = button({ text: say("page.try_again"), look: "soft", testid: "look-again", press: () => void look() });
    return card("unreachable", make("p", { role: "alert" }, error.message), again);
  }
  if (me.teacher) return openRoom(page, { out });
  return ask();
}

function ask() {
  const { form, input } = asking({
    label: say("page.room.password"),
    hint: say("page.room.password.hint"),
    text: say("page.room.sign_in"),
    testid: "password",
    type: "password",
    autocomplete: "current-password",
    send: async (password) => {
      await request("POST", "/room/login", { password });
      await look();
    },
  });
  card("password", form);
  input.focus();
}

/** The teacher left, or has to give the password again: the server was restarted with another one. */
async function out() {
  await look();
}

/**
 * @param {string} state
 * @param {...Element} content
 */
function card(state, ...content) {
  show(page, state, brand(), make("section", { className: "c-card c-narrow" }, make("h1", { className: "c-title" }, say("page.room.title")), ...content));
}

await look();
