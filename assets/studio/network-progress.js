/** How bringing a network to this computer goes: what is being done, a thin bar, and bytes of bytes. */

import { make, write } from "./dom.js";
import { state } from "./store.js";
import { megabytes, say } from "./words.js";

/** @typedef {import("./types.d.ts").Installation} Installation */

/**
 * What is being done, as a heading.
 * @param {Installation} now
 */
export function installationTitle({ state: phase, id, title }) {
  if (phase === "waiting") return say("page.network.waiting");
  if (id === null) return say("page.network.importing", { title });
  return say(id === state.networks?.recommended ? "page.network.fetching_stronger" : "page.network.fetching", { title });
}

/** @returns {{ element: HTMLElement, show: (now: Installation) => void }} */
export function installationBar() {
  const count = make("span", { className: "t-muted t-number", "data-testid": "network-bytes" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.network.progress") });
  const element = make("div", { className: "t-network-progress" }, bar, count);

  return {
    element,
    show({ state: phase, done, total }) {
      if (phase === "fetching" && total > 0) {
        bar.value = done / total;
        write(count, say("page.network.bytes", { done: (done / 1e6).toFixed(0), total: megabytes(total) }));
      } else {
        bar.removeAttribute("value");
        write(count, phase === "converting" ? say("page.network.preparing") : say("page.network.starting"));
      }
    },
  };
}
