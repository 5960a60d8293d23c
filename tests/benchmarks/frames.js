/**
 * Lets several models take turns at camera frames in one page, each in a worker of its own: the very worker that the
 * page of the program uses. Because they take turns, whatever else the computer does slows all of them.
 */

{
  const WARM = 2;

  /** @param {string} script address of the worker */
  function predictor(script) {
    const worker = new Worker(script, { type: "module" });
    return (question, transfer = []) =>
      new Promise((resolve, reject) => {
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data.answer) : reject(new Error(data.error)));
        worker.postMessage({ id: 0, ...question }, transfer);
      });
  }

  /**
   * @param {{ script: string, models: string[], width: number, height: number, rounds: number, seconds: number }} task
   *   `rounds` turns for each model after warming up; fewer, but at least three, when `seconds` are over
   * @returns {Promise<number[][]>} milliseconds of each turn of each model, from pixels to probabilities
   */
  globalThis.takeTurns = async ({ script, models, width, height, rounds, seconds }) => {
    const predictors = models.map(() => predictor(script));
    for (const [index, model] of models.entries()) {
      await predictors[index]({ task: "load", url: new URL(model, location.href).href });
    }
    const times = models.map(() => []);
    const end = performance.now() + 1000 * seconds;
    for (let round = 0; round < WARM + rounds; round += 1) {
      if (round >= WARM + 3 && performance.now() > end) break;
      for (const [index, ask] of predictors.entries()) {
        const pixels = Uint8ClampedArray.from({ length: 4 * width * height }, (_, at) => (at * 31 + round * 17) % 251);
        const { milliseconds } = await ask({ task: "predict", width, height, pixels: pixels.buffer }, [pixels.buffer]);
        if (round >= WARM) times[index].push(milliseconds);
      }
    }
    return times;
  };
}
