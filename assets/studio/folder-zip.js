/**
 * A folder as one zip, for what only the server can look into: videos, and tables that say what is on each photo. Files
 * are stored as they are and stay on the disk; only their checksums are made here (PKWARE APPNOTE 6.3).
 */

/** @typedef {import("./import.js").Found} Found */

const LOCAL = 0x04034b50;
const ENTRY = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8 = 0x0800;
/** The first day that a zip can name: when a file was made is nobody's business. */
const DAY = 0x21;
/** What fits without the extension for large archives. */
const MOST_FILES = 65_000;
const MOST_BYTES = 4_000_000_000;

const TABLE = new Uint32Array(256).map((_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * Whether a folder can be packed here.
 * @param {Found[]} found
 */
export function canPack(found) {
  return found.length <= MOST_FILES && found.reduce((sum, { file }) => sum + file.size, 0) <= MOST_BYTES;
}

/**
 * @param {Found[]} found
 * @param {string} name of the zip
 * @returns {Promise<File>}
 */
export async function packed(found, name) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let at = 0;
  let length = 0;
  for (const { path, file } of found) {
    const place = new TextEncoder().encode([...path, file.name].join("/"));
    // Of both headers, what they have in common.
    const facts = [VERSION, UTF8, 0, 0, DAY].flatMap((value) => [value & 255, value >> 8]);
    const sizes = new DataView(new ArrayBuffer(12));
    sizes.setUint32(0, await checksum(file), true);
    sizes.setUint32(4, file.size, true);
    sizes.setUint32(8, file.size, true);
    const same = [...facts, ...new Uint8Array(sizes.buffer), place.length & 255, place.length >> 8, 0, 0];
    parts.push(bytes([...long(LOCAL), ...same]), place, file);
    directory.push(bytes([...long(ENTRY), VERSION, 0, ...same, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...long(at)]), place);
    at += 30 + place.length + file.size;
    length += 46 + place.length;
  }
  const count = [found.length & 255, found.length >> 8];
  const end = bytes([...long(END), 0, 0, 0, 0, ...count, ...count, ...long(length), ...long(at), 0, 0]);
  return new File([...parts, ...directory, end], name);
}

/**
 * CRC-32 as a zip has it.
 * @param {Blob} file
 */
async function checksum(file) {
  let value = 0xffffffff;
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value: piece } = await reader.read();
    if (done) return (value ^ 0xffffffff) >>> 0;
    for (const byte of piece) value = (TABLE[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  }
}

/** @param {number} value */
function long(value) {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

/** @param {number[]} values */
function bytes(values) {
  return new Uint8Array(values);
}
