/**
 * Unpacks runtime and model and runs the model. It works in a worker and, where there is none, in the page. Everything
 * that is done to a picture is inside the model's graph; here only the alpha channel is dropped.
 */

/**
 * Texts of the page: each is gzip, written in 85 letters that mean nothing in HTML.
 * @typedef {{ runtime: string, wasm: string, model: string }} Parts
 */

/**
 * @typedef {{ width: number, height: number, pixels: ArrayBuffer }} Picture RGBA
 * @typedef {{ values: Float32Array, height: number, width: number }} Maps one map per output, one after the other
 * @typedef {{ probabilities: Float32Array, familiarity: number | null, maps: Maps | null }} Answer in the order of the
 *   model's outputs; `familiarity` is null where the model cannot tell
 * @typedef {(picture: Picture, maps: boolean) => Promise<Answer>} Engine
 */

/** Printable ASCII that could mean something to a reader of HTML or JSON; 85 letters remain. */
const LEFT_OUT = "\"&'-/<>\\`";

/**
 * Four bytes are five letters, the most significant first, as in base 85 of RFC 1924. It takes 6 % less than base 64.
 * @param {string} text
 */
function bytesOf(text) {
  const digits = new Uint8Array(128);
  let digit = 0;
  for (let code = 33; code < 127; code += 1) if (!LEFT_OUT.includes(String.fromCharCode(code))) digits[code] = digit++;
  const bytes = new Uint8Array(Math.floor((text.length * 4) / 5));
  for (let from = 0, to = 0; from < text.length; from += 5, to += 4) {
    let word = 0;
    // A last group of fewer letters is filled with the highest digit; the bytes that come of it fall off the end.
    for (let at = from; at < from + 5; at += 1) word = word * 85 + (at < text.length ? (digits[text.charCodeAt(at)] ?? 0) : 84);
    bytes[to] = word >>> 24;
    bytes[to + 1] = word >>> 16;
    bytes[to + 2] = word >>> 8;
    bytes[to + 3] = word;
  }
  return bytes;
}

/** @param {string} text */
export async function unpack(text) {
  const unpacking = new DecompressionStream("gzip");
  // Not out of a Blob, which Safari cannot read in the worker of a page that is a file.
  const packed = unpacking.writable.getWriter();
  const fed = packed.write(bytesOf(text)).then(() => packed.close());
  const [bytes] = await Promise.all([new Response(unpacking.readable).arrayBuffer(), fed]);
  return bytes;
}

/**
 * @param {Parts} parts
 * @returns {Promise<Engine>}
 */
export async function openEngine(parts) {
  const [binary, graph] = await Promise.all([unpack(parts.wasm), unpack(parts.model)]);
  // The runtime ran before; it leaves itself under this name.
  const { ort } = /** @type {any} */ (globalThis);
  ort.env.wasm.wasmBinary = binary;
  // More threads need a page of its own origin, which a file has not.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(new Uint8Array(graph));
  ort.env.wasm.wasmBinary = undefined;
  return async ({ width, height, pixels }, maps) => {
    const rgba = new Uint8Array(pixels);
    const rgb = new Uint8Array(width * height * 3);
    for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
      rgb[to] = rgba[from] ?? 0;
      rgb[to + 1] = rgba[from + 1] ?? 0;
      rgb[to + 2] = rgba[from + 2] ?? 0;
    }
    const image = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
    const wanted = ["probabilities", "familiarity", ...(maps ? ["heatmap"] : [])];
    const found = await session.run({ image }, wanted.filter((name) => session.outputNames.includes(name)));
    const map = found.heatmap;
    return {
      probabilities: found.probabilities.data,
      familiarity: found.familiarity?.data[0] ?? null,
      maps: map ? { values: map.data, height: map.dims[2], width: map.dims[3] } : null,
    };
  };
}
