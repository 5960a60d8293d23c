/**
 * All projects and the bin as the server knows them, and what can be done with a project that need not be open. It owns
 * no element; failures are shown as toasts, in words.
 */

import { request } from "./api.js";
import { attempt, deleteProject, openProject } from "./project.js";
import { notify, setProject, state } from "./store.js";
import { offerUndo, tell } from "./toasts.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").Shelf} Shelf */
/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {import("./types.d.ts").Storage} Storage */

/** @returns {Promise<Shelf>} */
export function askShelf() {
  return request("GET", "/shelf");
}

/** @returns {Promise<Project | null>} */
export function newProject() {
  return attempt(() => request("POST", "/projects", {}));
}

/** @param {string} id */
export async function openFromShelf(id) {
  // The page of all projects leaves its place in the history of the browser to the project.
  await attempt(() => openProject(id, "replace"));
}

/**
 * @param {string} id
 * @param {string} name
 * @returns {Promise<boolean>} whether the server took it
 */
export async function renameFromShelf(id, name) {
  const project = await attempt(() => request("PATCH", `/projects/${id}`, { name }));
  if (project && state.project?.id === id) setProject(project);
  if (project) notify("shelf");
  return project !== null;
}

/**
 * @param {Project} project
 * @returns {Promise<Project | null>}
 */
export async function duplicate(project) {
  /** @type {Project | null} */
  const copy = await attempt(() => request("POST", `/projects/${project.id}/duplicate`, {}));
  if (copy) tell(say("page.shelf.duplicated", { name: project.name, copy: copy.name }));
  notify("shelf");
  return copy;
}

/**
 * Put a project into the bin, and offer to take it back.
 * @param {Project} project
 */
export async function binProject(project) {
  if (state.project?.id === project.id) await deleteProject();
  else
    await attempt(async () => {
      const { undo } = await request("DELETE", `/projects/${project.id}`);
      offerUndo(say("page.project.deleted", { name: project.name }), () =>
        attempt(async () => {
          await request("POST", "/projects/restore", { undo });
          notify("shelf");
        }),
      );
    });
  notify("shelf");
}

/**
 * @param {import("./types.d.ts").Binned} binned
 * @returns {Promise<Project | null>}
 */
export async function restore(binned) {
  const project = await attempt(() => request("POST", `/bin/${binned.id}/restore`, {}));
  if (project) tell(say("page.shelf.restored", { name: binned.name }));
  notify("shelf");
  return project;
}

/**
 * Delete for good.
 * @param {string | null} id of a project in the bin, or null for all
 */
export async function emptyBin(id) {
  await attempt(() => request("DELETE", id === null ? "/bin" : `/bin/${id}`));
  notify("shelf");
}

/**
 * @param {string} id
 * @returns {Promise<Storage>}
 */
export function askStorage(id) {
  return request("GET", `/projects/${id}/storage`);
}

/**
 * @param {string} id
 * @param {{ removed: boolean, caches: boolean }} what
 * @returns {Promise<number>} bytes that are free again
 */
export async function cleanUp(id, what) {
  const { freed } = await request("POST", `/projects/${id}/clean-up`, what);
  notify("shelf");
  return freed;
}
