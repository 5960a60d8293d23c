/** What the pages use of onnxruntime-web and p5, for the check of types; it is not part of the bundle. */

declare module "*/ort.wasm.min.mjs" {
  export const env: { wasm: { wasmPaths: string; numThreads: number } };
  export class Tensor {
    constructor(type: "uint8", data: Uint8Array, dims: number[]);
  }
  export interface Session {
    run(feeds: { image: Tensor }, outputs: string[]): Promise<Record<string, { data: Float32Array }>>;
  }
  export const InferenceSession: { create(url: string): Promise<Session> };
}

declare class p5 {
  constructor(sketch: (sketch: any) => void);
}
