/**
 * What can be done with a project and its classes: each function asks the server, then brings the store up to date.
 *
 * It owns the project id in the address of the page. Failures are shown as a toast, in words.
 */

import { ApiError, request } from "./api.js";
import { forgetSamples } from "./samples.js";
import { findClass, notify, setClass, setProject, state } from "./store.js";
import { offerUndo, tell } from "./toasts.js";
import { discardOf } from "./uploads.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {import("./types.d.ts").ClassInfo} ClassInfo */

/** Counts what was opened: of two projects that are asked for, the later is shown, whichever comes first. */
let opening = 0;

/** @returns {string} */
function here() {
  return `/projects/${state.project?.id}`;
}

/** @returns {Promise<Project[]>} */
export async function listProjects() {
  return (await request("GET", "/projects")).projects;
}

/** Open the project named in the address, else the last one changed, else a new one. */
export async function openFromAddress() {
  const id = new URLSearchParams(location.search).get("project");
  try {
    if (id) return await openProject(id, "keep");
    const [latest] = await listProjects();
    return show(latest ?? (await request("POST", "/projects", {})), "replace");
  } catch (error) {
    state.problem = { message: words(error), projects: [], retry: true };
    return notify("problem");
  }
}

/**
 * @param {string} id
 * @param {"keep" | "replace" | "push"} address what to do with the address of the page
 */
export async function openProject(id, address = "push") {
  // The one that is open is only read again, which stands in nobody's way.
  const mine = id === state.project?.id ? opening : ++opening;
  try {
    const project = await request("GET", `/projects/${encodeURIComponent(id)}`);
    if (mine === opening) show(project, address);
  } catch (error) {
    if (mine !== opening) return;
    if (!(error instanceof ApiError) || error.status === 0) throw error;
    const message = error.status === 404 || error.status === 422 ? say("page.project.unknown") : error.message;
    const problem = await instead(message);
    if (mine !== opening) return;
    state.problem = problem;
    notify("problem");
  }
}

/** What is being opened is not wanted any more: the person came back to the project that is shown. */
export function stayHere() {
  opening += 1;
}

/**
 * What to offer where a project cannot be opened.
 * @param {string} message
 * @returns {Promise<NonNullable<typeof state.problem>>}
 */
async function instead(message) {
  try {
    return { message, projects: await listProjects(), retry: false };
  } catch (error) {
    if (!(error instanceof ApiError) || error.key !== "room_members_only") throw error;
    // A pupil who was removed, or a link of one: there are no projects of their own to choose from.
    return { message: say("page.project.not_joined"), projects: [], retry: true, join: true };
  }
}

/**
 * @param {Project} project
 * @param {"keep" | "replace" | "push"} address
 */
function show(project, address) {
  const url = new URL(location.href);
  url.searchParams.set("project", project.id);
  if (address === "replace") history.replaceState(null, "", url);
  if (address === "push") {
    // The page of all projects, which may lie above, is left.
    url.searchParams.delete("projects");
    history.pushState(null, "", url);
  }
  const again = state.project?.id === project.id;
  if (!again) {
    forgetSamples();
    // What lies above is about the project that is left: its photos have numbers that others have here.
    for (const dialog of document.querySelectorAll("dialog[data-project]")) if (dialog instanceof HTMLDialogElement) dialog.close();
  }
  setProject(project);
  notify("problem");
  // The cards of another project have just asked for theirs.
  if (again) notify("samples");
}

/** Fetch the open project again: something changed it from elsewhere. */
export async function refreshProject() {
  const id = state.project?.id;
  if (!id) return;
  const project = await request("GET", `/projects/${id}`);
  if (state.project?.id !== id) return;
  const before = new Map(state.project.classes.map((label) => [label.id, label.samples]));
  setProject(project);
  for (const label of project.classes) if (before.get(label.id) !== label.samples) notify("samples", label.id);
}

export async function createProject() {
  await attempt(() => showNext(request("POST", "/projects", {}), "push"));
}

/**
 * Show a project that the server was asked for, unless another was opened meanwhile.
 * @param {Promise<Project>} coming
 * @param {"replace" | "push"} address
 */
async function showNext(coming, address) {
  const mine = ++opening;
  const project = await coming;
  if (mine === opening) show(project, address);
}

/**
 * Take over what the server says of a project, if that is still the one that is open.
 * @param {Project} project
 * @returns {boolean} whether it is
 */
export function told(project) {
  if (state.project?.id !== project.id) return false;
  setProject(project);
  return true;
}

/**
 * @param {string} name
 * @param {string} id of the project
 */
export async function renameProject(name, id) {
  return attempt(async () => told(await request("PATCH", `/projects/${id}`, { name })));
}

/** Delete the open project, open another, and offer to take it back. */
export async function deleteProject() {
  await attempt(async () => {
    const { id, name, classes } = state.project ?? { id: "", name: "", classes: [] };
    const { undo } = await request("DELETE", here());
    for (const label of classes) discardOf(label.id);
    offerUndo(say("page.project.deleted", { name }), () => attempt(() => showNext(request("POST", "/projects/restore", { undo }), "push")));
    if (state.project?.id !== id) return;
    await showNext(
      listProjects().then(([latest]) => latest ?? request("POST", "/projects", {})),
      "replace",
    );
  });
}

/**
 * @param {string} [name] chosen by the server where left out
 * @returns {Promise<ClassInfo | null>}
 */
export async function addClass(name) {
  const id = state.project?.id;
  return attempt(async () => {
    /** @type {ClassInfo} */
    const label = await request("POST", `${here()}/classes`, name === undefined ? {} : { name });
    if (state.project?.id === id) setClass(label);
    return label;
  });
}

/**
 * @param {string} id
 * @param {{ name?: string, color?: string, position?: number, disabled?: boolean }} changes
 * @param {string} [project] id of its project
 * @returns {Promise<boolean>} whether the server took it
 */
export async function updateClass(id, changes, project = state.project?.id) {
  return succeeded(async () => {
    const label = await request("PATCH", `/projects/${project}/classes/${id}`, changes);
    if (state.project?.id !== project) return;
    // A new position moves the others too.
    if (changes.position === undefined) setClass(label);
    else await refreshProject();
  });
}

/**
 * @param {string} id
 * @returns {Promise<boolean>} whether it is gone
 */
export async function deleteClass(id) {
  const name = findClass(id)?.name ?? "";
  const take = undoer();
  return succeeded(async () => {
    const { undo } = await request("DELETE", `${here()}/classes/${id}`);
    await refreshProject();
    offerUndo(say("page.class.deleted", { name }), () => take(undo), undo);
  });
}

/** @param {string} id */
export async function clearClass(id) {
  const label = findClass(id);
  return removing(() => request("DELETE", `${here()}/classes/${id}/samples`), label?.samples ?? 0);
}

/** @param {number[]} ids */
export async function deleteSamples(ids) {
  return removing(() => request("POST", `${here()}/samples/delete`, { ids }), ids.length);
}

/**
 * @param {() => Promise<{ undo: string }>} remove
 * @param {number} count
 */
async function removing(remove, count) {
  const take = undoer();
  return succeeded(async () => {
    const { undo } = await remove();
    await refreshProject();
    offerUndo(say("page.samples.deleted", { count }), () => take(undo), undo);
  });
}

/**
 * @param {number[]} ids
 * @param {string} target id of the class they go to
 */
export async function moveSamples(ids, target) {
  const take = undoer();
  const name = findClass(target)?.name ?? "";
  return succeeded(async () => {
    const { undo } = await request("POST", `${here()}/samples/move`, { ids, class_id: target });
    await refreshProject();
    offerUndo(say("page.samples.moved", { count: ids.length, name: findClass(target)?.name ?? name }), () => take(undo), undo);
  });
}

/**
 * Keep samples for testing only, or let the model learn from them again.
 * @param {number[]} ids
 * @param {{ test?: boolean, recordings?: boolean }} [how] `recordings`: with all others of their recordings, without
 *   which a test says little
 */
export async function testSamples(ids, { test = true, recordings = true } = {}) {
  const take = undoer();
  return succeeded(async () => {
    const before = tests();
    const { undo } = await request("POST", `${here()}/samples/test`, { ids, test, recordings });
    await refreshProject();
    notify("samples");
    const count = Math.abs(tests() - before);
    offerUndo(say(test ? "page.samples.kept" : "page.samples.learned", { count }), () => take(undo), undo);
  });
}

/** How many samples are kept for testing. */
function tests() {
  return (state.project?.classes ?? []).reduce((sum, label) => sum + label.tests, 0);
}

/**
 * What takes back a change of the project that is open now, also when another one is open then.
 * @returns {(token: string) => Promise<unknown>}
 */
export function undoer() {
  const path = here();
  return (token) =>
    attempt(async () => {
      if (told(await request("POST", `${path}/undo`, { undo: token }))) notify("samples");
    });
}

/**
 * @template Result
 * @param {() => Promise<Result>} action
 * @returns {Promise<Result | null>} null where it failed; the reason has been shown
 */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    tell(words(error), "problem");
    return null;
  }
}

/**
 * @param {() => Promise<unknown>} action
 * @returns {Promise<boolean>} false where it failed; the reason has been shown
 */
export async function succeeded(action) {
  const done = await attempt(async () => {
    await action();
    return true;
  });
  return done !== null;
}

/**
 * What to show for an error: its own words if it has any; a mistake of ours is also put where developers look.
 * @param {unknown} error
 */
export function words(error) {
  if (error instanceof ApiError) return error.message;
  console.error(error);
  return say("page.error.unexpected");
}
