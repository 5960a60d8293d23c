/** Our mark and our name, as every page begins. */

import { make } from "./dom.js";
import { say } from "./words.js";

/**
 * @param {"h1" | "span"} kind of element that holds the name
 * @returns {HTMLElement}
 */
export function brand(kind = "span") {
  const mark = make("span", { className: "t-mark", "aria-hidden": "true" });
  for (let corner = 0; corner < 4; corner += 1) mark.append(make("i"));
  return make("div", { className: "t-brand" }, mark, make(kind, { className: "t-brand-name" }, say("app.title")));
}
