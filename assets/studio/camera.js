/**
 * The camera, one for the whole page: recording and preview share one stream, because many phones and webcams give only
 * one. It owns asking for it, switching to another, letting go of it, and saying what went wrong.
 */

import { say } from "./words.js";

/**
 * `insecure`: the address is neither https nor this computer, so the browser hides the camera. `lost`: it was unplugged
 * or taken back.
 * @typedef {"refused" | "missing" | "busy" | "insecure" | "lost" | "failed"} Trouble
 */

/** Why there is no picture, in words. */
export class CameraError extends Error {
  /** @param {Trouble} trouble */
  constructor(trouble) {
    super(say(`page.camera.${trouble}`));
    this.trouble = trouble;
  }
}

/**
 * Someone who shows the camera. `changed` gets the stream, now and after each switch; `lost` the reason it ended.
 * @typedef {{ changed: (stream: MediaStream) => void, lost: (error: CameraError) => void }} Viewer
 */

/** @type {Set<Viewer>} */
const viewers = new Set();
/** @type {MediaStream | null} */
let stream = null;
/** @type {Promise<MediaStream> | null} */
let opening = null;
/** @type {MediaTrackConstraints} */
let wish = { facingMode: "user" };

/** Whether the present camera looks at the person, so that its picture is shown like a mirror. */
export function mirrored() {
  return stream?.getVideoTracks()[0]?.getSettings().facingMode !== "environment";
}

/** Whether there is another camera to switch to. */
export async function severalCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput").length > 1;
}

/**
 * Show the camera to one more viewer.
 * @param {Viewer} viewer
 * @throws {CameraError}
 */
export async function watchCamera(viewer) {
  viewers.add(viewer);
  try {
    const opened = await ensure();
    if (viewers.has(viewer)) viewer.changed(opened);
    else letGo();
  } catch (error) {
    viewers.delete(viewer);
    throw error;
  }
}

/**
 * This viewer is done; the camera's light goes out with the last one.
 * @param {Viewer} viewer
 */
export function leaveCamera(viewer) {
  viewers.delete(viewer);
  letGo();
}

/** Use the camera on the other side, or the next one. @throws {CameraError} */
export async function switchCamera() {
  const track = stream?.getVideoTracks()[0];
  const facing = track?.getSettings().facingMode;
  if (facing) wish = { facingMode: { ideal: facing === "environment" ? "user" : "environment" } };
  else {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    const present = devices.findIndex((device) => device.deviceId === track?.getSettings().deviceId);
    const next = devices[(present + 1) % devices.length];
    if (next) wish = { deviceId: { exact: next.deviceId } };
  }
  // A phone gives the second camera only after the first was let go.
  close();
  try {
    const opened = await ensure();
    for (const viewer of viewers) viewer.changed(opened);
  } catch (error) {
    if (error instanceof CameraError) end(error);
    throw error;
  }
}

function ensure() {
  if (stream?.active) return Promise.resolve(stream);
  opening ??= open().finally(() => {
    opening = null;
  });
  return opening;
}

async function open() {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraError(isSecureContext ? "missing" : "insecure");
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { ...wish, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
  } catch (error) {
    throw new CameraError(trouble(error));
  }
  const opened = stream;
  opened.getVideoTracks()[0]?.addEventListener("ended", () => {
    if (stream === opened) {
      close();
      end(new CameraError("lost"));
    }
  });
  return opened;
}

/** @param {CameraError} error */
function end(error) {
  for (const viewer of [...viewers]) {
    viewers.delete(viewer);
    viewer.lost(error);
  }
}

function letGo() {
  if (viewers.size === 0) close();
}

function close() {
  const closing = stream;
  stream = null;
  closing?.getTracks().forEach((track) => track.stop());
}

/**
 * @param {unknown} error what getUserMedia threw
 * @returns {Trouble}
 */
function trouble(error) {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "refused";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "failed";
  }
}
