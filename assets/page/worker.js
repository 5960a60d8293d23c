/** The worker in which the model runs, away from the thread that draws the page. It is asked one thing at a time. */

import { openEngine } from "./engine.js";

/** @type {import("./engine.js").Engine | null} */
let engine = null;

addEventListener("message", async ({ data }) => {
  try {
    if (data.parts) engine = await openEngine(data.parts);
    postMessage({ id: data.id, answer: data.parts || !engine ? null : await engine(data.picture, data.maps) });
  } catch (error) {
    postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
  }
});
