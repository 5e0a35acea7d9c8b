// What a completed backup holds.

import { Problem } from "../../app/api.js";
import { download } from "../../app/backups.js";
import { element } from "../../app/dom.js";
import { icon } from "../../app/icons.js";
import { button, section, toast } from "../../app/parts.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

/** Tables shown before somebody asks for all. */
const FEW = 20;

export function contents(backup) {
  const { tables = [], files = [], leftOut = [] } = backup.contents;
  return [
    section(words.details.components, parts(backup, files)),
    tables.length > 0 && section(words.details.tables, list(tables.map((table) => row(backup, {
      name: table.schema === "public" ? table.name : `${table.schema}.${table.name}`, file: false,
      wanted: { format: "csv", table: quoted(table) }, told: [words.details.records(format.count(table.records), table.records), format.size(table.size)],
    })))),
    files.length > 0 && section(words.details.files, list(files.map((file) => row(backup, {
      name: file.name, file: true, wanted: { file: file.name }, told: ["", format.size(file.size)],
    })))),
    leftOut.length > 0 && section(words.details.leftOut, element("ul", { class: "plain" }, leftOut.map((each) => element("li", {}, words.details.notIn[each.code] ?? each.message)))),
  ];
}

/** As the functions read a table's name, whatever is in it. */
const quoted = ({ schema, name }) => [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");

/** Together the backup's size: beside rows a database has definitions, and what two tables hold alike is stored once. */
function parts(backup, files) {
  const bytes = (all) => all.reduce((sum, each) => sum + each.size, 0);
  const part = (picture, name, size, text) => element("li", { class: "part" }, icon(picture),
    element("strong", {}, name), element("span", {}, size), element("span", { class: "soft" }, text));
  return element("ul", { class: "parts" },
    backup.components.includes("database") && part("database", words.components.database, format.size(backup.size - bytes(files)),
      words.details.records(format.count(backup.metadata.records), backup.metadata.records)),
    backup.components.includes("config") && part("file", words.components.config, format.size(bytes(files)), words.details.fileCount(files.length)));
}

function list(rows) {
  const box = element("ul", { class: "contents" }, rows.slice(0, FEW));
  if (rows.length <= FEW) return box;
  const all = button(words.details.all(format.count(rows.length)), null, () => {
    box.append(...rows.slice(FEW));
    all.remove();
  });
  return [box, all];
}

function row(backup, { name, file, wanted, told }) {
  const fetch = async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    try {
      await download(backup, wanted);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(error.message, "bad");
    }
    pressed.disabled = false;
  };
  return element("li", {}, element("span", { class: "name" }, icon(file ? "file" : "list"), name),
    told.map((text) => element("span", { class: "soft number" }, text)),
    may("operator") && button(words.actions.download, null, fetch, { kind: "bare small", "aria-label": words.details.downloadOne(name) }));
}
