/**
 * The page of all projects: a sheet over the whole window with an address of its own, `?projects`.
 *
 * It owns that address and what is listed; one project is `shelf-card.js`, the bin is `shelf-bin.js`.
 */

import { arrange, button, icon, make, once, write } from "./dom.js";
import { chooseFile } from "./import.js";
import { importChips } from "./import-chip.js";
import { words } from "./project.js";
import { binSection } from "./shelf-bin.js";
import { shelfCard } from "./shelf-card.js";
import { askShelf, newProject, openFromShelf } from "./shelf-store.js";
import { state, subscribe } from "./store.js";
import { say, size } from "./words.js";

const ADDRESS = "projects";
/** So many projects are found by looking. */
const SEARCH_FROM = 13;
const ASK_MS = 1000;

/** @type {HTMLDialogElement | null} */
let open = null;

/** Follow the address. Once per page. */
export function startShelf() {
  const follow = () => {
    const wanted = new URLSearchParams(location.search).has(ADDRESS);
    if (wanted && !open) show();
    else if (!wanted) open?.close();
  };
  addEventListener("popstate", follow);
  follow();
}

/** Open it, with its address. */
export function openShelf() {
  if (open) return;
  const url = new URL(location.href);
  url.searchParams.set(ADDRESS, "");
  history.pushState({ shelf: true }, "", url);
  show();
}

/** Leave its address: back to where it was opened, or to the same page without it. */
function leaveAddress() {
  const url = new URL(location.href);
  if (!url.searchParams.has(ADDRESS)) return;
  url.searchParams.delete(ADDRESS);
  if (history.state?.shelf) history.back();
  else history.replaceState(null, "", url);
}

function show() {
  /** @type {Map<string, ReturnType<typeof shelfCard>>} */
  const cards = new Map();
  /** @type {import("./types.d.ts").Shelf | null} */
  let known = null;
  let turn = 0;
  /** Project whose card gets the focus when it is there. @type {string | null} */
  let wanted = null;
  let closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const title = make("h2", { className: "t-dialog-title" }, say("page.shelf.title"));
  const close = button({ icon: "close", label: say("page.close"), testid: "shelf-close", press: () => dialog.close() });
  const fresh = button({ icon: "plus", text: say("page.project.new"), look: "primary", testid: "shelf-new", press: once(begin) });
  const file = button({ icon: "upload", text: say("page.import.open"), look: "soft", testid: "shelf-file", press: () => chooseFile() });
  const search = make("input", { type: "search", className: "t-search", "data-testid": "shelf-search", placeholder: say("page.shelf.search"), "aria-label": say("page.shelf.search"), hidden: true, on: { input: update } });
  const reason = make("p", {});
  const again = button({ text: say("page.try_again"), look: "soft", testid: "shelf-again", press: () => void load() });
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "shelf-problem" }, icon("warning"), make("div", {}, reason, make("div", { className: "t-actions" }, again)));
  const list = make("ul", { className: "t-shelf", "data-testid": "shelf-list" });
  const found = make("p", { className: "t-muted t-shelf-found", role: "status", "data-testid": "shelf-found" });
  const broken = make("ul", { className: "t-broken", "data-testid": "shelf-damaged" });
  const bin = binSection({ restored: (id) => (wanted = id) });
  const room = make("p", { className: "t-muted", "data-testid": "shelf-room" });
  const sheet = make(
    "div",
    { className: "t-shelf-sheet" },
    make("header", { className: "t-dialog-head" }, title, importChips(), close),
    make("div", { className: "t-shelf-tools" }, fresh, file, search),
    make("div", { className: "t-shelf-scroll" }, problem, found, list, broken, bin.element, room),
  );
  const dialog = make("dialog", { className: "t-root t-dialog t-shelf-dialog", "data-testid": "shelf", "aria-label": say("page.shelf.title") }, sheet);

  async function load() {
    const mine = ++turn;
    try {
      const answer = await askShelf();
      if (mine !== turn || closed) return;
      known = answer;
      problem.hidden = true;
      // What takes up how much is measured in the background.
      clearTimeout(timer);
      if (answer.projects.some(({ bytes }) => bytes === null)) timer = setTimeout(() => void load(), ASK_MS);
    } catch (error) {
      if (mine !== turn || closed) return;
      problem.hidden = false;
      write(reason, words(error));
    }
    update();
  }

  async function begin() {
    const project = await newProject();
    if (project) await choose(project.id);
  }

  /** @param {string} id */
  async function choose(id) {
    if (id !== state.project?.id || state.problem) {
      await openFromShelf(id);
      // It took over the address; there is nothing to go back to.
      const url = new URL(location.href);
      url.searchParams.delete(ADDRESS);
      history.replaceState(null, "", url);
    }
    dialog.close();
  }

  function update() {
    if (!known) return;
    const { projects } = known;
    const sought = search.value.trim().toLowerCase();
    search.hidden = projects.length < SEARCH_FROM && !sought;
    const fits = projects.filter(({ project }) => [project.name, ...project.classes.map(({ name }) => name)].some((name) => name.toLowerCase().includes(sought)));
    const there = new Set(projects.map(({ project }) => project.id));
    for (const id of cards.keys()) if (!there.has(id)) cards.delete(id);
    const elements = fits.map((one) => {
      const { id } = one.project;
      const card = cards.get(id) ?? shelfCard(one, { open: (other) => void choose(other), copied: (copy) => (wanted = copy), removed: () => fresh.focus() });
      cards.set(id, card);
      card.update(id === state.project?.id ? { ...one, project: state.project } : one);
      return card.element;
    });
    // Who is writing a name is not disturbed: a field that is moved loses the focus, and with it what Escape takes back.
    if (document.activeElement instanceof HTMLInputElement && list.contains(document.activeElement)) {
      const places = new Map([...list.children].map((element, place) => [element, place]));
      elements.sort((one, other) => (places.get(one) ?? Infinity) - (places.get(other) ?? Infinity) || 0);
    }
    arrange(list, elements);
    write(found, sought ? say("page.shelf.found", { count: fits.length }) : "");
    broken.replaceChildren(...known.damaged.map(({ message }) => make("li", { className: "t-notice t-notice-problem" }, icon("warning"), make("p", {}, message))));
    bin.update(known.bin, known.days);
    const guest = document.documentElement.dataset.visitor !== undefined;
    write(room, say(guest ? "page.shelf.room_visitor" : "page.shelf.room", { used: size(known.bytes), free: size(known.free) }));
    if (wanted !== null) cards.get(wanted)?.focus();
    if (wanted !== null && cards.has(wanted)) wanted = null;
  }

  /** A project that was opened in its own right is what a person wants to see now. */
  function follow() {
    if (new URLSearchParams(location.search).has(ADDRESS)) update();
    else dialog.close();
  }

  const unsubscribe = [subscribe("shelf", () => void load()), subscribe("project", follow)];
  dialog.addEventListener("close", () => {
    closed = true;
    clearTimeout(timer);
    open = null;
    for (const end of unsubscribe) end();
    dialog.remove();
    leaveAddress();
  });
  open = dialog;
  document.body.append(dialog);
  dialog.showModal();
  title.tabIndex = -1;
  title.focus();
  void load().then(() => (dialog.dataset.ready = "true"));
}

