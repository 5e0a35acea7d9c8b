// Questions and forms over the page. The browser's own dialog keeps the focus inside and gives it back.

import { append, element, freshId, replace } from "./dom.js";
import { button, failure } from "./parts.js";
import { words } from "../words/en.js";

/** Shows a dialog; resolves with what `close(value)` was given, undefined where it was dismissed. */
export function dialog(title, fill, { dismissible = true, kind = "" } = {}) {
  return new Promise((resolve) => {
    const id = freshId("dialog");
    let result;
    const shown = element("dialog", { class: `dialog ${kind}`, "aria-labelledby": id });
    const close = (value) => {
      result = value;
      shown.close();
    };
    append(shown, [element("h2", { id }, title), fill(close, shown)]);
    shown.addEventListener("cancel", (event) => {
      if (!dismissible) event.preventDefault();
    });
    shown.addEventListener("close", () => {
      shown.remove();
      resolve(result);
    });
    document.querySelector(".rovodev").append(shown);
    shown.showModal();
  });
}

/**
 * A form that is closed when `send` has done its work: what went wrong is shown in it, and nothing typed is lost.
 * Resolves with true where it was sent.
 */
export function form(title, fields, { submit, kind = "primary", send }) {
  return dialog(title, (close) => {
    const wrong = element("div", {});
    const sender = element("button", { class: `button ${kind}` }, submit);
    const sending = async (event) => {
      event.preventDefault();
      sender.disabled = true;
      replace(wrong);
      try {
        await send();
        close(true);
      } catch (error) {
        replace(wrong, failure(error));
        sender.disabled = false;
      }
    };
    return element("form", { onsubmit: sending }, fields, wrong, element("div", { class: "actions end" },
      element("button", { type: "button", class: "button", onclick: () => close() }, words.cancel), sender));
  });
}

/** Shows what is never shown again. */
export function secretDialog(title, text, secret) {
  return dialog(title, (close) => {
    const copied = element("span", { role: "status" });
    const copy = async () => {
      await navigator.clipboard.writeText(secret);
      replace(copied, words.copied);
    };
    return element("div", {}, element("p", {}, text), element("code", { class: "secret" }, secret),
      element("div", { class: "actions end" }, copied, button(words.copy, null, copy), button(words.done, null, () => close(true), { kind: "primary" })));
  });
}
