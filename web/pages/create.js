// Taking a backup.

import { Problem, call } from "../app/api.js";
import { changed } from "../app/backups.js";
import { element, replace } from "../app/dom.js";
import { failure, field, link, notYours } from "../app/parts.js";
import { go } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import { words } from "../words/en.js";

export default function page({ show }) {
  const { role, scoped, name: owner } = tenant();
  if (!may("operator")) {
    show(notYours(words.titles.create, "operator", role, owner));
    return;
  }
  const name = element("input", { id: "backup-name", maxlength: 200, autocomplete: "off", placeholder: words.create.namePlaceholder });
  // Sent again after a break, the same request is the same backup; another choice is another one.
  const keys = new Map();
  const keyOf = (text) => keys.get(text) ?? keys.set(text, crypto.randomUUID()).get(text);
  const wrong = element("div", {});
  const send = element("button", { class: "button primary" }, words.create.go);
  const kinds = scoped ? null : types();
  const submitted = async (event) => {
    event.preventDefault();
    send.disabled = true;
    replace(wrong);
    try {
      const body = { type: kinds?.querySelector("input:checked").value ?? "database" };
      if (name.value.trim()) body.name = name.value.trim();
      const made = await call("POST", "/backups/create", { body, headers: { "idempotency-key": keyOf(JSON.stringify(body)) } });
      changed();
      go(`/backups/${made.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      send.disabled = false;
      replace(wrong, failure(error));
    }
  };
  show(element("h1", { tabindex: "-1" }, words.titles.create), element("p", { class: "lead" }, scoped ? words.create.scoped(owner) : words.create.text),
    element("form", { class: "stack form", onsubmit: submitted }, kinds, field(words.create.name, name, words.create.nameHint), wrong,
      element("div", { class: "actions" }, send, link(words.cancel, null, "#/backups"))));
}

function types() {
  return element("fieldset", { class: "choices" }, element("legend", {}, words.create.type),
    Object.entries(words.create.types).map(([value, [title, text]], at) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "type", value, checked: at === 0 }),
      element("span", {}, element("strong", {}, title), element("span", { class: "soft" }, text)))));
}
