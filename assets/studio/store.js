/**
 * What the page knows, shared by its columns: modules are singletons, so every mount sees the same store.
 *
 * It owns the state and who is told about a change; it neither fetches nor draws.
 */

/** @typedef {import("./types.d.ts").Project} Project */
/** @typedef {import("./types.d.ts").ClassInfo} ClassInfo */
/** @typedef {import("./types.d.ts").Status} Status */
/** @typedef {import("./types.d.ts").Networks} Networks */

/**
 * `project`: name or classes changed. `status`: a fresh answer of the status route. `problem`: the project cannot be
 * shown. `samples`: stored photos of a class changed elsewhere, detail is its id, or null for all. `samples-shown`: what
 * a class shows changed. `uploads`: the queue of photos on their way moved. `networks`: a fresh answer about networks.
 * `settings`: what the next training is to be like changed elsewhere. `gone`: photos were on their way to a class that
 * was deleted; detail is its id.
 * `shelf`: some project came, went or changed. `imports`: a file on its way into a project moved on.
 * @typedef {"project" | "status" | "problem" | "samples" | "samples-shown" | "uploads" | "networks" | "settings" | "shelf" | "imports" | "gone"} Topic
 */

export const state = {
  /** @type {Project | null} */
  project: null,
  /** @type {Status | null} */
  status: null,
  /**
   * `retry`: nothing is known, asking again may help. `join`: this is a classroom that does not know who asks.
   * @type {{ message: string, projects: Project[], retry: boolean, join?: boolean } | null}
   */
  problem: null,
  /** Train was pressed and the server has not answered yet. */
  starting: false,
  startedBefore: 0,
  /** @type {Networks | null} */
  networks: null,
  /** A network is being timed in this browser: whatever else would use the same cores waits. */
  timing: false,
};

/** @type {Map<Topic, Set<(detail: any) => void>>} */
const listeners = new Map();

/**
 * Be told about changes.
 * @param {Topic | Topic[]} topics
 * @param {(detail: any) => void} listener
 * @returns {() => void} ends it
 */
export function subscribe(topics, listener) {
  const wanted = Array.isArray(topics) ? topics : [topics];
  for (const topic of wanted) {
    const set = listeners.get(topic) ?? new Set();
    listeners.set(topic, set.add(listener));
  }
  return () => {
    for (const topic of wanted) listeners.get(topic)?.delete(listener);
  };
}

/**
 * Tell everyone.
 * @param {Topic} topic
 * @param {unknown} [detail]
 */
export function notify(topic, detail = null) {
  for (const listener of [...(listeners.get(topic) ?? [])]) listener(detail);
}

/**
 * Take over a project as the server describes it.
 * @param {Project} project
 */
export function setProject(project) {
  if (state.project?.id !== project.id) {
    // Nothing is known yet about the training of this one; Train was pressed for the one before.
    state.status = null;
    state.starting = false;
  }
  state.project = project;
  state.problem = null;
  notify("project");
}

/** @param {string} id */
export function findClass(id) {
  return state.project?.classes.find((label) => label.id === id) ?? null;
}

/**
 * Take over one class as the server describes it.
 * @param {ClassInfo} label
 */
export function setClass(label) {
  if (!state.project) return;
  const others = state.project.classes.filter((other) => other.id !== label.id);
  state.project.classes = [...others, label].sort((a, b) => a.position - b.position);
  notify("project");
}

/**
 * The server counted the samples of a class.
 * @param {string} id
 * @param {number} samples
 * @param {number} [tests] how many of these are new and only for testing
 */
export function setCount(id, samples, tests = 0) {
  const label = findClass(id);
  if (!label || (label.samples === samples && !tests)) return;
  label.samples = samples;
  label.tests += tests;
  notify("project");
}
