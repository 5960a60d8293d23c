/**
 * Files dropped or pasted anywhere on the page. On a card photos go to that class at once; folders, archives and videos
 * are shown first. It owns reading what was dropped; what becomes of it is `import.js`.
 */

import { takeForClass, takeForPage } from "./import.js";
import { state } from "./store.js";
import { tell } from "./toasts.js";
import { uploadFiles } from "./upload.js";
import { say } from "./words.js";

/** @typedef {import("./import.js").Found} Found */

/** A folder that takes longer to be listed is announced. */
const LARGE_MS = 800;

/**
 * Let an element take photos for one class.
 * @param {HTMLElement} card
 * @param {string} label
 */
export function takeDrops(card, label) {
  hover(card);
  card.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    const found = await read(event.dataTransfer);
    await takeForClass(label, found.map(({ file }) => file));
  });
}

/**
 * Let the page take folders, archives and videos, and photos for the class last used.
 * @param {HTMLElement} area shows that it would take them
 * @param {() => string | null} current id of the class last used
 */
export function takePageDrops(area, current) {
  hover(area, document.documentElement);
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    if (event.defaultPrevented || !carriesFiles(event)) return;
    event.preventDefault();
    const found = await read(event.dataTransfer);
    // Above a dialog no one drops photos for the class below it.
    await takeForPage(found, document.querySelector("dialog:modal") ? null : current());
  });
  document.addEventListener("paste", (event) => {
    const writing = event.target instanceof Element && event.target.closest("input, textarea");
    const files = [...(event.clipboardData?.files ?? [])];
    const label = current();
    if (writing || !files.length || !label) return;
    event.preventDefault();
    uploadFiles(label, files);
    const name = state.project?.classes.find((other) => other.id === label)?.name ?? "";
    tell(say("page.paste.done", { count: files.length, name }));
  });
}

/** @param {DragEvent} event */
function carriesFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/**
 * @param {DataTransfer | null} data
 * @returns {Promise<Found[]>}
 */
async function read(data) {
  // All must be taken before the first await: the browser empties the transfer after the event.
  const items = [...(data?.items ?? [])].filter((item) => item.kind === "file");
  const roots = items.map((item) => {
    const entry = item.webkitGetAsEntry?.();
    // Only folders are read as entries: Safari has none to read for a photo that comes from a program instead of a folder.
    return entry?.isDirectory ? entry : item.getAsFile();
  });
  const large = setTimeout(() => tell(say("page.drop.reading")), LARGE_MS);
  /** @type {Found[]} */
  let found = [];
  try {
    found = (await Promise.all(roots.map((root) => (root instanceof File ? [{ path: [], file: root }] : root ? walk(root, []) : [])))).flat();
    if (!found.length) tell(say("page.drop.nothing"), "problem");
  } catch (error) {
    // A file that was moved or may not be read; what the browser says about it is no help.
    console.warn(error);
    tell(say("page.drop.unreadable"), "problem");
  }
  clearTimeout(large);
  return found;
}

/**
 * @param {FileSystemEntry} entry
 * @param {string[]} path
 * @returns {Promise<Found[]>}
 */
async function walk(entry, path) {
  if (entry.isFile) {
    const { file: open } = /** @type {FileSystemFileEntry} */ (entry);
    return [{ path, file: await new Promise((resolve, reject) => open.call(entry, resolve, reject)) }];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {Found[]} */
  const found = [];
  // The browser hands out a folder in portions; an empty one is the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return found;
    const inside = await Promise.all(portion.map((child) => walk(child, [...path, entry.name])));
    for (const files of inside) for (const file of files) found.push(file);
  }
}

/**
 * Show while files hover that they would be taken.
 * @param {HTMLElement} element
 * @param {HTMLElement} area where they may hover
 */
function hover(element, area = element) {
  let depth = 0;
  const show = (/** @type {number} */ change) => {
    depth = Math.max(0, depth + change);
    element.toggleAttribute("data-drop", depth > 0);
  };
  area.addEventListener("dragenter", (event) => carriesFiles(event) && show(1));
  area.addEventListener("dragleave", (event) => carriesFiles(event) && show(-1));
  area.addEventListener("drop", () => show(-depth));
  if (area === element) element.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
}
