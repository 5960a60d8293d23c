/**
 * Every word a person reads, looked up by key: the browser's half of `teachable/words.py`, on the same catalogue.
 *
 * It owns filling `{places}` and choosing `key.one` or `key.other` by `count`; it holds no text itself.
 */

/** @typedef {import("./types.d.ts").Values} Values */

const LOCALE = "en";

/** @type {Record<string, string>} */
let texts = {};
/**
 * Ends when there are words: whatever begins a page waits for it. The module itself does not, because Safari lets those
 * that import a module which waits run before it has (WebKit bug 242740).
 */
export const ready = fetch(new URL(`../locales/${LOCALE}.json`, import.meta.url))
  .then((answer) => answer.json())
  .then((found) => void (texts = found));
const numbers = new Intl.NumberFormat(LOCALE);
const percents = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
/** What a model is never surer than: it weighs with numbers of seven digits. */
const DOUBT = 1e-6;
const seconds = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/**
 * Whether the catalogue has this text, as it stands or counted.
 * @param {string} key
 */
export function known(key) {
  return key in texts || `${key}.other` in texts;
}

/**
 * The text of `key`, with its places filled.
 * @param {string} key
 * @param {Values} [values]
 */
export function say(key, values = {}) {
  const name = key in texts ? key : `${key}.${values.count === 1 ? "one" : "other"}`;
  const text = texts[name];
  if (text === undefined) throw new Error(`The catalogue has no text "${key}".`);
  return text.replace(/\{(\w+)\}/g, (_, place) => {
    const value = values[place];
    return typeof value === "number" ? numbers.format(value) : String(value ?? "");
  });
}

/**
 * A share from 0 to 1 as a percentage, for what moves: progress, and the bars of the live preview.
 * @param {number} share
 */
export function percent(share) {
  return percents.format(share);
}

/**
 * A share from 0 to 1 as a percentage, for a figure that is stated: what is not certain is never rounded up to it, so
 * 0.998 is "over 99%" and 0.002 "under 1%".
 * @param {number} share
 * @param {boolean} [short] there is little room: ">99%"
 */
export function stated(share, short = false) {
  const near = nearlyCertain(share);
  if (near === null) return percent(share);
  const values = { percent: percent(near) };
  if (short) return say(near > 0.5 ? "page.share.over" : "page.share.under", values);
  return say(near > 0.5 ? "note.share.over" : "note.share.under", values);
}

/**
 * How sure a model is, as a percentage: as `stated`, and never certain, though it may be too sure for its numbers to
 * tell.
 * @param {number} share
 * @param {boolean} [short] there is little room: ">99%"
 */
export function probability(share, short = false) {
  return stated(Math.min(Math.max(share, DOUBT), 1 - DOUBT), short);
}

/**
 * An end of an interval as a percentage: as `stated`, but a number in every case.
 * @param {number} share
 */
export function end(share) {
  return percent(nearlyCertain(share) ?? share);
}

/**
 * The share to name instead of one that only rounding makes certain, or null.
 * @param {number} share
 */
function nearlyCertain(share) {
  if (share < 1 && percent(share) === percent(1)) return 0.99;
  return share > 0 && percent(share) === percent(0) ? 0.01 : null;
}

/**
 * A duration with one decimal, without its unit.
 * @param {number} value
 */
export function decimal(value) {
  return seconds.format(value);
}

/**
 * A measured figure with two digits at least, without its unit.
 * @param {number} value
 */
export function measured(value) {
  return value >= 9.95 ? numbers.format(Math.round(value)) : seconds.format(value);
}

/**
 * A size in megabytes, without the unit.
 * @param {number} bytes
 */
export function megabytes(bytes) {
  return measured(bytes / 1e6);
}

/**
 * A size with the unit that suits it.
 * @param {number} bytes
 */
export function size(bytes) {
  if (bytes >= 1e9) return say("page.size.gb", { size: measured(bytes / 1e9) });
  if (bytes >= 1e5) return say("page.size.mb", { size: megabytes(bytes) });
  return say("page.size.kb", { size: numbers.format(Math.ceil(bytes / 1e3)) });
}

/**
 * Class names or the like as one phrase.
 * @param {string[]} items
 */
export function list(items) {
  return new Intl.ListFormat(LOCALE).format(items);
}

/**
 * A day as the reader's calendar writes it.
 * @param {number} time seconds since 1970
 */
export function day(time) {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" }).format(time * 1000);
}

/**
 * A time of this day.
 * @param {number} time seconds since 1970
 */
export function clockTime(time) {
  return new Intl.DateTimeFormat(LOCALE, { timeStyle: "short" }).format(time * 1000);
}

/**
 * A point in time as the reader's calendar writes it.
 * @param {number} time seconds since 1970
 */
export function moment(time) {
  return new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" }).format(time * 1000);
}
