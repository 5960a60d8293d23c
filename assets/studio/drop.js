/**
 * Photos dropped or pasted anywhere on the page. On a card they go to that class; a folder of folders, or a zip of them,
 * makes one class per folder. It owns reading what was dropped; sending is `upload.js`.
 */

import { addClass, updateClass } from "./project.js";
import { state } from "./store.js";
import { tell } from "./toasts.js";
import { uploadFiles } from "./upload.js";
import { say } from "./words.js";
import { readZip } from "./zip.js";

/** @typedef {{ path: string[], file: File }} Found file with the folders above it */

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
    uploadFiles(label, found.map(({ file }) => file));
  });
}

/**
 * Let the page take folders and zips that make classes, and photos for the class last used.
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
    await sort(found, current());
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

/**
 * Photos in folders become classes named by their folder; photos without one go to the class last used.
 * @param {Found[]} found
 * @param {string | null} current
 */
async function sort(found, current) {
  /** @type {Map<string, File[]>} */
  const folders = new Map();
  /** @type {File[]} */
  const loose = [];
  for (const { path, file } of found) {
    const folder = path.at(-1);
    if (folder === undefined) loose.push(file);
    else folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  if (loose.length && current) uploadFiles(current, loose);
  for (const [name, files] of folders) {
    const id = await classNamed(name);
    if (id) uploadFiles(id, files);
  }
}

/**
 * The class of that name; an empty one that nobody named yet takes the name, else there is a new one.
 * @param {string} name
 * @returns {Promise<string | null>} null where the name cannot be taken; the reason has been shown
 */
async function classNamed(name) {
  const classes = state.project?.classes ?? [];
  const known = classes.find((label) => label.name.toLowerCase() === name.toLowerCase());
  if (known) return known.id;
  const fresh = classes.find((label, at) => !label.samples && label.name === say("note.class_name", { number: at + 1 }));
  if (fresh) return (await updateClass(fresh.id, { name })) ? fresh.id : null;
  return (await addClass(name))?.id ?? null;
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
  // The entries must be taken before the first await: the browser empties the transfer after the event.
  const entries = [...(data?.items ?? [])].map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = [...(data?.files ?? [])];
  const roots = entries.filter((entry) => entry !== null);
  /** @type {Found[]} */
  const found = roots.length
    ? (await Promise.all(roots.map((entry) => walk(entry, [])))).flat()
    : files.map((file) => ({ path: [], file }));
  const photos = (await Promise.all(found.map(unpack))).flat();
  if (!found.length) tell(say("page.drop.nothing"), "problem");
  return photos;
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
    for (const child of portion) found.push(...(await walk(child, [...path, entry.name])));
  }
}

/**
 * @param {Found} found
 * @returns {Promise<Found[]>}
 */
async function unpack(found) {
  if (!/\.zip$/i.test(found.file.name)) return [found];
  try {
    return await readZip(found.file);
  } catch (error) {
    console.warn(error);
    tell(say("page.drop.zip", { name: found.file.name }), "problem");
    return [];
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
