/**
 * What the page was made with: the names of the classes, their colours, and every word a person reads. It holds no text
 * itself; `teachable/exporting/formats/offline_page.py` writes it into the page.
 */

/**
 * @typedef {object} About
 * @property {string} lang of the words
 * @property {string} project its name
 * @property {string[]} labels one per output of the model; two may be equal
 * @property {string[]} colors one per label
 * @property {number | null} below familiarity under which the answer is "Not sure", or null if the model cannot tell
 * @property {number | null} view part of the shorter side of a photo that the model sees, or null if that is not known
 * @property {Record<string, string>} texts by key
 * @property {string} worker source of the script that runs in the background
 */

/**
 * The content of one of the page's data elements.
 * @param {string} id
 */
export function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`The page has no part "${id}".`);
  return element.textContent ?? "";
}

/** @type {About} */
export const about = JSON.parse(part("about"));

const numbers = new Intl.NumberFormat(about.lang);

/**
 * The text of `key`, with its places filled. What is shared with the Studio asks for `page.camera.busy`; these are the
 * words of this page, `camera.busy`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function say(key, values = {}) {
  const name = key.replace(/^page\./, "");
  const text = about.texts[name] ?? about.texts[`${name}.${values.count === 1 ? "one" : "other"}`];
  if (text === undefined) throw new Error(`The page has no text "${name}".`);
  return text.replace(/\{(\w+)\}/g, (_, place) => {
    const value = values[place];
    return typeof value === "number" ? numbers.format(value) : String(value ?? "");
  });
}

/**
 * A share from 0 to 1 as a percentage; a half is rounded up, and the sign stays with its figure.
 * @param {number} share
 */
export function percent(share) {
  return `${numbers.format(Math.floor(100 * share + 0.5))}\u202f%`;
}
