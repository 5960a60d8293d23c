/** A figure that jumps from one frame of the camera to the next, steadied, so that an answer does not flicker. */

/** Frames that count: about a quarter of a second. */
const FRAMES = 6;

/** The mean of the last few. */
export function steadied() {
  /** @type {number[]} */
  let last = [];
  return {
    /**
     * @param {number | null} value null where there is no figure
     * @returns {number | null}
     */
    next(value) {
      last = value === null ? [] : [...last, value].slice(-FRAMES);
      return value === null ? null : last.reduce((sum, one) => sum + one, 0) / last.length;
    },
    /** What comes next has nothing to do with what was. */
    forget() {
      last = [];
    },
  };
}
