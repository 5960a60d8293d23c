/**
 * Files chosen, dropped or pasted: sent as they are, some at a time, as one group. It owns the progress of each upload
 * and what is told about it afterwards.
 */

import { freshId } from "./dom.js";
import { FURNITURE } from "./import-kind.js";
import { samplesOf } from "./samples.js";
import { notify } from "./store.js";
import { sendPhotos } from "./uploads.js";

/** @typedef {import("./types.d.ts").Rejected} Rejected */

/** Files and bytes of one request: often enough to show progress, and far below what the server takes. */
const BATCH_FILES = 8;
const BATCH_BYTES = 48 * 2 ** 20;

/** @typedef {{ done: number, total: number, added: number, repeats: number, rejected: Rejected[] }} Progress */

/** @type {Map<string, Progress>} */
const progress = new Map();

/**
 * The present or last upload of a class.
 * @param {string} label
 */
export function progressOf(label) {
  return progress.get(label) ?? null;
}

/**
 * The person has read it.
 * @param {string} label
 */
export function dismissProgress(label) {
  progress.delete(label);
  notify("uploads");
}

/**
 * Frames of a recording that the class already had, to the pixel: they were skipped, and the card says so.
 * @param {string} label
 * @param {number} count
 */
export function noteRepeats(label, count) {
  const now = progress.get(label) ?? { done: 0, total: 0, added: 0, repeats: 0, rejected: [] };
  now.repeats += count;
  progress.set(label, now);
  notify("uploads");
}

/**
 * Send files to a class.
 * @param {string} label id of the class
 * @param {File[]} files
 * @param {{ test?: boolean }} [how] `test`: they are only tested with, never learned from
 */
export function uploadFiles(label, files, { test = false } = {}) {
  const photos = files.filter((file) => !FURNITURE.test(file.name));
  if (!photos.length) return;
  const running = progress.get(label);
  const going = running && running.done < running.total;
  /** @type {Progress} */
  const mine = going ? running : { done: 0, total: 0, added: 0, repeats: 0, rejected: [] };
  mine.total += photos.length;
  progress.set(label, mine);
  const group = freshId();
  for (const batch of batches(photos, ({ size }) => size)) {
    sendPhotos({
      label,
      group,
      test,
      photos: batch.map((file) => ({ name: file.name, blob: file })),
      done: (result) => {
        mine.done += batch.length;
        mine.added += result.added.length;
        mine.repeats += result.repeats;
        mine.rejected.push(...result.rejected);
        samplesOf(label).settle([], result);
        // Nothing to report: the new thumbnails say it all.
        if (mine.done === mine.total && !mine.repeats && !mine.rejected.length) progress.delete(label);
        notify("uploads");
      },
      dropped: () => {
        mine.total -= batch.length;
        if (mine.done >= mine.total && !mine.repeats && !mine.rejected.length) progress.delete(label);
      },
    });
  }
  notify("uploads");
}

/**
 * Portions that are sent in one request each.
 * @template Piece
 * @param {Piece[]} pieces
 * @param {(piece: Piece) => number} bytesOf
 * @param {number} [most] pieces of one portion
 * @returns {Generator<Piece[]>}
 */
export function* batches(pieces, bytesOf, most = BATCH_FILES) {
  /** @type {Piece[]} */
  let batch = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (batch.length && (batch.length === most || bytes + bytesOf(piece) > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(piece);
    bytes += bytesOf(piece);
  }
  if (batch.length) yield batch;
}
