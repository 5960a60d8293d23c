/**
 * Why the browser warns, and what to press: in words and in pictures, for the browser in hand first. It owns which
 * browser is shown; the pictures are drawn in `drawings.js`.
 */

import { brand } from "../studio/brand.js";
import { arrowKeys, button, icon, make } from "../studio/dom.js";
import { ready, say } from "../studio/words.js";
import { drawing } from "./drawings.js";
import { show, startPage } from "./frame.js";

await ready;

/** Browsers that warn each in their own way; `steps` of them have a picture. */
const BROWSERS = /** @type {const} */ ([
  { id: "chrome", steps: 2 },
  { id: "safari", steps: 3 },
  { id: "firefox", steps: 2 },
  { id: "edge", steps: 2 },
]);

const page = startPage();
document.title = say("page.title", { name: say("page.warn.title") });
/** Filled in by the server that may only send people on to the safe address. */
const secure = document.querySelector("meta[name=secure]")?.getAttribute("content") ?? "";
const host = secure ? new URL(secure).host : location.host;

const panel = make("div", { id: "steps", className: "c-steps", role: "tabpanel", tabIndex: 0, "data-testid": "steps" });
const tabs = BROWSERS.map(({ id }) =>
  button({ text: say(`page.warn.${id}`), look: "ghost", testid: `warn-${id}`, press: () => choose(id) }),
);
const tablist = make("div", { className: "t-tabs", role: "tablist", "aria-label": say("page.warn.which") }, ...tabs);
for (const tab of tabs) {
  tab.className = "t-tab";
  tab.setAttribute("role", "tab");
  tab.setAttribute("aria-controls", panel.id);
}
arrowKeys(tablist, tabs);

/** @param {(typeof BROWSERS)[number]["id"]} id */
function choose(id) {
  const browser = BROWSERS.find((one) => one.id === id) ?? BROWSERS[0];
  tabs.forEach((tab, place) => {
    const chosen = BROWSERS[place] === browser;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) panel.setAttribute("aria-label", tab.textContent ?? "");
  });
  const steps = Array.from({ length: browser.steps }, (_, place) => {
    const words = say(`page.warn.${browser.id}.step${place + 1}`, { host });
    return make("li", { className: "c-step" }, drawing(browser.id, place, host), make("p", {}, make("b", { "aria-hidden": "true" }, `${place + 1}`), make("span", {}, words)));
  });
  panel.replaceChildren(make("ol", {}, ...steps));
}

/** The browser in hand, as far as it says. On iPhones and iPads all of them show Safari's warning, but for Chrome. */
function inHand() {
  const agent = navigator.userAgent;
  if (/EdgA?\//.test(agent)) return "edge";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Chrome\/|CriOS\//.test(agent)) return "chrome";
  return /Safari\/|EdgiOS|FxiOS/.test(agent) ? "safari" : "chrome";
}

const go = secure
  ? make("a", { className: "t-button t-primary c-big", href: secure, "data-testid": "go-on" }, say("page.warn.go_on"))
  : null;
show(
  page,
  "help",
  brand(),
  make(
    "section",
    { className: "c-card c-help" },
    make("h1", { className: "c-title" }, say("page.warn.title")),
    make("p", {}, say("page.warn.text")),
    make("h2", { className: "c-help-title" }, say("page.warn.what")),
    tablist,
    panel,
    go,
    make("div", { className: "c-note" }, icon("info"), make("div", {}, make("p", {}, say("page.warn.why")), make("p", {}, say("page.warn.only")))),
  ),
);
choose(inHand());
