/**
 * The samples of each class as the page shows them: newest first, from any place, plus frames still on their way.
 *
 * It owns which samples are known here and the local pictures of frames the server has not stored yet; it does not draw.
 * Of a class with thousands only what somebody looks at is fetched.
 */

import { request, thumbnailUrl } from "./api.js";
import { findClass, notify, setCount, state } from "./store.js";

/** @typedef {import("./types.d.ts").Sample} Sample */
/** @typedef {import("./types.d.ts").SamplePage} SamplePage */
/** @typedef {import("./types.d.ts").AddResult} AddResult */

/**
 * One thumbnail. `id` is null until the server has stored it; `test`: it is only tested with, never learned from.
 * @typedef {{ key: string, id: number | null, url: string, local: boolean, test: boolean }} Shot
 */

/** Samples fetched at once. */
const CHUNK = 100;
/** So many of the newest may keep the picture this page took itself; of others the server's is shown. */
const LOCAL = 200;

/** @type {Map<string, ClassSamples>} */
const known = new Map();
let made = 0;

/** Samples of one class. */
class ClassSamples {
  /** @param {string} id of the class */
  constructor(id) {
    this.id = id;
    /** Stored ones by place, newest first; undefined where they were not fetched. @type {(Shot | undefined)[]} */
    this.shots = [];
    /** Frames the server has not stored yet, oldest first. @type {Shot[]} */
    this.pending = [];
    this.total = 0;
    this.loaded = false;
    /** Places among the stored ones that somebody looks at: up to but without the second. @type {[number, number]} */
    this.wanted = [0, CHUNK];
    this.request = 0;
    this.fetching = false;
    /** Grows whenever places may have moved. */
    this.edition = 0;
    this.reading = new AbortController();
    /** Ends when what was last asked for has come, or has not. */
    this.latest = Promise.resolve();
  }

  /** All there are, counting those on their way. */
  get count() {
    return this.total + this.pending.length;
  }

  /**
   * The sample at a place, newest first, if it is known.
   * @param {number} place
   * @returns {Shot | undefined}
   */
  at(place) {
    const waiting = this.pending.length;
    return place < waiting ? this.pending[waiting - 1 - place] : this.shots[place - waiting];
  }

  /**
   * The place of a stored sample, or -1 if it is not known.
   * @param {number} id
   */
  placeOf(id) {
    const at = this.shots.findIndex((shot) => shot?.id === id);
    return at < 0 ? -1 : at + this.pending.length;
  }

  /**
   * Somebody looks at these places: fetch what is not known of them, one request at a time, the latest wish first.
   * @param {number} first
   * @param {number} end the place after the last
   */
  async want(first, end) {
    const waiting = this.pending.length;
    this.wanted = [Math.max(0, first - waiting), Math.max(0, end - waiting)];
    if (!this.loaded || this.fetching) return;
    this.fetching = true;
    try {
      for (let gap = this.gap(); gap !== null; gap = this.gap()) await this.fill(gap);
    } catch {
      // The same place is asked for again with the next scrolling, and the connection is watched elsewhere.
    } finally {
      this.fetching = false;
    }
  }

  /** The first of a piece with wanted places that are not known, or null. */
  gap() {
    const [first, end] = this.wanted;
    for (let place = first; place < Math.min(end, this.total); place++) {
      if (!this.shots[place]) return place - (place % CHUNK);
    }
    return null;
  }

  /** @param {number} skip */
  async fill(skip) {
    const project = state.project?.id;
    const edition = this.edition;
    const answer = await this.fetch(skip, CHUNK);
    if (state.project?.id !== project) throw new Error("another project is open");
    // New ones came in between: places moved, and the loop asks again.
    if (edition !== this.edition) return;
    // Something was changed from elsewhere.
    if (answer.total !== this.total || !answer.samples.length) return void (await this.load());
    answer.samples.forEach((sample, index) => (this.shots[skip + index] ??= stored(project ?? "", sample)));
    notify("samples-shown", this.id);
  }

  /**
   * @param {number} skip
   * @param {number} limit
   * @returns {Promise<SamplePage>}
   */
  fetch(skip, limit) {
    const path = `/projects/${state.project?.id}/classes/${this.id}/samples?limit=${limit}&skip=${skip}`;
    return request("GET", path, undefined, this.reading.signal);
  }

  /** Wait for no answer any more: the class is about to be deleted, and the answer would be that it is gone. */
  leave() {
    this.reading.abort();
    this.reading = new AbortController();
  }

  /** A card is there for the class. Nothing has to be fetched of one that is known to be empty. */
  begin() {
    if (!findClass(this.id)?.samples && !this.total) this.loaded = true;
    else void this.load().catch(() => undefined);
  }

  /** Fetch what is looked at anew: something changed. */
  load() {
    const loading = this.reload();
    this.latest = loading.catch(() => undefined);
    return loading;
  }

  async reload() {
    const project = state.project?.id;
    if (!project) return;
    const ticket = ++this.request;
    const edition = this.edition;
    const size = Math.min(1000, Math.max(CHUNK, this.wanted[1] - this.wanted[0]));
    let skip = this.wanted[0];
    let answer = await this.fetch(skip, size);
    if (!answer.samples.length && skip > 0) {
      skip = Math.max(0, answer.total - size);
      answer = await this.fetch(skip, size);
    }
    if (ticket !== this.request || state.project?.id !== project) return;
    // Frames were stored meanwhile: this answer may be from before.
    if (edition !== this.edition) return void (await this.reload());
    this.edition += 1;
    this.total = answer.total;
    this.loaded = true;
    const before = new Map(this.shots.filter((shot) => shot !== undefined).map((shot) => [shot.id, shot]));
    this.shots = new Array(this.total);
    answer.samples.forEach((sample, index) => {
      this.shots[skip + index] = Object.assign(before.get(sample.id) ?? stored(project, sample), { test: sample.test });
      before.delete(sample.id);
    });
    for (const shot of before.values()) release(shot);
    setCount(this.id, this.total);
    notify("samples-shown", this.id);
  }

  /**
   * Numbers of stored samples, also of those that are not known here.
   * @param {number} [first] place
   * @param {number} [end] the place after the last; without one, of all there are
   * @returns {Promise<{ id: number, test: boolean }[]>}
   */
  async numbers(first = 0, end) {
    // A change, Undo for one, is counted on the page before its samples have come.
    await this.latest;
    end ??= this.count;
    const waiting = this.pending.length;
    const [from, to] = [Math.max(0, first - waiting), Math.max(0, end - waiting)];
    if (to <= from) return [];
    const some = this.shots.slice(from, to);
    if (some.length === to - from && !some.includes(undefined)) {
      return some.flatMap((shot) => (shot && shot.id !== null ? [{ id: shot.id, test: shot.test }] : []));
    }
    /** @type {{ ids: number[], tests: number[] }} */
    const answer = await request(
      "GET",
      `/projects/${state.project?.id}/classes/${this.id}/samples/ids?skip=${from}&limit=${to - from}`,
    );
    const tests = new Set(answer.tests);
    return answer.ids.map((id) => ({ id, test: tests.has(id) }));
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
      // What this page took itself was forgotten where another project was open meanwhile.
      return clear && shot?.local ? Object.assign(shot, { id: sample.id, test: sample.test }) : stored(project, sample);
    });
    if (!clear) shots.forEach(release);
    const there = new Set(this.shots.map((shot) => shot?.id));
    this.shots = [...fresh.filter((shot) => !there.has(shot.id)).reverse(), ...this.shots];
    this.shots.length = this.total = result.total;
    this.edition += 1;
    for (let place = LOCAL; place < Math.min(this.shots.length, LOCAL + 2 * CHUNK); place++) hand(project, this.shots[place]);
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

/**
 * Show the server's picture from now on, and give the memory of the local one back.
 * @param {string} project
 * @param {Shot | undefined} shot
 */
function hand(project, shot) {
  if (!shot?.local || shot.id === null) return;
  release(shot);
  Object.assign(shot, { local: false, url: thumbnailUrl(project, shot.id) });
}

/** @param {Shot} shot */
function release(shot) {
  if (shot.local) URL.revokeObjectURL(shot.url);
  shot.local = false;
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
  for (const samples of known.values()) {
    for (const shot of [...samples.shots, ...samples.pending]) if (shot) release(shot);
  }
  known.clear();
}
