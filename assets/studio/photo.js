/** A photo file as pixels: upright, transparent parts on white, and never more than the browser can hold. */

/** Larger photos are reduced first: a graph that resizes by itself needs them whole in memory. */
const PIXELS_MAX = 16_000_000;

/**
 * @param {Blob} file
 * @returns {Promise<ImageData>}
 * @throws {DOMException} the browser cannot read this kind of photo
 */
export async function photoPixels(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "default" });
  const scale = Math.min(1, Math.sqrt(PIXELS_MAX / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}
