/** What a file that was dropped is: a photo, something that holds many photos, or neither. It looks at names and bytes. */

const PACKED = /\.(zip|tm)$/i;
const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|3gp|ogv|wmv)$/i;
const PHOTO = /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|heif|avif)$/i;
const TABLE = /^metadata\.(jsonl|csv)$/i;
/** Pictures that can move. */
const MOVING = /\.(gif|webp|png|apng)$/i;
/** As much of a file tells whether it moves; of a longer GIF with a first frame of that size it does not. */
const LOOKED_AT = 16 * 2 ** 20;

/** What systems put beside photos; no one means these. */
export const FURNITURE = /^(\.|__MACOSX|thumbs\.db$|desktop\.ini$)/i;

/**
 * @param {File} file
 * @returns {boolean}
 */
export function isPhoto(file) {
  return file.type.startsWith("image/") || PHOTO.test(file.name);
}

/**
 * Whether it holds many photos by its kind: an archive or a video.
 * @param {File} file
 */
export function isPacked(file) {
  return PACKED.test(file.name) || VIDEO.test(file.name) || file.type.startsWith("video/");
}

/**
 * Whether only the server can look into it in a folder: a video, or a table that says what is on each photo.
 * @param {File} file
 */
export function needsServer(file) {
  return TABLE.test(file.name) || VIDEO.test(file.name) || file.type.startsWith("video/");
}

/**
 * Whether it is a picture of many frames.
 * @param {File} file
 * @returns {Promise<boolean>}
 */
export async function isMoving(file) {
  return MOVING.test(file.name) && moves(new DataView(await file.slice(0, LOOKED_AT).arrayBuffer()));
}

/**
 * Whether a picture has more than one frame (GIF89a; WebP container; APNG).
 * @param {DataView} view
 */
function moves(view) {
  if (view.byteLength < 32) return false;
  const start = view.getUint32(0);
  if (start === 0x47494638) return gifFrames(view) > 1;
  if (start === 0x52494646 && view.getUint32(8) === 0x57454250) return view.getUint32(12) === 0x56503858 && (view.getUint8(20) & 2) !== 0;
  return start === 0x89504e47 && animatedPng(view);
}

/**
 * Frames of a GIF, counted to two.
 * @param {DataView} view
 */
function gifFrames(view) {
  const table = (/** @type {number} */ flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const end = view.byteLength;
  let at = 13 + table(view.getUint8(10));
  let frames = 0;
  while (at < end && frames < 2) {
    const kind = view.getUint8(at);
    if (kind === 0x21) at += 2;
    else if (kind === 0x2c && at + 10 < end) {
      frames += 1;
      at += 11 + table(view.getUint8(at + 9));
    } else break;
    // Blocks, each after its length, up to an empty one.
    while (at < end && view.getUint8(at) !== 0) at += 1 + view.getUint8(at);
    at += 1;
  }
  return frames;
}

/**
 * Whether the chunk that tells of frames comes before the pixels.
 * @param {DataView} view
 */
function animatedPng(view) {
  for (let at = 8; at + 8 <= view.byteLength; at += 12 + view.getUint32(at)) {
    const kind = view.getUint32(at + 4);
    if (kind === 0x6163544c) return true;
    if (kind === 0x49444154) return false;
  }
  return false;
}
