/** Two versions side by side: which photos, how each did, whether one is better, class by class, and where they differ. */

import { thumbnailUrl } from "./api.js";
import { className } from "./bars.js";
import { icon, make } from "./dom.js";
import { state } from "./store.js";
import { end, say, stated } from "./words.js";

/** @typedef {import("./types.d.ts").Version} Version */
/** @typedef {import("./types.d.ts").Compared} Compared */
/** @typedef {import("./types.d.ts").VersionSide} VersionSide */

/**
 * @param {Version} first
 * @param {Version} second
 * @param {Compared} found
 */
export function comparedView(first, second, found) {
  const told = found.better !== null;
  const verdict = make(
    "div",
    { className: `t-compared-verdict${told ? " t-compared-told" : ""}`, "data-testid": "compared-verdict", "data-better": found.better ?? "" },
    icon(told ? "check" : "info"),
    make("p", { className: "t-strong" }, found.verdict),
  );
  const about = make("p", { "data-testid": "compared-about" }, found.about);
  const root = make("div", { className: "t-compared", "data-testid": "compared", "data-way": found.way }, verdict, about);
  if (found.way === "none") return root;
  root.append(
    make("div", { className: "t-compared-sides" }, side(first, found.first, found, told), side(second, found.second, found, told)),
    ...found.notes.map((note) => make("p", { className: "t-muted" }, note)),
    classTable(first, second, found),
  );
  if (found.apart.length) root.append(photosApart(first, second, found));
  return root;
}

/** @param {Version} version */
function title(version) {
  const number = say("page.versions.number", { number: version.number });
  return version.name ? say("page.versions.titled", { number, name: version.name }) : number;
}

/**
 * @param {Version} version
 * @param {VersionSide} score
 * @param {Compared} found
 * @param {boolean} told
 */
function side(version, score, found, told) {
  const share = score.accuracy ?? 0;
  const better = told && found.better === version.id;
  const total = found.classes.length;
  const judged = found.classes.filter((one) => one.total > 0).length;
  const values = { low: end(score.low ?? 0), high: end(score.high ?? 0), judged, total };
  const bar = make("span", { className: "t-compared-bar", "aria-hidden": "true" }, make("i"), make("b"));
  bar.style.setProperty("--share", String(share));
  bar.style.setProperty("--low", String(score.low ?? 0));
  bar.style.setProperty("--high", String(score.high ?? 1));
  return make(
    "section",
    { className: `t-compared-side${better ? " t-compared-better" : ""}`, "data-testid": "compared-side" },
    make("h3", { className: "t-small-title", dir: "auto" }, title(version), better ? make("span", { className: "t-badge" }, icon("check"), say("page.versions.better")) : null),
    make("p", { className: "t-figure" }, stated(share)),
    bar,
    make("p", { className: "t-muted" }, say("page.versions.correct", { correct: score.correct, total: found.photos }), " ", say(judged < total ? "page.versions.range_some" : "page.versions.range", values)),
  );
}

/**
 * @param {Version} first
 * @param {Version} second
 * @param {Compared} found
 */
function classTable(first, second, found) {
  const head = make(
    "tr",
    {},
    make("th", { "scope": "col" }, say("page.versions.class")),
    make("th", { "scope": "col" }, say("page.versions.photos")),
    make("th", { "scope": "col" }, say("page.versions.number", { number: first.number })),
    make("th", { "scope": "col" }, say("page.versions.number", { number: second.number })),
  );
  const rows = found.classes
    .filter((one) => one.total > 0)
    .map((one) => {
      const dot = make("i", { className: "t-version-dot" });
      dot.style.setProperty("--class", one.color);
      return make(
        "tr",
        {},
        make("th", { "scope": "row", dir: "auto" }, dot, one.name),
        make("td", {}, String(one.total)),
        cell(one.first, one.second, one.total),
        cell(one.second, one.first, one.total),
      );
    });
  return make("table", { className: "t-compared-table", "data-testid": "compared-classes" }, make("caption", { className: "t-spoken" }, say("page.versions.by_class")), make("thead", {}, head), make("tbody", {}, ...rows));
}

/**
 * @param {number} mine
 * @param {number} other
 * @param {number} total
 */
function cell(mine, other, total) {
  return make("td", { className: mine > other ? "t-strong" : "" }, stated(mine / total));
}

/**
 * @param {Version} first
 * @param {Version} second
 * @param {Compared} found
 */
function photosApart(first, second, found) {
  const project = state.project?.id ?? "";
  const items = found.apart.map(({ sample, given, first: one, second: other }) =>
    make(
      "li",
      { className: "t-apart" },
      make("img", { src: thumbnailUrl(project, sample), alt: say("page.versions.photo_of", { name: className(given) }), loading: "lazy", width: 72, height: 72 }),
      make("span", { className: "t-apart-words" }, answer(first, one, given), answer(second, other, given)),
    ),
  );
  return make("section", { className: "t-compared-apart" }, make("h3", { className: "t-small-title" }, say("page.versions.apart", { count: found.apart.length })), make("ul", {}, ...items));
}

/**
 * @param {Version} version
 * @param {string} said
 * @param {string} given
 */
function answer(version, said, given) {
  const right = said === given;
  const mark = make("span", { className: right ? "t-right" : "t-wrong", role: "img", "aria-label": say(right ? "page.versions.right" : "page.versions.wrong") }, icon(right ? "check" : "close"));
  return make("span", { className: "t-apart-answer" }, make("span", { className: "t-muted" }, `${version.number}:`), mark, make("span", { dir: "auto" }, className(said)));
}
