/**
 * What a dropped folder would become: which of its folders are classes, which photos are for testing, what was taken
 * together. The rules are those of `teachable/importing/folders.py` for the same folder in a zip. Nothing is sent here.
 */

import { FURNITURE, isPacked, isPhoto, needsServer } from "./import-kind.js";
import { say } from "./words.js";

/** @typedef {import("./import.js").Found} Found */
/** @typedef {import("./types.d.ts").ImportPlan} ImportPlan */
/** @typedef {{ file: File, group: string, test: boolean }} Photo */

/** Folders that say what photos are for, not what is on them. */
const TRAINING = ["train", "training"];
const VALIDATION = ["val", "valid", "validation", "dev"];
const TEST = ["test", "testing", "eval", "evaluation"];
const PARTS = [...TRAINING, ...VALIDATION, ...TEST];
/** Folders inside a class that tell recordings apart. */
const DEEPEST_GROUP = 2;
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
  const trunk = trunkOf(usable.map(({ path }) => path));
  const parts = partsAt(usable, trunk.length);
  const tested = TEST.some((name) => parts.has(name)) ? TEST : VALIDATION;
  const around = trunk.at(-1);
  const loose = around !== undefined && !PARTS.includes(around.toLowerCase()) ? around : (trunk[0] ?? "");
  /** By name, however it is written. @type {Map<string, { name: string, photos: Photo[] }>} */
  const byName = new Map();
  for (const { path, file } of usable) {
    const folders = path.slice(trunk.length);
    const part = parts.size ? (folders[0] ?? "").toLowerCase() : "";
    const name = folders[parts.size ? 1 : 0] ?? loose;
    const label = byName.get(name.toLowerCase()) ?? { name, photos: [] };
    byName.set(name.toLowerCase(), label);
    const group = folders.slice(0, parts.size ? DEEPEST_GROUP + 1 : DEEPEST_GROUP).join("/");
    label.photos.push({ file, group, test: parts.size > 0 && tested.includes(part) });
  }
  /** @type {Map<string, Photo[]>} */
  const photos = new Map();
  /** @type {File[]} */
  const previews = [];
  const labels = [...byName.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const classes = labels.map(({ name, photos: mine }, index) => {
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
  const labelled = left.some(({ file }) => needsServer(file) && !isPacked(file));
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
 * The folders around everything.
 * @param {string[][]} paths
 */
function trunkOf(paths) {
  let trunk = paths[0] ?? [];
  for (const path of paths) {
    const differs = trunk.findIndex((part, at) => path[at] !== part);
    if (differs >= 0) trunk = trunk.slice(0, differs);
  }
  return trunk;
}

/**
 * The parts of a data set that the folders at a depth are: all are called so, one is for training, and there are folders
 * in them. None where they are classes.
 * @param {Found[]} found
 * @param {number} depth
 * @returns {Set<string>}
 */
function partsAt(found, depth) {
  const names = new Set(found.map(({ path }) => (path[depth] ?? "").toLowerCase()));
  const nested = found.some(({ path }) => path.length > depth + 1);
  const known = [...names].every((name) => PARTS.includes(name)) && TRAINING.some((name) => names.has(name));
  return known && nested && names.size > 1 ? names : new Set();
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
