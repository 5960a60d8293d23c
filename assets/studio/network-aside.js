/** Notices about networks that a person has put aside: remembered by this browser. */

/** @typedef {import("./types.d.ts").Installation} Installation */

const STORED_AS = "teachable.networks.read";
/** Older ones are of long ago. */
const REMEMBERED = 50;
/** Those put aside since the page was opened, for browsers that store nothing. @type {Set<string>} */
const aside = new Set();

/** @returns {string[]} */
function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED_AS) ?? "[]");
  } catch {
    // Storage may be blocked or hold something else.
    return [];
  }
}

/** @param {string} id of the notice */
export function isAside(id) {
  return aside.has(id) || stored().includes(id);
}

/** @param {string} id of the notice */
export function putAside(id) {
  if (isAside(id)) return;
  aside.add(id);
  try {
    localStorage.setItem(STORED_AS, JSON.stringify([...stored(), id].slice(-REMEMBERED)));
  } catch {
    // A browser that stores nothing: it is put aside until the page is closed.
  }
}

/**
 * Id of the notice that offers a project another network.
 * @param {string} project
 * @param {string} network
 */
export function offerId(project, network) {
  return `offer ${project} ${network}`;
}

/**
 * Id of the notice that a network could not be brought. What the program tried by itself is said once for each reason,
 * what a person tried is said each time.
 * @param {Installation} failed
 */
export function failureId({ automatic, id, key, started }) {
  return automatic ? `failed ${id} ${key}` : `failed ${started}`;
}
