// Step 2: what of it, and how.

import { element } from "../../app/dom.js";
import { button } from "../../app/parts.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const quoted = ({ schema, name }) => [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");

export function chooseParts(wizard) {
  const { backup, wanted } = wizard;
  const { tables } = backup.contents;
  const boxes = tables.map((table) => element("input", { type: "checkbox", value: quoted(table), checked: !wanted.tables || wanted.tables.includes(quoted(table)) }));
  const chosen = element("p", { class: "soft", role: "status" });
  const next = button(words.restore.preview, null, () => {
    const some = boxes.filter((box) => box.checked).map((box) => box.value);
    const mode = modes.querySelector("input:checked").value;
    wizard.turn({ mode, tables: some.length === boxes.length ? undefined : JSON.stringify(some), step: "review", preview: undefined });
  }, { kind: "primary" });
  const count = () => {
    const some = tables.filter((_, at) => boxes[at].checked);
    const records = some.reduce((sum, table) => sum + table.records, 0);
    chosen.textContent = words.restore.chosen(some.length, tables.length, format.count(records));
    next.disabled = some.length === 0;
  };
  const all = (value) => () => {
    boxes.forEach((box) => (box.checked = value));
    count();
  };
  const modes = choices(wanted.mode);
  const one = (table, at) => element("label", { class: "check" }, boxes[at],
    element("span", { class: "name" }, table.schema === "public" ? table.name : `${table.schema}.${table.name}`),
    element("span", { class: "soft" }, words.details.records(format.count(table.records), table.records)));
  const list = element("details", { class: "fold", open: Boolean(wanted.tables) }, element("summary", {}, words.restore.someTables),
    element("div", { class: "actions" }, button(words.restore.all, null, all(true)), button(words.restore.none, null, all(false))),
    element("div", { class: "checks", onchange: count }, tables.map(one)));
  wizard.show("parts",
    element("p", { class: "lead" }, words.restore.from(backup.name), " ", format.fullMoment(backup.createdAt)),
    modes,
    element("fieldset", { class: "section plain" }, element("legend", {}, words.restore.what), chosen, list,
      backup.components.includes("config") && element("p", { class: "hint" }, words.restore.config(backup.contents.files.length))),
    element("div", { class: "actions" }, next, button(words.back, "back", () => wizard.turn({ backup: undefined, tables: undefined, step: undefined }))));
  count();
}

function choices(mode) {
  return element("fieldset", { class: "choices" }, element("legend", {}, words.restore.how),
    Object.entries(words.modes).map(([value, { title, text }]) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "mode", value, checked: value === mode }),
      element("span", {}, element("strong", {}, title), element("span", { class: "soft" }, text)))));
}
