/** Handing the offline page to a phone in the same network: a picture to point its camera at, and the link itself. */

import { exportPath, request } from "./api.js";
import { button, icon, make, write } from "./dom.js";
import { commandLine, copyButton, quoted } from "./export-copy.js";
import { words } from "./project.js";
import { say } from "./words.js";

/** @typedef {import("./types.d.ts").PhoneLink} PhoneLink */

/**
 * @param {string} project
 * @param {string} format
 */
export function phonePanel(project, format) {
  let variant = "";
  const open = button({ icon: "phone", text: say("page.export.phone"), look: "soft", testid: "phone-open", press: () => void ask() });
  const reason = make("p", { "data-testid": "phone-reason" });
  const command = commandLine({ testid: "phone-command", label: say("page.export.command") });
  const problem = make("div", { className: "t-notice t-calm", role: "alert", hidden: true, "data-testid": "phone-problem" }, icon("info"), make("div", {}, reason));
  const picture = make("img", { className: "t-phone-code", alt: say("page.export.phone_code"), "data-testid": "phone-code" });
  const link = make("a", { dir: "ltr", target: "_blank", rel: "noopener", "data-testid": "phone-link" });
  const found = make(
    "div",
    { className: "t-phone-found", hidden: true, "data-testid": "phone-found" },
    picture,
    make("div", {}, make("p", { role: "status" }, say("page.export.phone_scan")), make("p", { className: "t-phone-link" }, link, copyButton(link, { testid: "copy-phone", label: say("page.export.phone_link") })), make("p", { className: "t-muted" }, say("page.export.phone_note"))),
  );
  const element = make("div", { className: "t-phone", hidden: true }, open, problem, command.element, found);

  async function ask() {
    const wanted = variant;
    open.disabled = true;
    try {
      /** @type {PhoneLink} */
      const answer = await request("POST", `${exportPath(project, format, wanted)}/phone`);
      if (wanted !== variant) return;
      // A picture can only be looked at, whatever is in it.
      picture.src = `data:image/svg+xml,${encodeURIComponent(answer.qr)}`;
      link.href = answer.address;
      write(link, answer.address);
      found.hidden = false;
      problem.hidden = command.element.hidden = true;
      found.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (wanted !== variant) return;
      const said = quoted(words(error));
      reason.replaceChildren(...said.parts);
      command.show(said.command);
      command.element.hidden = !said.command;
      problem.hidden = false;
      found.hidden = true;
      (said.command ? command.element : problem).scrollIntoView({ block: "nearest" });
    } finally {
      open.disabled = false;
    }
  }

  return {
    element,
    /**
     * @param {string} now which variant it is about
     * @param {boolean} ready it is there to be handed over
     */
    update(now, ready) {
      element.hidden = !ready;
      if (now === variant && ready) return;
      variant = now;
      found.hidden = problem.hidden = command.element.hidden = true;
    },
  };
}
