/**
 * What a dropped folder would become: which of its folders are classes, which photos are for testing, what was taken
 * together. The rules are those of `teachable/importing/` for the same folder in a zip. Nothing is sent here.
 */

import { FURNITURE, isPacked, isPhoto } from "./import-kind.js";
import { say } from "./words.js";

/** @typedef {import("./import.js").Found} Found */
/** @typedef {import("./types.d.ts").ImportPlan} ImportPlan */
/** @typedef {{ file: File, group: string, test: boolean }} Photo */

/** Folders that say what photos are for, not what is on them. */
const SPLITS = new Map(Object.entries({ train: false, training: false, val: true, valid: true, validation: true, test: true, testing: true }));
const LABELS = /^metadata\.(jsonl|csv)$/i;
/** Files that are named; all are counted. */
const NAMED = 20;
const PREVIEWS = 4;

/**
 * @param {Found[]} found
 * @returns {{ plan: ImportPlan, photos: Map<string, Photo[]>, previews: File[] } | null} null where there is no photo;
 *   photos by key of their class
 */
export function folderPlan(found) {
  const known = found.filter(({ path, file }) => ![...path, file.name].some((part) => FURNITURE.test(part)));
  const usable = known.filter(({ file }) => isPhoto(file));
  const left = known.filter(({ file }) => !isPhoto(file));
  if (!usable.length) return null;
  const depth = depthOfClasses(usable.map(({ path }) => path));
  const split = splitAt(usable, depth);
  const at = split ? depth + 1 : depth;
  /** @type {Map<string, Photo[]>} */
  const byName = new Map();
  for (const { path, file } of usable) {
    const name = path[at] ?? path.at(-1) ?? "";
    const photos = byName.get(name) ?? [];
    byName.set(name, photos);
    photos.push({ file, group: path.join("/"), test: split && SPLITS.get((path[depth] ?? "").toLowerCase()) === true });
  }
  /** @type {Map<string, Photo[]>} */
  const photos = new Map();
  /** @type {File[]} */
  const previews = [];
  const names = [...byName.keys()].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  const classes = names.map((name, index) => {
    const mine = byName.get(name) ?? [];
    const key = String(index);
    photos.set(key, mine);
    const shown = spread(mine).map(({ file }) => previews.push(file) - 1);
    return {
      key,
      name,
      photos: mine.length,
      groups: new Set(mine.map(({ group }) => group)).size,
      bytes: mine.reduce((sum, { file }) => sum + file.size, 0),
      previews: shown,
      tests: mine.filter(({ test }) => test).length,
      seconds: 0,
    };
  });
  const roots = new Set(usable.map(({ path }) => path[0]));
  const skipped = left.slice(0, NAMED).map(({ file }) => rejection(file));
  const labelled = left.some(({ file }) => LABELS.test(file.name));
  return {
    plan: {
      kind: "folder",
      title: roots.size === 1 ? ([...roots][0] ?? null) : null,
      classes,
      settings: null,
      skipped,
      skipped_total: left.length,
      notes: labelled ? [{ key: "page.import.labels_in_zip", values: {}, text: say("page.import.labels_in_zip") }] : [],
      options: [],
      seconds: null,
    },
    photos,
    previews,
  };
}

/**
 * How many folders lie around all classes: those that hold nothing but one folder.
 * @param {string[][]} paths
 */
function depthOfClasses(paths) {
  let depth = 0;
  const single = () => new Set(paths.map((path) => path[depth])).size === 1;
  // A folder with photos right in it is a class, whatever else it holds.
  while (paths.every((path) => path.length > depth + 1) && single()) depth += 1;
  return depth;
}

/**
 * @param {Found[]} found
 * @param {number} depth
 */
function splitAt(found, depth) {
  return found.every(({ path }) => path.length > depth + 1 && SPLITS.has((path[depth] ?? "").toLowerCase()));
}

/**
 * A few photos from all over a class.
 * @param {Photo[]} photos
 */
function spread(photos) {
  const step = Math.max(1, Math.floor(photos.length / PREVIEWS));
  return photos.filter((_, index) => index % step === 0).slice(0, PREVIEWS);
}

/**
 * @param {File} file
 * @returns {import("./types.d.ts").Rejected}
 */
function rejection(file) {
  const key = isPacked(file) ? "page.import.packed_in_folder" : "page.import.no_photo";
  const values = { name: file.name };
  return { name: file.name, key, values, reason: isPacked(file) ? say("page.import.packed_in_folder", values) : say("page.import.no_photo", values) };
}
