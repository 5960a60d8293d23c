/**
 * Looks at the page from outside while a benchmark uses it: when something was pressed, when its effect was painted, how
 * many predictions came back and how many frames were drawn. Added before the page's own scripts; changes nothing.
 */

{
  /** Times are `performance.now()`, in milliseconds. */
  const probe = {
    /** Messages of the worker that are no predictions: the runtime is warm, a model is loaded. */
    prepared: [],
    /** Predictions: when they came, and how long the model took. */
    answers: [],
    frames: [],
    counting: false,
    training: { clicked: 0, heard: 0, live: 0, shown: 0 },
    capture: { pressed: 0, released: 0, shown: [], stored: [] },

    /** Count the frames the page draws. */
    count() {
      probe.frames = [];
      probe.answers = [];
      probe.counting = true;
      const tick = (now) => {
        probe.frames.push(now);
        if (probe.counting) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    },

    /**
     * Scroll at a steady pace, whatever the frames do.
     * @param {{ of: string, pace: number, seconds: number }} task `of` is a selector; `pace` in pixels a second
     * @returns {Promise<number[]>} when each frame was drawn
     */
    glide({ of, pace, seconds }) {
      const view = document.querySelector(of);
      const frames = [];
      return new Promise((done) => {
        const tick = (now) => {
          frames.push(now);
          const gone = now - frames[0];
          view.scrollTop = (gone * pace) / 1000;
          if (gone < 1000 * seconds) requestAnimationFrame(tick);
          else done(frames);
        };
        requestAnimationFrame(tick);
      });
    },

    /**
     * Show small pictures as a page does that was written in five minutes: all of them, the browser fetches those in sight.
     * @param {string[]} addresses
     */
    listAll(addresses) {
      document.body.innerHTML =
        "<ul id=all style='block-size: 300px; inline-size: 310px; overflow-y: auto; display: flex; flex-wrap: wrap; gap: 6px'></ul>";
      const list = document.getElementById("all");
      for (const address of addresses) {
        const item = document.createElement("li");
        item.innerHTML = `<button><img width=46 height=46 loading=lazy decoding=async alt="" src="${address}"></button>`;
        list.append(item);
      }
    },

    /** Show the camera as the page does, and nothing else. */
    async showCamera() {
      const video = document.createElement("video");
      video.muted = true;
      video.style.inlineSize = "380px";
      document.body.append(video);
      const size = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size });
      await video.play();
    },

    /**
     * Let the page's own model look at made-up frames, without and with a heat map in turns, and draw each map.
     * @param {{ studio: string, rounds: number, side: number }} task `studio` is the address of its modules
     * @returns {Promise<{ plain: number[], heat: number[], drawing: number[] }>} milliseconds of each frame, from pixels
     *   to the answer, and of drawing a map
     */
    async takeTurns({ studio, rounds, side }) {
      const { predictHere } = await import(`${studio}/predictor.js`);
      const { heatMap } = await import(`${studio}/heat.js`);
      const map = heatMap();
      document.body.append(map.element);
      const times = { plain: [], heat: [], drawing: [] };
      for (let round = -5; round < rounds; round += 1) {
        // Whichever comes second has the caches of the first; they change places.
        for (const heat of round % 2 ? [true, false] : [false, true]) {
          const pixels = Uint8ClampedArray.from({ length: 4 * side * side }, (_, at) => (at * 31 + round * 17) % 251);
          const began = performance.now();
          const answer = await predictHere(new ImageData(pixels, side), heat);
          const answered = performance.now();
          if (heat) map.show(answer.heat, side, side, 1);
          if (round < 0) continue;
          times[heat ? "heat" : "plain"].push(answered - began);
          if (heat) times.drawing.push(performance.now() - answered);
        }
      }
      map.element.remove();
      return times;
    },

    /** From the next press of Train: when the page heard of the model, was live, and painted a prediction. */
    watchTraining() {
      const times = probe.training;
      addEventListener(
        "click",
        ({ target }) => {
          if (!target.closest("#train-button") || times.clicked) return;
          times.clicked = performance.now();
          requestAnimationFrame(look);
        },
        { capture: true },
      );
      const look = (now) => {
        const preview = document.querySelector("[data-testid=preview]");
        if (!times.live && preview.dataset.state === "live") times.live = now;
        const values = [...preview.querySelectorAll("[data-testid=bar-value]")];
        if (!times.shown && times.live && values.some((value) => value.textContent)) times.shown = now;
        if (!times.shown) requestAnimationFrame(look);
      };
    },

    /** When each thumbnail of the first class appeared, and when it was known to be stored. */
    watchCapture() {
      const times = probe.capture;
      const card = document.querySelector("[data-testid=class-card]");
      const record = card.querySelector("[data-testid=record]");
      record.addEventListener("pointerdown", () => (times.pressed = performance.now()), { capture: true });
      record.addEventListener("pointerup", () => (times.released = performance.now()), { capture: true });
      const seen = new Set();
      const settled = new Set();
      new MutationObserver(() => {
        const now = performance.now();
        // Newest first on the page: read from the end to keep the order in which they were taken.
        for (const item of [...card.querySelectorAll("[data-testid=thumbnail]")].reverse()) {
          if (!seen.has(item)) times.shown.push(now);
          seen.add(item);
          if (settled.has(item) || item.hasAttribute("data-sending")) continue;
          settled.add(item);
          times.stored.push(now);
        }
      }).observe(card, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-sending"] });
    },
  };
  globalThis.probe = probe;

  globalThis.Worker = class extends Worker {
    constructor(...values) {
      super(...values);
      this.addEventListener("message", ({ data }) => {
        const at = performance.now();
        if (data.answer?.probabilities) probe.answers.push({ at, milliseconds: data.answer.milliseconds });
        else probe.prepared.push({ at, error: data.error ?? "" });
      });
    }
  };

  /** The model before the press. */
  let before;
  const ask = globalThis.fetch;
  globalThis.fetch = async (...values) => {
    const answer = await ask(...values);
    if (answer.ok && answer.url.endsWith("/status")) {
      const { model } = await answer.clone().json();
      if (!probe.training.clicked) before = model?.id;
      else if (model && model.id !== before) probe.training.heard ||= performance.now();
    }
    return answer;
  };
}
