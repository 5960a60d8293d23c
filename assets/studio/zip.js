/**
 * Reading a zip of photos in the browser (PKWARE APPNOTE 6.3: central directory, stored and deflated entries).
 *
 * It does not read encrypted, split or ZIP64 archives: those throw, and the page says what to do instead.
 */

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;
const COMMENT_MAX = 65_535;
/** More than this unpacked from one archive is no folder of photos. */
const UNPACKED_MAX = 2 * 2 ** 30;

/**
 * The files of a zip with the folders above each.
 * @param {File} file
 * @returns {Promise<{ path: string[], file: File }[]>}
 */
export async function readZip(file) {
  const tail = file.slice(Math.max(0, file.size - END_SIZE - COMMENT_MAX));
  const view = new DataView(await tail.arrayBuffer());
  let end = view.byteLength - END_SIZE;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error("No end of central directory.");
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const start = view.getUint32(end + 16, true);
  if (start === 0xffffffff || count === 0xffff) throw new Error("ZIP64 is not supported.");

  const directory = new DataView(await file.slice(start, start + size).arrayBuffer());
  const found = [];
  let unpacked = 0;
  for (let at = 0, index = 0; index < count; index += 1) {
    if (directory.getUint32(at, true) !== ENTRY) throw new Error("The central directory is damaged.");
    const flags = directory.getUint16(at + 8, true);
    const method = directory.getUint16(at + 10, true);
    const packed = directory.getUint32(at + 20, true);
    unpacked += directory.getUint32(at + 24, true);
    const nameLength = directory.getUint16(at + 28, true);
    const skip = directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    const offset = directory.getUint32(at + 42, true);
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameLength));
    at += 46 + nameLength + skip;
    const parts = name.split(/[\\/]/).filter((part) => part && part !== "." && part !== "..");
    const base = parts.pop();
    if (!base || name.endsWith("/") || parts.includes("__MACOSX")) continue;
    if (flags & 1) throw new Error("The archive is encrypted.");
    if (unpacked > UNPACKED_MAX) throw new Error("The archive is too large.");
    found.push({ path: parts, file: new File([await content(file, offset, packed, method)], base) });
  }
  return found;
}

/**
 * @param {File} file
 * @param {number} offset of the local header
 * @param {number} packed bytes
 * @param {number} method 0 stored, 8 deflated
 * @returns {Promise<Blob>}
 */
async function content(file, offset, packed, method) {
  const header = new DataView(await file.slice(offset, offset + 30).arrayBuffer());
  const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const data = file.slice(start, start + packed);
  if (method === 0) return data;
  if (method !== 8) throw new Error("Unknown compression.");
  return await new Response(data.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}
