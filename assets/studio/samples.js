/**
 * The samples of each class as the page shows them: one page of newest first, plus frames still on their way.
 *
 * It owns paging and the local pictures of frames the server has not stored yet; it does not draw.
 */

import { request, thumbnailUrl } from "./api.js";
import { notify, setCount, state } from "./store.js";

/** @typedef {import("./types.d.ts").Sample} Sample */
/** @typedef {import("./types.d.ts").SamplePage} SamplePage */
/** @typedef {import("./types.d.ts").AddResult} AddResult */

/**
 * One thumbnail. `id` is null until the server has stored it; `test`: it is only tested with, never learned from.
 * @typedef {{ key: string, id: number | null, url: string, local: boolean, test: boolean }} Shot
 */

/** Thumbnails on one page: a class never has more elements than this, however many samples. */
export const PAGE = 24;

/** @type {Map<string, ClassSamples>} */
const known = new Map();
let made = 0;

/** Samples of one class. */
class ClassSamples {
  /** @param {string} id of the class */
  constructor(id) {
    this.id = id;
    /** @type {Shot[]} */
    this.shots = [];
    /** Frames the server has not stored yet, oldest first. @type {Shot[]} */
    this.pending = [];
    /** How many newest samples were taken but not counted yet. */
    this.page = 0;
    /** `before` of each page up to the present one. @type {(number | null)[]} */
    this.cursors = [null];
    this.total = 0;
    this.loaded = false;
    this.request = 0;
  }

  /** All there are, counting those on their way. */
  get count() {
    return this.total + this.pending.length;
  }

  get pages() {
    return Math.max(1, Math.ceil(this.count / PAGE));
  }

  /** What to show now, newest first. */
  get visible() {
    return this.page === 0 ? [...this.pending].reverse().concat(this.shots).slice(0, PAGE) : this.shots;
  }

  /** Fetch the present page. */
  async load() {
    const project = state.project?.id;
    if (!project) return;
    const ticket = ++this.request;
    const before = this.cursors[this.page] ?? null;
    /** @type {SamplePage} */
    const answer = await request(
      "GET",
      `/projects/${project}/classes/${this.id}/samples?limit=${PAGE}${before === null ? "" : `&before=${before}`}`,
    );
    if (ticket !== this.request || state.project?.id !== project) return;
    if (!answer.samples.length && this.page > 0) {
      this.page -= 1;
      await this.load();
      return;
    }
    this.total = answer.total;
    this.loaded = true;
    const shown = new Map(this.shots.map((shot) => [shot.id, shot]));
    this.shots = answer.samples.map((sample) => Object.assign(shown.get(sample.id) ?? stored(project, sample), { test: sample.test }));
    for (const [id, shot] of shown) if (!answer.samples.some((sample) => sample.id === id)) release(shot);
    setCount(this.id, this.total);
    notify("samples-shown", this.id);
  }

  async older() {
    const last = this.shots.at(-1)?.id;
    if (last === undefined || last === null || this.page + 1 >= this.pages) return;
    this.page += 1;
    this.cursors[this.page] = last;
    await this.load();
  }

  async newer() {
    if (this.page === 0) return;
    this.page -= 1;
    await this.load();
  }

  /**
   * Show a frame before the server has it.
   * @param {Blob} frame
   * @returns {Shot}
   */
  expect(frame) {
    const shot = { key: `local-${++made}`, id: null, url: URL.createObjectURL(frame), local: true, test: false };
    this.pending.push(shot);
    notify("samples-shown", this.id);
    return shot;
  }

  /**
   * The server answered for some frames: keep their pictures where it is clear which is which.
   * @param {Shot[]} shots in the order sent
   * @param {AddResult} result
   */
  settle(shots, result) {
    const project = state.project?.id ?? "";
    const clear = result.repeats === 0 && result.rejected.length === 0 && result.added.length === shots.length;
    this.pending = this.pending.filter((shot) => !shots.includes(shot));
    const fresh = result.added.map((sample, index) => {
      const shot = shots[index];
      return clear && shot ? Object.assign(shot, { id: sample.id, test: sample.test }) : stored(project, sample);
    });
    if (!clear) shots.forEach(release);
    this.total = result.total;
    if (this.page === 0) {
      const there = new Set(this.shots.map((shot) => shot.id));
      const merged = [...fresh.filter((shot) => !there.has(shot.id)).reverse(), ...this.shots];
      merged.slice(PAGE).forEach(release);
      this.shots = merged.slice(0, PAGE);
    } else fresh.forEach(release);
    setCount(this.id, this.total, result.added.filter((sample) => sample.test).length);
    notify("samples-shown", this.id);
  }

  /**
   * These frames will not be stored.
   * @param {Shot[]} shots
   */
  abandon(shots) {
    this.pending = this.pending.filter((shot) => !shots.includes(shot));
    shots.forEach(release);
    notify("samples-shown", this.id);
  }
}

/**
 * @param {string} project
 * @param {Sample} sample
 * @returns {Shot}
 */
function stored(project, sample) {
  return { key: `stored-${sample.id}`, id: sample.id, url: thumbnailUrl(project, sample.id), local: false, test: sample.test };
}

/** @param {Shot} shot */
function release(shot) {
  if (shot.local) URL.revokeObjectURL(shot.url);
}

/**
 * The samples of a class.
 * @param {string} id
 */
export function samplesOf(id) {
  let samples = known.get(id);
  if (!samples) known.set(id, (samples = new ClassSamples(id)));
  return samples;
}

/** Another project is being opened. */
export function forgetSamples() {
  for (const samples of known.values()) [...samples.shots, ...samples.pending].forEach(release);
  known.clear();
}
