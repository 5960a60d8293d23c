/**
 * Where files and folders begin their way into a project, wherever they were dropped or chosen. Photos for a class go to
 * `upload.js` at once; what holds many photos is looked into first, and a person sees what would be made of it.
 */

import { make } from "./dom.js";
import { canPack, packed } from "./folder-zip.js";
import { openImport } from "./import-dialog.js";
import { folderImport } from "./import-folder.js";
import { isMoving, isPacked, needsServer } from "./import-kind.js";
import { add, sendFile } from "./imports.js";
import { tell } from "./toasts.js";
import { uploadFiles } from "./upload.js";
import { say } from "./words.js";

/** @typedef {{ path: string[], file: File }} Found file with the folders above it */

const ACCEPT = ".zip,.tm,video/*,.mkv,.avi,.gif,.webp,.apng,.png";

/** Let a person choose a file that holds many photos. */
export function chooseFile() {
  const chooser = make("input", { type: "file", multiple: true, accept: ACCEPT, hidden: true, "data-testid": "import-input" });
  chooser.addEventListener("change", () => {
    openFiles([...(chooser.files ?? [])]);
    chooser.remove();
  });
  chooser.addEventListener("cancel", () => chooser.remove());
  document.body.append(chooser);
  chooser.click();
}

/**
 * Send files to be looked into, and show the first.
 * @param {File[]} files
 * @param {string | null} [into] id of a class they were dropped on
 */
export function openFiles(files, into = null) {
  const [first] = files.map((file) => sendFile(file, into));
  if (first) openImport(first);
}

/**
 * Files that were dropped on a class or chosen for it.
 * @param {string} label id of the class
 * @param {File[]} files
 */
export async function takeForClass(label, files) {
  const { many, photos } = await split(files);
  if (photos.length) uploadFiles(label, photos);
  openFiles(many, label);
}

/**
 * What was dropped on the page: folders are shown before anything is made of them, photos go to the class last used.
 * @param {Found[]} found
 * @param {string | null} current id of that class
 */
export async function takeForPage(found, current) {
  const inFolders = found.filter(({ path }) => path.length);
  const { many, photos } = await split(found.filter(({ path }) => !path.length).map(({ file }) => file));
  if (photos.length && current) uploadFiles(current, photos);
  else if (photos.length) tell(say("page.drop.where"), "problem");
  openFiles(many);
  if (!inFolders.length) return;
  if (inFolders.some(({ file }) => needsServer(file)) && canPack(inFolders)) {
    tell(say("page.drop.reading"));
    return openFiles([await packed(inFolders, `${inFolders[0]?.path[0]}.zip`)]);
  }
  const one = folderImport(inFolders);
  if (!one) tell(say("page.drop.nothing"), "problem");
  else {
    add(one);
    openImport(one);
  }
  return undefined;
}

/** @param {File[]} files */
async function split(files) {
  const [only] = files;
  // Among others, a picture that moves is a picture.
  if (only && files.length === 1 && (await isMoving(only))) return { many: files, photos: [] };
  return { many: files.filter(isPacked), photos: files.filter((file) => !isPacked(file)) };
}
