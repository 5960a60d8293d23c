/** A question before something that cannot be taken back. It owns no words. */

import { button, make } from "./dom.js";
import { say } from "./words.js";

/**
 * Ask, and wait for the answer; Escape and a press beside the question are a no.
 * @param {{ title: string, text: string, yes: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes }) {
  return new Promise((resolve) => {
    const no = button({ text: say("page.cancel"), look: "ghost", testid: "ask-no", press: () => dialog.close() });
    const go = button({ text: yes, look: "danger-fill", testid: "ask-yes", press: () => dialog.close("yes") });
    const dialog = make(
      "dialog",
      { className: "t-root t-dialog t-ask", role: "alertdialog", "data-testid": "ask", "aria-label": title },
      make("h2", { className: "t-dialog-title" }, title),
      make("p", {}, text),
      make("div", { className: "t-ask-foot" }, no, go),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  });
}
