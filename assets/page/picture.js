/** A photo file as pixels, upright and at its own size, and as a thumbnail. Transparent parts are shown on white. */

/** Larger photos are reduced first, so that a phone can hold them; the Studio's preview has the same limit. */
export const MEGAPIXELS = 16;

/**
 * @param {Blob} file
 * @returns {Promise<{ pixels: ImageData, reduced: boolean }>}
 * @throws {DOMException} the browser cannot read this kind of photo
 */
export async function readPhoto(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "default" });
  const scale = Math.min(1, Math.sqrt((MEGAPIXELS * 1e6) / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  const context = surface(width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { pixels: context.getImageData(0, 0, width, height), reduced: scale < 1 };
}

/**
 * The centre square as a small file, for the table.
 * @param {ImageData} pixels
 * @returns {Promise<string>} its address, to be given back with `URL.revokeObjectURL`
 */
export async function thumbnail(pixels) {
  const side = Math.min(pixels.width, pixels.height);
  const left = Math.floor((pixels.width - side) / 2);
  const top = Math.floor((pixels.height - side) / 2);
  const small = await createImageBitmap(pixels, left, top, side, side, { resizeWidth: 96, resizeHeight: 96, resizeQuality: "medium" });
  const context = surface(96, 96);
  context.drawImage(small, 0, 0);
  small.close();
  return URL.createObjectURL(await context.canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
}

/** @param {number} width @param {number} height */
function surface(width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("The browser has no room for the photo.");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  return context;
}
