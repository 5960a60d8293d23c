/**
 * Who wants their place back, above everything else on the teacher's page. It owns that notice; what is pressed is done
 * by `room.js`. Nothing in it moves while a mouse or the keyboard is in it: new ones come last, and who has been
 * answered stays where they were.
 */

import { arrange, button, icon, make, write } from "../studio/dom.js";
import { clockTime, say } from "../studio/words.js";

/** @typedef {import("./types.d.ts").Room} Room */
/** @typedef {import("./types.d.ts").Claim} Claim */
/** @typedef {{ twice: boolean, inUse: boolean }} Doubts */

/**
 * @param {{ answer: (ids: string[], allow: boolean) => Promise<boolean>, leave: () => void }} acts `leave`: takes the
 *   focus where nothing is left to answer
 */
export function claimsNotice({ answer, leave }) {
  /** @type {Map<string, ReturnType<typeof claimRow>>} */
  const rows = new Map();
  /** @type {string[]} */
  let clear = [];

  const title = make("h2", { className: "c-claims-title", "data-testid": "claims-title" });
  const all = button({ icon: "check", text: say("page.claims.allow_all"), look: "primary", testid: "claims-all", press: () => void decide(clear, true) });
  const list = make("ul", { className: "c-claims-list" });
  const element = make(
    "section",
    { className: "c-claims", hidden: true, "data-testid": "claims" },
    make("div", { className: "c-claims-head" }, make("div", { className: "c-claims-words" }, title, make("p", { className: "c-claims-look" }, say("page.claims.look"))), all),
    list,
  );

  /**
   * @param {string[]} ids
   * @param {boolean} allow
   */
  async function decide(ids, allow) {
    const had = focused();
    for (const id of ids) rows.get(id)?.answer(allow);
    await answer(ids, allow);
    for (const id of ids) rows.get(id)?.answered();
    // What was pressed is gone, and with it the focus.
    if (had && !focused()) focusNext();
  }

  /** Whether the focus is on something in here that is seen: it stays a moment longer on what was hidden. */
  function focused() {
    const active = document.activeElement;
    return element.contains(active) && active instanceof HTMLElement && active.offsetParent !== null;
  }

  function focusNext() {
    const next = [...rows.values()].find((row) => row.waits());
    if (next) next.focus();
    else leave();
  }

  return {
    element,
    /**
     * @param {Room} room
     * @returns {string[]} the names of those who are new
     */
    update(room) {
      const had = focused();
      const waiting = new Map(room.claims.map((claim) => [claim.id, claim]));
      const still = waiting.size > 0 && (element.matches(":hover") || had);
      for (const [id, row] of rows) {
        const there = waiting.has(id);
        if (!there && still) row.end();
        else if (!there) rows.delete(id);
      }
      const fresh = [];
      for (const claim of room.claims) {
        const row = rows.get(claim.id) ?? claimRow((allow) => void decide([claim.id], allow));
        if (row.update(claim, doubts(claim, room))) fresh.push(claim.name);
        rows.set(claim.id, row);
      }
      arrange(list, [...rows.values()].map((row) => row.element));
      clear = room.claims.filter((claim) => !doubts(claim, room).twice).map((claim) => claim.id);
      if (waiting.size) write(title, say("page.claims.title", { count: waiting.size }));
      all.hidden = clear.length < 2;
      element.hidden = waiting.size === 0;
      if (had && !focused()) focusNext();
      return fresh;
    },
  };
}

/**
 * What speaks for a second look.
 * @param {Claim} claim
 * @param {Room} room
 * @returns {Doubts}
 */
function doubts(claim, room) {
  return {
    twice: room.claims.filter((one) => one.visitor === claim.visitor).length > 1,
    inUse: room.visitors.some((one) => one.id === claim.visitor && one.online),
  };
}

/** @param {(allow: boolean) => void} decide */
function claimRow(decide) {
  /** What was pressed last. @type {boolean | null} */
  let told = null;
  let busy = false;
  let waiting = false;
  const name = make("strong", { className: "c-name", dir: "auto", "data-testid": "claim-name" });
  const asked = make("span", { className: "t-muted" });
  const doubt = make("p", { className: "c-claim-doubt", hidden: true, "data-testid": "claim-doubt" }, icon("warning"), make("span", {}));
  const allow = button({ text: say("page.claims.allow"), look: "soft", testid: "claim-allow", press: () => busy || decide(true) });
  const refuse = button({ text: say("page.claims.refuse"), testid: "claim-refuse", press: () => busy || decide(false) });
  const acts = make("div", { className: "c-claim-acts" }, allow, refuse);
  const outcome = make("p", { className: "c-claim-outcome t-muted", hidden: true, "data-testid": "claim-outcome" });
  const element = make("li", { className: "c-claim", "data-testid": "claim" }, make("p", { className: "c-claim-who" }, name, asked), acts, outcome, doubt);
  return {
    element,
    /** @param {boolean} allowed */
    answer(allowed) {
      told = allowed;
      busy = true;
    },
    answered() {
      busy = false;
    },
    waits: () => waiting && !busy,
    focus: () => allow.focus(),
    /** It is not asked any more. */
    end() {
      waiting = false;
      show();
      write(outcome, told === null ? say("page.claims.over") : say(told ? "page.claims.allowed" : "page.claims.refused"));
    },
    /**
     * @param {Claim} claim
     * @param {Doubts} why
     * @returns {boolean} whether it was not asked before
     */
    update(claim, { twice, inUse }) {
      const before = waiting;
      waiting = true;
      if (!before) told = null;
      write(name, claim.name);
      write(asked, say("page.claims.asked", { time: clockTime(claim.asked) }));
      allow.setAttribute("aria-label", say("page.claims.allow_one", { name: claim.name }));
      refuse.setAttribute("aria-label", say("page.claims.refuse_one", { name: claim.name }));
      show(twice || inUse);
      if (twice || inUse) write(/** @type {Element} */ (doubt.lastElementChild), twice ? say("page.claims.twice", { name: claim.name }) : say("page.claims.in_use"));
      return !before;
    },
  };

  function show(doubtful = false) {
    acts.hidden = !waiting;
    outcome.hidden = waiting;
    doubt.hidden = !doubtful;
  }
}
