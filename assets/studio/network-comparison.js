/**
 * Comparing the networks of this computer on the open project's photos: starting, following, the table and the advice.
 *
 * The server tries the networks and says which one to use; this page adds how quick they are in this browser, afterwards,
 * because both at once would disturb each other.
 */

import { ApiError, explain, request } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { findNetwork, noteSpeed, switching, switchNetwork, training } from "./networks.js";
import { timeNetworks } from "./network-speed.js";
import { words } from "./project.js";
import { state } from "./store.js";
import { end, measured, megabytes, percent, say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Comparison} Comparison */
/** @typedef {import("./types.d.ts").ComparisonRow} ComparisonRow */

const ASK_MS = 500;
const COLUMNS = /** @type {const} */ (["title", "accuracy", "native", "browser", "size"]);

/** @param {{ switched: () => void }} options called when a training with the advised network has begun */
export function comparisonPanel({ switched }) {
  const begin = button({ text: say("page.comparison.start"), look: "soft", testid: "compare-start", press: () => void start() });
  const reason = make("p", { className: "t-muted", "data-testid": "compare-reason" });
  const doing = make("span", {});
  const share = make("span", { className: "t-number" });
  const bar = make("progress", { className: "t-progress", max: 1, "aria-label": say("page.comparison.progress") });
  const cancel = button({ text: say("page.network.cancel"), look: "ghost", testid: "compare-cancel", press: () => void stop() });
  const progress = make("div", { className: "t-compare-progress", hidden: true, "data-testid": "compare-progress" }, make("div", { className: "t-between" }, doing, share), bar, cancel);
  const problemText = make("p", {});
  const problem = make("div", { className: "t-notice t-notice-problem", role: "alert", hidden: true, "data-testid": "compare-problem" }, icon("warning"), problemText);
  const adviceText = make("p", { "data-testid": "compare-advice" });
  const follow = button({ text: " ", look: "soft", testid: "compare-use", press: () => void take() });
  const advice = make("div", { className: "t-notice t-advice", hidden: true }, icon("check"), make("div", {}, make("div", { role: "status" }, adviceText), make("div", { className: "t-actions" }, follow)));
  const rows = make("tbody", {});
  const headings = COLUMNS.map((name) => make("th", { scope: "col" }, say(`page.comparison.column_${name}`)));
  const table = make("table", { className: "t-compare", hidden: true, "data-testid": "compare-table" }, make("thead", {}, make("tr", {}, ...headings)), rows);
  const looked = make("p", { className: "t-muted", "data-testid": "compare-photos" });
  const element = make(
    "div",
    { className: "t-networks-panel", role: "tabpanel", "data-testid": "compare-panel" },
    make("p", {}, say("page.comparison.about")),
    make("div", { className: "t-compare-begin" }, begin, reason),
    progress,
    problem,
    advice,
    table,
    looked,
  );

  /** @type {Comparison | null} */
  let known = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let opened = false;
  /** What the last press led to, if it failed. */
  let trouble = "";
  /** The comparison was begun here, so that this browser is timed when it ends. */
  let begun = false;
  /** Network that is being timed in this browser. @type {string | null} */
  let timed = null;
  /** @type {Set<string>} */
  const untimed = new Set();
  const gone = new AbortController();
  /** Which figure stands in which row, to see whether anything is to be drawn. */
  let drawn = "";

  function path() {
    return `/projects/${state.project?.id}/comparison`;
  }

  /**
   * @param {string} method
   */
  async function ask(method) {
    clearTimeout(timer);
    if (gone.signal.aborted) return;
    try {
      /** @type {Comparison} */
      const answer = await request(method, path());
      if (gone.signal.aborted) return;
      // One that runs already was begun here before the dialog was closed, or by somebody else: it is followed alike.
      begun ||= method === "GET" && answer.state === "running";
      known = answer;
      if (method !== "GET") trouble = "";
    } catch (error) {
      trouble = words(error);
      if (!(error instanceof ApiError)) throw error;
    }
    if (known?.state === "running") timer = setTimeout(() => void ask("GET"), ASK_MS);
    update();
    if (known?.state === "done" && begun) {
      begun = false;
      await timeHere();
    }
  }

  async function start() {
    begun = true;
    untimed.clear();
    await ask("POST");
    if (trouble) begun = false;
  }

  async function stop() {
    begun = false;
    await ask("DELETE");
    if (!begin.disabled) begin.focus({ preventScroll: true });
  }

  async function timeHere() {
    const networks = (known?.rows ?? []).flatMap(({ id, reason: why }) => {
      const fingerprint = findNetwork(id)?.fingerprint;
      return fingerprint && !why ? [{ id, fingerprint }] : [];
    });
    await timeNetworks(networks, {
      signal: gone.signal,
      begun: (id) => {
        timed = id;
        update();
      },
      timed: async (id, milliseconds) => {
        const row = known?.rows.find((one) => one.id === id);
        if (row) row.browser_ms = milliseconds;
        await noteSpeed(id, milliseconds);
      },
      failed: (id, error) => {
        console.warn(error);
        untimed.add(id);
      },
    });
    timed = null;
    update();
  }

  async function take() {
    if (!known?.advice) return;
    try {
      await switchNetwork(known.advice);
      if (training()) switched();
      else await ask("GET");
    } catch (error) {
      trouble = words(error);
      update();
    }
  }

  function update() {
    if (!opened) return;
    const status = state.status;
    const running = known?.state === "running";
    const done = known?.state === "done";
    const present = state.networks?.networks.filter((network) => network.present).length ?? 0;
    const ready = status?.ready;
    // Without its network a project cannot be trained, but the others can be compared.
    const hindered = ready && !ready.ok && ready.key !== "network_absent" ? explain(ready.key ?? "", ready.values, ready.message) : "";
    write(/** @type {Element} */ (begin.lastElementChild), say(done ? "page.comparison.again" : "page.comparison.start"));
    begin.parentElement?.toggleAttribute("hidden", running);
    begin.disabled = hindered !== "" || timed !== null;
    write(reason, hindered || (timed ? say("page.comparison.timing", { title: findNetwork(timed)?.title }) : present < 2 ? say("page.comparison.only") : ""));
    progress.hidden = !running;
    if (known && running) {
      write(doing, known.current ? say("page.comparison.trying", { title: known.current }) : say("page.train.starting"));
      write(share, percent(known.fraction));
      bar.value = known.fraction;
    }
    const text = trouble || (known?.state === "failed" ? (known.message ?? "") : "");
    problem.hidden = !text;
    write(problemText, text);
    showAdvice(done ? known : null);
    showTable(known);
  }

  /** @param {Comparison | null} done */
  function showAdvice(done) {
    const id = done?.advice ?? null;
    advice.hidden = !done?.message;
    advice.toggleAttribute("data-advised", id !== null);
    write(adviceText, done?.message ?? "");
    const network = state.status?.network;
    const offer = network?.offer?.id === id ? network?.offer : null;
    follow.hidden = id === null || id === network?.id || !findNetwork(id)?.present;
    follow.disabled = training();
    const retrain = Boolean(state.status?.model);
    write(/** @type {Element} */ (follow.lastElementChild), retrain ? switching(offer?.seconds ?? null) : say("page.network.use"));
  }

  /** @param {Comparison | null} now */
  function showTable(now) {
    const shown = now?.rows ?? [];
    table.hidden = looked.hidden = !shown.length;
    if (!now || !shown.length) return;
    write(looked, now.held_out ? say("page.comparison.looked", { photos: now.photos, available: now.available, count: now.held_out }) : say("page.comparison.looked_only", { photos: now.photos, available: now.available }));
    const key = JSON.stringify([shown, now.advice, timed, [...untimed], state.status?.network.id]);
    if (key === drawn) return;
    drawn = key;
    rows.replaceChildren(...shown.map((row) => tableRow(row, now)));
  }

  /**
   * @param {ComparisonRow} row
   * @param {Comparison} now
   */
  function tableRow(row, now) {
    const inUse = state.status?.network.id === row.id;
    const name = make("th", { scope: "row" }, make("span", { dir: "auto" }, row.title));
    if (inUse) name.append(" ", make("span", { className: "t-badge t-badge-strong" }, say("page.network.in_use")));
    if (now.advice === row.id) name.append(" ", make("span", { className: "t-badge t-badge-good" }, say("page.comparison.advised")));
    const line = make("tr", { "data-testid": "compare-row", "data-id": row.id }, name);
    if (row.reason) line.append(make("td", { colSpan: COLUMNS.length - 1 }, row.reason));
    else line.append(accuracy(row, now), cell("native", milliseconds(row.native_ms)), cell("browser", inBrowser(row)), cell("size", say("page.network.megabytes", { size: megabytes(row.size_bytes) })));
    return line;
  }

  /** @param {ComparisonRow} row */
  function inBrowser(row) {
    if (timed === row.id) return say("page.comparison.measuring");
    if (untimed.has(row.id)) return say("page.comparison.cannot");
    return milliseconds(row.browser_ms);
  }

  return {
    element,
    update,
    open() {
      if (opened) return;
      opened = true;
      void ask("GET");
    },
    close() {
      clearTimeout(timer);
      gone.abort();
    },
  };
}

/**
 * @param {ComparisonRow} row
 * @param {Comparison} now
 */
function accuracy(row, now) {
  if (row.accuracy === null) return cell("accuracy", now.state === "running" ? "…" : "–");
  const values = { correct: row.correct, total: row.held_out, low: end(row.low ?? 0), high: end(row.high ?? 0) };
  const made = cell("accuracy", stated(row.accuracy));
  made.firstElementChild?.append(make("span", { className: "t-muted" }, say("page.comparison.range", values)));
  return made;
}

/** @param {number | null} time */
function milliseconds(time) {
  return time === null ? "–" : say("page.network.milliseconds", { time: measured(time) });
}

/**
 * One cell; on a phone, where the headings are hidden, it says itself what it holds.
 * @param {typeof COLUMNS[number]} column
 * @param {string} text
 */
function cell(column, text) {
  return make("td", { "data-label": say(`page.comparison.column_${column}`), "data-column": column }, make("span", {}, make("span", { className: "t-cell" }, text)));
}
