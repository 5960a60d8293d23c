/**
 * What can be done with a project and its classes: each function asks the server, then brings the store up to date.
 *
 * It owns the project id in the address of the page. Failures are shown as a toast, in words.
 */

import { ApiError, request } from "./api.js";
import { forgetSamples } from "./samples.js";
import { findClass, notify, setClass, setProject, state } from "./store.js";
import { offerUndo, tell } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {import("./types.d.ts").ClassInfo} ClassInfo */

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
  try {
    show(await request("GET", `/projects/${encodeURIComponent(id)}`), address);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 0) throw error;
    const message = error.status === 404 || error.status === 422 ? say("page.project.unknown") : error.message;
    state.problem = await instead(message);
    notify("problem");
  }
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
  if (!again) forgetSamples();
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
  await attempt(async () => show(await request("POST", "/projects", {}), "push"));
}

/** @param {string} name */
export async function renameProject(name) {
  return attempt(async () => setProject(await request("PATCH", here(), { name })));
}

/** Delete the open project, open another, and offer to take it back. */
export async function deleteProject() {
  await attempt(async () => {
    const name = state.project?.name ?? "";
    const { undo } = await request("DELETE", here());
    const [latest] = await listProjects();
    show(latest ?? (await request("POST", "/projects", {})), "replace");
    offerUndo(say("page.project.deleted", { name }), () =>
      attempt(async () => show(await request("POST", "/projects/restore", { undo }), "push")),
    );
  });
}

/**
 * @param {string} [name] chosen by the server where left out
 * @returns {Promise<ClassInfo | null>}
 */
export async function addClass(name) {
  return attempt(async () => {
    /** @type {ClassInfo} */
    const label = await request("POST", `${here()}/classes`, name === undefined ? {} : { name });
    setClass(label);
    return label;
  });
}

/**
 * @param {string} id
 * @param {{ name?: string, color?: string, position?: number, disabled?: boolean }} changes
 * @returns {Promise<boolean>} whether the server took it
 */
export async function updateClass(id, changes) {
  const updated = await attempt(async () => {
    const label = await request("PATCH", `${here()}/classes/${id}`, changes);
    // A new position moves the others too.
    if (changes.position === undefined) setClass(label);
    else await refreshProject();
    return label;
  });
  return updated !== null;
}

/**
 * @param {string} id
 * @returns {Promise<boolean>} whether it is gone
 */
export async function deleteClass(id) {
  const name = findClass(id)?.name ?? "";
  const deleted = await attempt(async () => {
    const { undo } = await request("DELETE", `${here()}/classes/${id}`);
    await refreshProject();
    offerUndo(say("page.class.deleted", { name }), () => undoWith(undo), undo);
    return true;
  });
  return deleted !== null;
}

/** @param {string} id */
export async function clearClass(id) {
  const label = findClass(id);
  await removing(() => request("DELETE", `${here()}/classes/${id}/samples`), label?.samples ?? 0);
}

/** @param {number[]} ids */
export async function deleteSamples(ids) {
  await removing(() => request("POST", `${here()}/samples/delete`, { ids }), ids.length);
}

/**
 * @param {() => Promise<{ undo: string }>} remove
 * @param {number} count
 */
async function removing(remove, count) {
  await attempt(async () => {
    const { undo } = await remove();
    await refreshProject();
    offerUndo(say("page.samples.deleted", { count }), () => undoWith(undo), undo);
  });
}

/**
 * @param {number[]} ids
 * @param {string} target id of the class they go to
 */
export async function moveSamples(ids, target) {
  await attempt(async () => {
    const { undo } = await request("POST", `${here()}/samples/move`, { ids, class_id: target });
    await refreshProject();
    offerUndo(say("page.samples.moved", { count: ids.length, name: findClass(target)?.name ?? "" }), () => undoWith(undo), undo);
  });
}

/**
 * Keep samples for testing only, or let the model learn from them again.
 * @param {number[]} ids
 * @param {{ test?: boolean, recordings?: boolean }} [how] `recordings`: with all others of their recordings, without
 *   which a test says little
 */
export async function testSamples(ids, { test = true, recordings = true } = {}) {
  await attempt(async () => {
    const before = tests();
    const { undo } = await request("POST", `${here()}/samples/test`, { ids, test, recordings });
    await refreshProject();
    notify("samples");
    const count = Math.abs(tests() - before);
    offerUndo(say(test ? "page.samples.kept" : "page.samples.learned", { count }), () => undoWith(undo), undo);
  });
}

/** How many samples are kept for testing. */
function tests() {
  return (state.project?.classes ?? []).reduce((sum, label) => sum + label.tests, 0);
}

/** @param {string} token */
export async function undoWith(token) {
  await attempt(async () => {
    setProject(await request("POST", `${here()}/undo`, { undo: token }));
    notify("samples");
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
 * What to show for an error: its own words if it has any; a mistake of ours is also put where developers look.
 * @param {unknown} error
 */
export function words(error) {
  if (error instanceof ApiError) return error.message;
  console.error(error);
  return say("page.error.unexpected");
}
