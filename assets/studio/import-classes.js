/**
 * Where new classes of an import go. A project begins with empty classes that nobody named, "Class 1" for one; they would
 * keep it from being trained, so they take the first new names. A name that is there already is that class.
 */

import { request } from "./api.js";
import { refreshProject } from "./project.js";
import { state } from "./store.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").ImportChoices} ImportChoices */
/** @typedef {import("./types.d.ts").Project} Project */

/**
 * @param {ImportChoices} choices
 * @returns {Promise<ImportChoices>} with the classes that are there already; those of a new project are made by the server
 */
export async function withClasses(choices) {
  if (choices.project === null) return choices;
  /** @type {Project} */
  const { classes } = await request("GET", `/projects/${choices.project}`);
  const used = new Set(choices.classes.map(({ into }) => into));
  const unnamed = classes.filter(({ id, name, samples }, at) => !samples && !used.has(id) && name === say("note.class_name", { number: at + 1 }));
  const settled = [];
  for (const choice of choices.classes) {
    const same = choice.into === null ? classes.find(({ name }) => name.toLowerCase() === choice.name.toLowerCase()) : null;
    const free = choice.into === null && !same ? unnamed.shift() : null;
    if (free) {
      await request("PATCH", `/projects/${choices.project}/classes/${free.id}`, { name: choice.name });
      free.name = choice.name;
    }
    settled.push({ ...choice, into: choice.into ?? same?.id ?? free?.id ?? null });
  }
  if (choices.project === state.project?.id) await refreshProject();
  return { ...choices, classes: settled };
}
