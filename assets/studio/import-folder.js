/**
 * A folder that was dropped: after a person agreed, this page sends its photos, a few at a time, behind whatever is being
 * recorded. It stands on the list of imports like a file that the server takes in.
 */

import { request } from "./api.js";
import { freshId } from "./dom.js";
import { folderPlan } from "./folder-plan.js";
import { withClasses } from "./import-classes.js";
import { changed, dismiss, freshKey, take } from "./imports.js";
import { openProject, refreshProject } from "./project.js";
import { samplesOf } from "./samples.js";
import { notify, state } from "./store.js";
import { batches } from "./upload.js";
import { sendPhotos } from "./uploads.js";
import { say } from "./words.js";

/** @typedef {import("./imports.js").Going} Going */
/** @typedef {import("./types.d.ts").Import} Import */
/** @typedef {import("./types.d.ts").ImportChoices} ImportChoices */
/** @typedef {import("./folder-plan.js").Photo} Photo */
/** @typedef {{ label: string, group: string, test: boolean, photos: Photo[] }} Batch */

/** Files that are named; all are counted. */
const NAMED = 20;
/** Photos of one request: more than of what is dropped on a class, for there may be thousands. */
const AT_ONCE = 32;

/**
 * @param {import("./import.js").Found[]} found
 * @returns {Going | null} null where there is no photo
 */
export function folderImport(found) {
  const read = folderPlan(found);
  if (!read) return null;
  const { plan, photos, previews } = read;
  const total = plan.classes.reduce((sum, one) => sum + one.photos, 0);
  /** @type {Import} */
  let info = { id: "", state: "planned", plan, project: null, fraction: 0, done: 0, total, added: 0, repeats: 0, rejected: [], rejected_total: 0, message: null, undo: null, room: null };
  /** @type {Batch[]} */
  let waiting = [];
  /** Ids of what was added. @type {number[]} */
  const added = [];
  /** Classes that were made for it. @type {string[]} */
  const made = [];
  let sending = false;
  /** @type {string[]} */
  const pictures = [];
  /** Project that was made for it: beginning again, after something went wrong, makes no other. @type {string | null} */
  let own = null;

  /** @type {Going} */
  const one = {
    key: freshKey(),
    name: plan.title ?? say("page.import.folders"),
    local: true,
    into: null,
    bytes: 0,
    sent: 0,
    info,
    trouble: "",
    lost: false,
    preview(number) {
      const file = previews[number];
      return file ? (pictures[number] ??= URL.createObjectURL(file)) : "";
    },
    start,
    async pause() {
      tell({ state: "paused" });
    },
    async resume() {
      tell({ state: "running" });
      next();
    },
    async cancel() {
      waiting = [];
      if (info.state === "planned") return close();
      end("cancelled");
    },
    async undo() {
      if (info.project && added.length) await request("POST", `/projects/${info.project}/samples/delete`, { ids: added });
      await withoutClasses();
      if (info.project) await changed(info.project);
      close();
    },
  };

  /** @param {Partial<Import>} news */
  function tell(news) {
    info = { ...info, ...news };
    take(one, info);
  }

  /** @param {"done" | "cancelled"} how */
  function end(how) {
    for (const url of pictures) URL.revokeObjectURL(url);
    tell({ state: how, undo: added.length ? one.key : null });
  }

  function close() {
    for (const url of pictures) URL.revokeObjectURL(url);
    dismiss(one);
  }

  /** @param {ImportChoices} choices */
  async function start(choices) {
    let project = choices.project ?? own;
    if (project === null) {
      const fresh = await request("POST", "/projects", plan.title ? { name: plan.title } : {});
      project = own = String(fresh.id);
      await openProject(project);
    }
    waiting = [];
    const { classes } = await withClasses({ ...choices, project });
    /** @type {Map<string, string>} */
    const byName = new Map();
    for (const { key, into, name } of classes) {
      const label = into ?? byName.get(name.toLowerCase()) ?? (await newClass(project, name));
      if (into === null) byName.set(name.toLowerCase(), label);
      for (const mine of recordings(photos.get(key) ?? [])) {
        const group = freshId();
        const test = mine[0]?.test ?? false;
        for (const batch of batches(mine, ({ file }) => file.size, AT_ONCE)) waiting.push({ label, group, test, photos: batch });
      }
    }
    notify("samples");
    tell({ state: "running", project, total: waiting.reduce((sum, batch) => sum + batch.photos.length, 0) });
    next();
  }

  /**
   * @param {string} project
   * @param {string} name
   * @returns {Promise<string>} id of the class
   */
  async function newClass(project, name) {
    const label = await request("POST", `/projects/${project}/classes`, { name });
    made.push(label.id);
    if (project === state.project?.id) await refreshProject();
    return label.id;
  }

  /** Classes that were made for it and are empty again go with the photos. */
  async function withoutClasses() {
    const { classes } = await request("GET", `/projects/${info.project}`);
    for (const label of classes) if (made.includes(label.id) && !label.samples) await request("DELETE", `/projects/${info.project}/classes/${label.id}`);
  }

  /** Send the next few. One request waits at a time, so that what is recorded meanwhile comes in between. */
  function next() {
    if (sending || info.state !== "running") return;
    const batch = waiting.shift();
    if (!batch) return end("done");
    sending = true;
    sendPhotos({
      project: info.project ?? "",
      label: batch.label,
      group: batch.group,
      test: batch.test,
      photos: batch.photos.map(({ file }) => ({ name: file.name, blob: file })),
      done(result) {
        sending = false;
        added.push(...result.added.map(({ id }) => id));
        if (info.project === state.project?.id) samplesOf(batch.label).settle([], result);
        const done = info.done + batch.photos.length;
        const rejected = [...info.rejected, ...result.rejected].slice(0, NAMED);
        tell({
          done,
          fraction: done / Math.max(1, info.total),
          added: info.added + result.added.length,
          repeats: info.repeats + result.repeats,
          rejected,
          rejected_total: info.rejected_total + result.rejected.length,
          // Of what was given up meanwhile, this was on its way.
          undo: info.state === "cancelled" && added.length ? one.key : info.undo,
        });
        next();
      },
      dropped() {
        sending = false;
        waiting = [];
        end("cancelled");
      },
    });
    return undefined;
  }

  return one;
}

/**
 * Photos of one folder that are for the same are one recording.
 * @param {Photo[]} photos
 */
function recordings(photos) {
  /** @type {Map<string, Photo[]>} */
  const found = new Map();
  for (const photo of photos) {
    const name = `${photo.group} ${photo.test}`;
    const mine = found.get(name);
    if (mine) mine.push(photo);
    else found.set(name, [photo]);
  }
  return found.values();
}
