/**
 * Shows `openapi.json` as a page to read: every route with what it takes, what it gives and a line to try it. It owns
 * the layout and no text: the words come from the description and from `words.json`.
 */

/** @typedef {{ $ref?: string, type?: string, format?: string, items?: Schema, anyOf?: Schema[], prefixItems?: Schema[],
 *   properties?: Record<string, Schema>, required?: string[], description?: string, default?: unknown,
 *   minimum?: number, maximum?: number, enum?: unknown[], const?: unknown }} Schema */
/** @typedef {{ name: string, in: string, required?: boolean, description?: string, schema: Schema }} Parameter */
/** @typedef {{ description: string, content?: Record<string, { schema: Schema }> }} Answer */
/** @typedef {{ tags: string[], summary: string, description: string, operationId: string, parameters?: Parameter[],
 *   requestBody?: { required?: boolean, content: Record<string, { schema: Schema }> },
 *   responses: Record<string, Answer> }} Route */
/** @typedef {{ info: { title: string, version: string, description: string }, servers: { url: string }[],
 *   tags: { name: string, description: string }[], paths: Record<string, Record<string, Route>>,
 *   components: { schemas: Record<string, Schema> } }} Description */

const [description, words] = await Promise.all([load("openapi.json"), load("docs/words.json")]);
/** @type {Description} */
const api = description;
const server = api.servers[0]?.url ?? "";

/**
 * @param {string} address beside this page
 * @returns {Promise<any>}
 */
async function load(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

/** @param {string} key */
function say(key) {
  return words[`api.${key}`];
}

/**
 * Make an element; text children are never read as HTML.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * Text with `code` in backquotes, in paragraphs.
 * @param {string} text
 */
function paragraphs(text) {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => make("p", {}, ...coded(paragraph)));
}

/** @param {string} text */
function coded(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

/**
 * @param {Schema} schema
 * @returns {Schema}
 */
function resolve(schema) {
  const name = schema.$ref?.split("/").at(-1);
  return name ? { ...api.components.schemas[name], ...(schema.description && { description: schema.description }) } : schema;
}

/**
 * Say in a few words what kind of value a schema means.
 * @param {Schema} schema
 * @returns {string}
 */
function kind(schema) {
  const { anyOf, type, items, format, minimum, maximum } = resolve(schema);
  if (type === "array") return `${say("list")} ${items ? kind(items) : ""}`.trim();
  if (format === "binary") return say("type.file");
  // Ids are bounded by what the database can count to, which is nothing a person needs to know.
  const told = minimum !== undefined && maximum !== undefined && maximum <= Number.MAX_SAFE_INTEGER;
  const range = told ? `, ${minimum} – ${maximum}` : "";
  const plain = anyOf ? [...new Set(anyOf.map(kind))].join(` ${say("or")} `) : say(`type.${type}`);
  return (plain ?? "") + range;
}

/**
 * The record inside a schema, a list of records or one that may be missing, if there is one.
 * @param {Schema} schema
 * @returns {Schema | null}
 */
function record(schema) {
  const found = resolve(schema);
  if (found.properties) return found;
  for (const inner of [...(found.anyOf ?? []), ...(found.items ? [found.items] : [])]) {
    const inside = record(inner);
    if (inside) return inside;
  }
  return null;
}

/**
 * @param {Schema} schema
 * @param {boolean} asked whether to say which fields must be sent
 * @returns {HTMLElement}
 */
function fields(schema, asked) {
  const list = make("dl", { class: "fields" });
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const inside = record(field);
    const must = asked && schema.required?.includes(name) ? ` · ${say("required")}` : "";
    const text = field.description ?? "";
    const entry = make("dd", {}, ...coded(text), " ", make("span", { class: "kind" }, kind(field) + must));
    if (inside?.properties) entry.append(make("details", {}, make("summary", {}, say("fields")), fields(inside, asked)));
    list.append(make("dt", {}, name), entry);
  }
  return list;
}

/** @param {Parameter[]} parameters */
function parameterList(parameters) {
  const list = make("dl", { class: "fields" });
  for (const parameter of parameters) {
    const must = parameter.required ? ` · ${say("required")}` : "";
    const place = make("span", { class: "kind" }, `${kind(parameter.schema)} · ${say(`in.${parameter.in}`)}${must}`);
    list.append(make("dt", {}, parameter.name), make("dd", {}, ...coded(parameter.description ?? ""), " ", place));
  }
  return list;
}

/**
 * A line for a terminal.
 * @param {string} method
 * @param {string} path
 * @param {Route} route
 */
function curl(method, path, route) {
  const query = (route.parameters ?? []).filter((one) => one.in === "query" && one.required);
  const search = query.map((one) => `${one.name}=${one.name.toUpperCase()}`).join("&");
  const address = path.replaceAll(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const parts = ["curl"];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  for (const [type, { schema }] of Object.entries(route.requestBody?.content ?? {})) {
    const properties = Object.keys(record(schema)?.properties ?? {});
    if (type === "multipart/form-data") {
      parts.push(...properties.map((name) => (name === "group" ? "-F group=GROUP" : `-F ${name}=@photo.jpg`)));
    } else {
      parts.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(example(schema))}'`);
    }
  }
  if (Object.values(route.responses).some((answer) => isFile(answer))) parts.push("-OJ");
  parts.push(`'${location.origin}${server}${address}${search ? `?${search}` : ""}'`);
  return parts.join(" ");
}

/** @param {Answer} answer */
function isFile(answer) {
  return Object.values(answer.content ?? {}).some(({ schema }) => schema.format === "binary");
}

/**
 * The smallest body that a schema takes: fields that must be there, else the first one.
 * @param {Schema} schema
 * @returns {unknown}
 */
function example(schema) {
  const found = resolve(schema);
  const [first] = found.anyOf ?? [];
  if (first) return example(first);
  if (found.properties) {
    const names = found.required?.length ? found.required : Object.keys(found.properties).slice(0, 1);
    return Object.fromEntries(names.map((name) => [name, example(found.properties?.[name] ?? {})]));
  }
  if (found.type === "array") return [example(found.items ?? {})];
  if (found.type === "integer" || found.type === "number") return Math.max(1, found.minimum ?? 1);
  if (found.type === "boolean") return true;
  return "…";
}

/** @param {string} line */
function callBox(line) {
  const button = make("button", { type: "button" }, say("copy"));
  button.addEventListener("click", async () => {
    await copy(line);
    button.textContent = say("copied");
    setTimeout(() => (button.textContent = say("copy")), 1500);
  });
  return make("div", { class: "call" }, make("code", {}, line), button);
}

/**
 * On an http address in a local network the clipboard is closed to pages; the old command still works there.
 * @param {string} text
 */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = /** @type {HTMLTextAreaElement} */ (make("textarea", { readonly: "" }, text));
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Route} route
 */
function article(method, path, route) {
  const box = make(
    "article",
    { id: route.operationId },
    make("h3", {}, route.summary),
    make("p", { class: "address" }, make("span", { class: "method", "data-method": method }, method.toUpperCase()), server + path),
    ...paragraphs(route.description),
  );
  if (route.parameters?.length) box.append(make("h4", {}, say("parameters")), parameterList(route.parameters));
  for (const [type, { schema }] of Object.entries(route.requestBody?.content ?? {})) {
    const inside = record(schema);
    const title = make("h4", {}, say("body"), " ", make("span", { class: "place" }, type));
    box.append(title, ...(inside ? [fields(inside, true)] : []));
  }
  box.append(...answers(route));
  box.append(callBox(curl(method, path, route)));
  return box;
}

/** @param {Route} route */
function answers(route) {
  const shown = [];
  for (const [status, answer] of Object.entries(route.responses)) {
    // Refusals have one form everywhere; the introduction tells it once. FastAPI adds its own 422, which is not ours.
    if (!status.startsWith("2")) continue;
    const [type, content] = Object.entries(answer.content ?? {})[0] ?? [];
    const inside = content ? record(content.schema) : null;
    shown.push(make("h4", {}, `${say("answer")} ${status} `, make("span", { class: "place" }, type ?? "")));
    const text = inside?.description ?? answer.description;
    shown.push(make("p", {}, ...coded(text)));
    if (inside) shown.push(make("details", {}, make("summary", {}, say("fields")), fields(inside, false)));
  }
  return shown;
}

function show() {
  const head = document.getElementById("head");
  const contents = document.getElementById("contents");
  const routes = document.getElementById("routes");
  if (!head || !contents || !routes) throw new Error("the page has lost its parts");
  document.title = say("title");
  head.append(make("h1", {}, say("title")), ...paragraphs(api.info.description));
  head.append(make("p", {}, make("a", { href: "openapi.json" }, say("download")), ` · ${say("version")} ${api.info.version}`));
  contents.setAttribute("aria-label", say("contents"));
  for (const tag of api.tags) {
    routes.append(make("h2", {}, tag.name), make("p", {}, tag.description));
    contents.append(make("h2", {}, tag.name));
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const [method, route] of Object.entries(methods)) {
        if (!route.tags.includes(tag.name)) continue;
        routes.append(article(method, path, route));
        contents.append(make("a", { href: `#${route.operationId}` }, route.summary));
      }
    }
  }
  routes.setAttribute("aria-busy", "false");
  // The place named in the address exists only now.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

show();
