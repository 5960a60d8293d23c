/**
 * Gradio gives up for good when its connection breaks in the middle of something: its controls, Train among them, do
 * nothing any more. It then asks for `app_id` until there is an answer, and loads the page anew, whatever goes on in it.
 * The server has no answer to that. This loads the page anew as soon as the server is back and nothing is lost by it.
 */

import { request } from "./api.js";
import { bringing } from "./imports.js";
import { state, subscribe } from "./store.js";
import { sending } from "./uploads.js";

/** Something is written, recorded, sent or looked at. */
const BUSY = "dialog[open], [data-recording], [data-finishing], input:focus, textarea:focus";
/** Where it gives up again at once, the page without its controls is of more use than one that is always loading. */
const SELDOM_MS = 60_000;

/** Begin. Once per page. */
export function startLost() {
  let lost = false;
  let leaving = false;
  const reloaded = performance.getEntriesByType("navigation").some((entry) => "type" in entry && entry.type === "reload");
  /** @type {import("./types.d.ts").Status | null} */
  let before = null;
  new PerformanceObserver((list) => {
    if (lost || !list.getEntries().some(({ name }) => name.endsWith("/gradio_api/app_id"))) return;
    lost = true;
    before = state.status;
  }).observe({ type: "resource", buffered: true });
  subscribe("status", async () => {
    // Only an answer of the server brings another one.
    if (!lost || leaving || !state.status || state.status === before) return;
    if (sending() || bringing() || document.querySelector(BUSY)) return;
    if (reloaded && performance.now() < SELDOM_MS) return;
    leaving = true;
    // Train was pressed, which Gradio did not pass on. Where it did after all, the server refuses a second one.
    if (state.starting) await request("POST", `/projects/${state.project?.id}/training`, {}).catch(() => undefined);
    location.reload();
  });
}
