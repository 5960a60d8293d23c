/** Runs a graph in WebAssembly, as the page does, and writes the floats of one output to stdout. */
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const [runtime, graph, photo, height, width, output] = process.argv.slice(2);
const folder = pathToFileURL(`${runtime}/`).href;
const ort = await import(`${folder}ort.wasm.min.mjs`);
ort.env.wasm.wasmPaths = folder;
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(graph)));
const image = new ort.Tensor("uint8", new Uint8Array(fs.readFileSync(photo)), [1, Number(height), Number(width), 3]);
const { data } = (await session.run({ image }, [output]))[output];
fs.writeSync(1, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
