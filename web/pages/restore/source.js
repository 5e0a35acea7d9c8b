// Step 1: which backup.

import { get } from "../../app/api.js";
import { kind, state } from "../../app/backups.js";
import { element, replace } from "../../app/dom.js";
import { button, field, link, skeleton } from "../../app/parts.js";
import * as questions from "../../app/questions.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const TYPING = 250;

export async function chooseBackup(wizard) {
  const list = element("fieldset", { class: "choices" }, skeleton("row", 4));
  const search = element("input", { id: "restore-search", type: "search" });
  const next = button(words.next, null, () => wizard.turn({ backup: list.querySelector("input:checked").value }), { kind: "primary", disabled: true });
  // How long the list is, is not known before.
  const actions = element("div", { class: "actions", hidden: true }, next, link(words.cancel, null, "#/"));
  wizard.show("source", field(words.restore.search, search), list, actions);
  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => fill(search.value), TYPING);
  });
  const fill = async (q) => {
    const { backups } = await get(questions.restorable(q), wizard.signal);
    if (search.value !== (q ?? "")) return;
    const legend = element("legend", {}, words.restore.steps.source.title);
    const whole = Math.max(0, backups.findIndex((backup) => !backup.damaged));
    replace(list, legend, backups.map((backup, at) => choice(backup, at === whole)), backups.length === 0 && element("p", { class: "soft" }, q ? words.list.nothing : words.restore.noBackups));
    next.disabled = backups.length === 0;
    actions.hidden = false;
  };
  await fill("");
}

function choice(backup, chosen) {
  return element("label", { class: "choice" },
    element("input", { type: "radio", name: "backup", value: backup.id, checked: chosen }),
    element("span", {}, element("strong", {}, backup.name), backup.damaged && [" ", state(backup)],
      element("span", { class: "soft" }, `${kind(backup)} · ${format.size(backup.size)} · ${format.exact(backup.createdAt)} (${format.ago(backup.createdAt)})`)));
}
