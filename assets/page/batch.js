/** Photos: a table of all of them with what the model says, and that table as a CSV file. */

import { button, icon, make, write } from "../studio/dom.js";
import { csv } from "./csv.js";
import { NAMES } from "./model.js";
import { MEGAPIXELS, readPhoto, thumbnail } from "./picture.js";
import { scrollTo } from "./scroll.js";
import { isUnsure } from "./strictness.js";
import { percent, say } from "./words.js";

/**
 * @typedef {import("./model.js").Seen} Seen
 * @typedef {{ file: File, seen: Seen | null, problem: string, unread: boolean, note: string, width: number, height: number, small: string, row: Row | null }} Photo
 * @typedef {{ element: HTMLTableRowElement, draw: () => void }} Row
 */

/** Rows made at once. */
const PAGE = 50;
/** Of more classes than this, the table shows only the winner; the file has all. */
export const COLUMNS = 8;
/** Letters of a file name that are shown in any case: the last ones, which tell one photo of a series from the next. */
const TAIL = 9;

/**
 * @param {{ look: (pixels: ImageData) => Promise<Seen>, chosen: (photo: Photo | null) => void, picked: () => void, drawn: (photo: Photo) => void }} options
 *   `chosen` hears which photo is to be shown large, `picked` that a person took it from the table, `drawn` that there
 *   is news of one
 */
export function photoTable({ look, chosen, picked, drawn }) {
  /** @type {Photo[]} */
  let photos = [];
  /** @type {Photo | null} */
  let current = null;
  let working = false;
  let shown = PAGE;

  const title = make("h2", { className: "t-column-title" });
  const bar = make("progress", { className: "o-progress", max: 1 });
  const progress = make("p", { className: "t-muted o-working", "data-testid": "progress" }, bar, make("span", {}));
  const download = button({ icon: "download", text: say("batch.download"), look: "soft", testid: "csv", press: save });
  const clear = button({ icon: "trash", text: say("batch.clear"), look: "ghost", testid: "clear", press: remove });
  const body = make("tbody", {});
  const columns = NAMES.length > COLUMNS ? [] : NAMES;
  const head = [say("batch.file"), say("batch.label"), say("batch.sure"), ...columns];
  const table = make(
    "table",
    { className: "o-table", "data-testid": "table" },
    make("caption", { className: "t-spoken" }, say("batch.table")),
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col", dir: "auto" }, text)))),
    body,
  );
  const scroller = make("div", { className: "o-scroller", role: "region", tabIndex: 0, "aria-label": say("batch.table") }, table);
  const every = make("p", { className: "t-muted", hidden: columns.length > 0 }, say("batch.every", { count: NAMES.length }));
  const more = button({ icon: "down", text: say("batch.more"), look: "soft", testid: "more", press: () => fill((shown += PAGE)) });
  const actions = make("div", { className: "t-actions" }, download, clear);
  const element = make("section", { className: "t-card o-batch", hidden: true, "data-testid": "batch" }, make("header", {}, title, progress, actions), scroller, every, more);
  // On a phone the table is far below; this says that it is there.
  const jump = button({ icon: "down", look: "ghost", text: " ", testid: "jump", press: () => scrollTo(element, "start") });
  jump.classList.add("o-jump");
  jump.hidden = true;

  /** @param {File[]} files */
  function add(files) {
    const fresh = files.map((file) => ({ file, seen: null, problem: "", unread: false, note: "", width: 0, height: 0, small: "", row: null }));
    photos.push(...fresh);
    fill(shown);
    select(fresh[0] ?? current);
    void work();
  }

  /** @param {number} rows */
  function fill(rows) {
    for (const photo of photos.slice(0, rows)) if (!photo.row) body.append((photo.row = line(photo)).element);
    element.hidden = jump.hidden = photos.length < 2;
    more.hidden = photos.length <= rows;
    tell();
  }

  function tell() {
    const done = photos.filter((photo) => photo.seen || photo.problem).length;
    const unread = photos.filter((photo) => photo.unread).length;
    const read = say("batch.title", { count: photos.length - unread });
    const text = unread ? say("batch.unread", { photos: read, count: unread }) : read;
    write(title, text);
    if (jump.lastElementChild) write(jump.lastElementChild, say("batch.jump", { photos: text }));
    if (progress.lastElementChild) write(progress.lastElementChild, say("batch.progress", { done, count: photos.length }));
    bar.value = photos.length ? done / photos.length : 0;
    progress.hidden = done === photos.length;
    download.disabled = done < photos.length;
  }

  async function work() {
    if (working) return;
    working = true;
    for (;;) {
      const next = photos.find((photo) => !photo.seen && !photo.problem);
      if (!next) break;
      await ask(next);
    }
    working = false;
  }

  /** @param {Photo} photo */
  async function ask(photo) {
    const { name } = photo.file;
    try {
      const { pixels, reduced } = await readPhoto(photo.file);
      Object.assign(photo, { width: pixels.width, height: pixels.height });
      photo.note = reduced ? say("reduced", { name, megapixels: MEGAPIXELS }) : "";
      photo.small ||= await thumbnail(pixels);
      photo.seen = await look(pixels);
      photo.problem = "";
    } catch (error) {
      console.warn(error);
      photo.unread = error instanceof DOMException;
      photo.problem = photo.unread ? say("unreadable", { name }) : say("cannot_look");
    }
    photo.row?.draw();
    tell();
    drawn(photo);
  }

  /**
   * @param {Photo} photo
   * @returns {Row}
   */
  function line(photo) {
    const picture = make("span", { className: "o-thumbnail" });
    const open = make("button", { type: "button", className: "o-open", title: photo.file.name }, picture, fileName(photo.file.name));
    const cells = head.slice(1).map((_, index) => make("td", { className: index ? "t-number" : "o-name", dir: index ? "" : "auto" }));
    // Anywhere in the row; a press of the button, by keyboard too, comes here as well.
    const row = make("tr", { "data-testid": "row", on: { click: () => pick(photo) } }, make("th", { scope: "row" }, open), ...cells);
    function draw() {
      const { seen, small, problem } = photo;
      if (small && !picture.firstChild) picture.append(make("img", { src: small, alt: "", width: 48, height: 48 }));
      else if (problem && !picture.firstChild) picture.append(icon("warning"));
      const sure = isUnsure(seen) ? "" : percent(seen?.shares[seen.best] ?? 0);
      const values = seen ? [named(seen), sure, ...seen.shares.map(percent)] : [problem];
      cells.forEach((cell, index) => {
        write(cell, values[index] ?? "");
        // Why there is no answer takes the place of all figures.
        cell.hidden = problem !== "" && index > 0;
        cell.colSpan = problem ? head.length - 1 : 1;
      });
      row.toggleAttribute("data-problem", problem !== "");
      row.toggleAttribute("data-unsure", isUnsure(seen));
      row.toggleAttribute("data-current", photo === current);
      if (photo === current) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    }
    draw();
    return { element: row, draw };
  }

  /** @param {Photo} photo */
  function pick(photo) {
    select(photo);
    picked();
  }

  /** @param {Photo | null} photo */
  function select(photo) {
    const before = current;
    current = photo;
    before?.row?.draw();
    photo?.row?.draw();
    chosen(photo);
  }

  function save() {
    const names = [say("csv.file"), say("csv.label"), say("csv.probability"), ...NAMES, say("csv.note")];
    const rows = photos.map(({ file, seen, problem, note }) => {
      if (!seen) return [file.name, "", "", ...NAMES.map(() => ""), problem];
      return [file.name, named(seen), seen.shares[seen.best] ?? 0, ...seen.shares, note];
    });
    const url = URL.createObjectURL(csv([names, ...rows]));
    make("a", { href: url, download: "photos.csv" }).click();
    // The browser reads it after the click has returned.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  function remove() {
    for (const photo of photos) URL.revokeObjectURL(photo.small);
    photos = [];
    shown = PAGE;
    body.replaceChildren();
    fill(shown);
    select(null);
  }

  return {
    element,
    jump,
    add,
    remove,
    /** @returns {Photo | null} */
    current: () => current,
    /** Look at the chosen photo once more, because more is asked of it now. */
    again: () => current && ask(current),
    /** The answers are judged more or less strictly. */
    judge() {
      for (const photo of photos) photo.row?.draw();
    },
  };
}

/**
 * What a photo is called in the table: its class, or that this is not sure.
 * @param {Seen} seen
 */
function named(seen) {
  return isUnsure(seen) ? say("not_sure") : (NAMES[seen.best] ?? "");
}

/**
 * A file name that loses letters in its middle where there is no room: its end tells the photos of a series apart.
 * @param {string} name
 */
function fileName(name) {
  // Composed, so that no accent is cut from its letter.
  const letters = [...name.normalize()];
  const parts = [letters.slice(0, -TAIL), letters.slice(-TAIL)].map((part) => make("span", {}, part.join("")));
  return make("span", { className: "o-file", dir: "auto" }, ...parts);
}
