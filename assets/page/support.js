/**
 * Runs first, in whatever browser opens the page, and therefore in the oldest JavaScript: it sees whether the browser can
 * run the rest, and says so if not. It also follows the system's choice between light and dark.
 */
(function () {
  var body = document.body;
  var dark = matchMedia("(prefers-color-scheme: dark)");
  function paint() {
    body.classList.toggle("dark", dark.matches);
  }
  paint();
  if (dark.addEventListener) dark.addEventListener("change", paint);

  function tooOld() {
    body.setAttribute("data-too-old", "");
  }
  // The smallest module with an instruction on vectors, which the runtime is made of.
  var vectors = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  var able =
    "noModule" in HTMLScriptElement.prototype &&
    typeof DecompressionStream === "function" &&
    typeof createImageBitmap === "function" &&
    typeof OffscreenCanvas === "function" &&
    typeof WebAssembly === "object" &&
    WebAssembly.validate(new Uint8Array(vectors));
  if (!able) tooOld();
  // A main script that this browser cannot even read ends here too.
  addEventListener("error", function () {
    if (!body.hasAttribute("data-state")) tooOld();
  });
})();
