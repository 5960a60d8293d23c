/** One project on the page of all projects: pictures, name, counts, size, and what can be done with it. */

import { photosZipUrl, projectZipUrl, thumbnailUrl } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { menu } from "./menu.js";
import { nameField } from "./name.js";
import { binProject, duplicate, renameFromShelf } from "./shelf-store.js";
import { openStorage } from "./shelf-storage.js";
import { state } from "./store.js";
import { day, list, moment, say, size } from "./words.js";

/** @typedef {import("./types.d.ts").ShelfProject} ShelfProject */

/** Names of classes that fit below a project. */
const NAMED = 4;

/**
 * @param {ShelfProject} first
 * @param {{ open: (id: string) => void, copied: (id: string) => void, removed: () => void }} on
 */
export function shelfCard(first, on) {
  let shown = first;
  /** @type {string | null} */
  let covers = null;
  const { id } = first.project;
  const pictures = make("span", { className: "t-cover" });
  const cover = make("button", { type: "button", className: "t-cover-button", "data-testid": "shelf-open", on: { click: () => on.open(id) } }, pictures);
  const name = nameField({ label: say("page.project.name"), testid: "shelf-name", save: (text) => renameFromShelf(id, text) });
  const here = make("span", { className: "t-badge t-badge-strong", "data-testid": "shelf-here" }, say("page.shelf.here"));
  const more = button({ icon: "more", label: say("page.shelf.menu"), testid: "shelf-menu" });
  const commands = menu(more, items, { label: say("page.shelf.menu") });
  const classes = make("p", { className: "t-shelf-classes", dir: "auto" });
  const counts = make("p", { className: "t-shelf-counts", "data-testid": "shelf-counts" });
  const when = make("p", { className: "t-muted", "data-testid": "shelf-when" });
  const element = make(
    "li",
    { className: "t-shelf-card", "data-testid": "shelf-card", "data-id": id },
    cover,
    make("div", { className: "t-shelf-head" }, name.element, commands),
    make("div", { className: "t-shelf-text" }, classes, counts, when, here),
  );

  function items() {
    const { project } = shown;
    const photos = count(project);
    return [
      { text: say("page.shelf.open"), icon: icon("folder"), testid: "shelf-menu-open", press: () => on.open(id) },
      { text: say("page.project.rename"), icon: icon("pencil"), testid: "shelf-rename", press: () => name.input.focus() },
      { text: say("page.shelf.duplicate"), icon: icon("copy"), testid: "shelf-duplicate", press: () => void copy() },
      { text: say("page.shelf.download"), icon: icon("download"), testid: "shelf-download", href: projectZipUrl(id) },
      ...(photos ? [{ text: say("page.shelf.download_photos"), icon: icon("photo"), testid: "shelf-photos", href: photosZipUrl(id) }] : []),
      { text: say("page.shelf.storage"), icon: icon("info"), testid: "shelf-storage", press: () => openStorage(project) },
      { text: say("page.shelf.delete"), icon: icon("trash"), testid: "shelf-delete", danger: true, press: () => void remove() },
    ];
  }

  async function copy() {
    element.toggleAttribute("data-busy", true);
    const made = await duplicate(shown.project);
    element.removeAttribute("data-busy");
    if (made) on.copied(made.id);
  }

  async function remove() {
    await binProject(shown.project);
    on.removed();
  }

  /** @param {ShelfProject} now */
  function update(now) {
    shown = now;
    const { project } = now;
    const current = state.project?.id === id;
    name.show(project.name);
    cover.setAttribute("aria-label", say("page.shelf.open_named", { name: project.name }));
    element.toggleAttribute("data-current", current);
    here.hidden = !current;
    const names = project.classes.map((label) => label.name);
    const rest = names.length - NAMED;
    const said = rest > 0 ? [...names.slice(0, NAMED), say("page.shelf.more_classes", { count: rest })] : names;
    write(classes, names.length ? list(said) : say("page.shelf.no_classes"));
    const parts = [say("page.shelf.classes", { count: names.length }), say("page.photos", { count: count(project) })];
    if (now.bytes !== null) parts.push(size(now.bytes));
    write(counts, parts.join(" · "));
    write(when, say("page.shelf.changed", { day: day(project.updated) }));
    when.title = say("page.shelf.dates", { created: moment(project.created), changed: moment(project.updated) });
    if (covers === now.covers.join()) return;
    covers = now.covers.join();
    const shots = now.covers.slice(0, 4).map((sample) => make("img", { src: thumbnailUrl(id, sample), alt: "", loading: "lazy", decoding: "async" }));
    pictures.dataset.count = String(shots.length);
    pictures.replaceChildren(...(shots.length ? shots : [icon("photo")]));
  }

  update(first);
  return { element, update, focus: () => cover.focus() };
}

/**
 * All photos of a project.
 * @param {import("./types.d.ts").Project} project
 */
function count(project) {
  return project.classes.reduce((sum, label) => sum + label.samples, 0);
}
