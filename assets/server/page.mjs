/**
 * The page of a model server: lists what it can be asked, and asks it about one photo. It owns no text: the words come
 * with the page and with `openapi.json`.
 */

const input = /** @type {HTMLInputElement} */ (document.getElementById("photo"));
const shown = /** @type {HTMLImageElement} */ (document.getElementById("shown"));
const answer = /** @type {HTMLOListElement} */ (document.getElementById("answer"));
const routes = /** @type {HTMLElement} */ (document.getElementById("routes"));
const example = /** @type {HTMLElement} */ (document.getElementById("example"));
let asked = 0;

/**
 * Make an element; its text is never read as HTML.
 * @param {string} tag
 * @param {string} text
 */
function make(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

/** @param {{ label: string, confidence: number }} prediction */
function row({ label, confidence }) {
  const item = document.createElement("li");
  const bar = document.createElement("meter");
  bar.value = confidence;
  bar.setAttribute("aria-label", label);
  item.append(make("span", label), bar, make("b", `${(100 * confidence).toFixed(1)} %`));
  return item;
}

/** @param {File} file */
async function ask(file) {
  const number = ++asked;
  URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(file);
  shown.hidden = false;
  answer.replaceChildren();
  /** @type {HTMLElement[]} */
  let rows;
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const said = await (await fetch("v1/predict", { method: "POST", headers, body: file })).json();
    rows = said.predictions ? said.predictions.map(row) : [make("li", said.error.message)];
    answer.classList.toggle("unsure", said.known === false);
    if (said.known === false) rows.unshift(make("li", answer.dataset.unsure ?? ""));
  } catch {
    rows = [make("li", answer.dataset.failed ?? "")];
  }
  // The answer about a photo that was chosen before is of no interest any more.
  if (number === asked) answer.replaceChildren(...rows);
}

async function list() {
  const { paths } = await (await fetch("openapi.json")).json();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary }] of Object.entries(methods)) {
      routes.append(make("dt", `${method.toUpperCase()} ${path}`), make("dd", summary));
    }
  }
}

input.addEventListener("change", () => input.files?.[0] && ask(input.files[0]));
example.textContent = `curl -F image=@photo.jpg ${location.origin}/v1/predict`;
list();
