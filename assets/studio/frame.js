/**
 * The one way a camera frame becomes pixels: recording and live preview use the same square, so what is learned and
 * what is recognised look alike. It never mirrors. Resizing to the network's input happens in the model's own graph.
 */

/** Pixels of each side of a frame. */
export const SIDE = 256;

const canvas = document.createElement("canvas");
canvas.width = SIDE;
canvas.height = SIDE;
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true, alpha: false }));
context.imageSmoothingQuality = "high";

/**
 * Draw the centre square of a video.
 * @param {HTMLVideoElement} video
 */
function draw(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const side = Math.min(width, height);
  context.drawImage(video, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
}

/**
 * Call back once there is a new frame. Firefox before 132 does not say when; there it is when the page is drawn again.
 * @param {HTMLVideoElement} video
 * @param {() => void} then
 */
export function nextFrame(video, then) {
  if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(then);
  else requestAnimationFrame(then);
}

/**
 * The present frame as a JPEG.
 * @param {HTMLVideoElement} video
 * @returns {Promise<Blob>}
 */
export function grabPhoto(video) {
  draw(video);
  // The canvas is copied when toBlob is called, so the next frame may be drawn before this one is encoded.
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The frame could not be encoded."))), "image/jpeg", 0.92);
  });
}

/**
 * The present frame as RGBA pixels.
 * @param {HTMLVideoElement} video
 */
export function grabPixels(video) {
  draw(video);
  return context.getImageData(0, 0, SIDE, SIDE);
}
