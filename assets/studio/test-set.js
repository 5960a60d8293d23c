/**
 * Photos kept for testing only: the commands of a menu that put photos there and take them back.
 *
 * A recording belongs there as a whole: photos of one recording look so alike that a test with some, after learning from
 * the others, says little. So that comes first; just some photos can be chosen too.
 */

import { icon } from "./dom.js";
import { testSamples } from "./project.js";
import { say } from "./words.js";

/** @typedef {import("./menu.js").Item} Item */

/**
 * @param {{ id: number, test: boolean }[]} photos
 * @param {() => void} [after]
 * @returns {Item[]}
 */
export function testCommands(photos, after) {
  const ids = photos.map(({ id }) => id);
  const single = photos.length === 1;
  /** @param {{ test: boolean, recordings: boolean }} how */
  const mark = (how) => () => {
    after?.();
    void testSamples(ids, how);
  };
  const keep = [
    {
      text: single ? say("page.lightbox.test_recording") : say("page.samples.test_recordings"),
      icon: icon("lock"),
      testid: "test-recordings",
      press: mark({ test: true, recordings: true }),
    },
    {
      text: single ? say("page.lightbox.test_photo") : say("page.samples.test_these"),
      icon: icon("photo"),
      testid: "test-these",
      press: mark({ test: true, recordings: false }),
    },
  ];
  const learn = {
    text: single ? say("page.lightbox.learn") : say("page.samples.learn"),
    icon: icon("flip"),
    testid: "test-learn",
    press: mark({ test: false, recordings: true }),
  };
  return [...(photos.some(({ test }) => !test) ? keep : []), ...(photos.some(({ test }) => test) ? [learn] : [])];
}
