/**
 * Recording: frames from the camera at a steady rate, sent in small batches of one group. It owns the clock and the
 * batches; what becomes of a batch is the queue's business (`uploads.js`), so no frame is dropped on the way.
 */

import { freshId } from "./dom.js";
import { grabPhoto } from "./frame.js";
import { samplesOf } from "./samples.js";
import { state } from "./store.js";
import { noteRepeats } from "./upload.js";
import { sendPhotos } from "./uploads.js";

/** Frames per request. */
const BATCH = 8;
/** A clock that fell behind by more than this (the page was asleep) starts afresh instead of catching up. */
const ASLEEP_MS = 1000;

/** One press of the record button. */
export class Recording {
  /**
   * @param {HTMLVideoElement} video
   * @param {string} label id of the class
   * @param {number} rate frames per second
   */
  constructor(video, label, rate) {
    this.video = video;
    this.label = label;
    /** The last frames are encoded when another project may be open already. */
    this.project = state.project?.id ?? "";
    this.interval = 1000 / rate;
    this.group = freshId();
    this.running = true;
    /** @type {{ name: string, blob: Blob, shot: import("./samples.js").Shot }[]} */
    this.batch = [];
    this.taken = 0;
    /** Frames are encoded one after the other, so that they are stored in the order seen. */
    this.encoding = Promise.resolve();
    this.next = performance.now();
    this.tick();
  }

  tick() {
    if (!this.running) return;
    if (this.video.videoWidth > 0) this.take();
    const now = performance.now();
    this.next = now - this.next > ASLEEP_MS ? now + this.interval : this.next + this.interval;
    this.timer = setTimeout(() => this.tick(), Math.max(0, this.next - now));
  }

  take() {
    const number = ++this.taken;
    const encoded = grabPhoto(this.video);
    this.encoding = this.encoding.then(async () => {
      const blob = await encoded;
      const name = `${this.group}-${String(number).padStart(5, "0")}.jpg`;
      this.batch.push({ name, blob, shot: samplesOf(this.label).expect(blob) });
      if (this.batch.length >= BATCH) this.flush();
    });
  }

  flush() {
    if (!this.batch.length) return;
    const batch = this.batch;
    this.batch = [];
    const shots = batch.map((frame) => frame.shot);
    sendPhotos({
      project: this.project,
      label: this.label,
      group: this.group,
      photos: batch,
      done: (result) => {
        samplesOf(this.label).settle(shots, result);
        if (result.repeats) noteRepeats(this.label, result.repeats);
      },
      dropped: () => samplesOf(this.label).abandon(shots),
    });
  }

  /**
   * Take no more frames and send the last ones.
   * @returns {Promise<void>} until all frames are on their way: the last are still made into files
   */
  stop() {
    if (this.running) {
      this.running = false;
      clearTimeout(this.timer);
      this.encoding = this.encoding.then(() => this.flush());
    }
    return this.encoding;
  }
}
