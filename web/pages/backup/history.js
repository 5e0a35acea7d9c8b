// Every restore of a backup, and how to take one back.

import { call } from "../../app/api.js";
import { changed, watchPlace } from "../../app/backups.js";
import { form } from "../../app/dialog.js";
import { element } from "../../app/dom.js";
import { badge, button, link, section } from "../../app/parts.js";
import { address, go } from "../../app/router.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { isOver } from "../../app/live.js";
import { words } from "../../words/en.js";

export function history(backup) {
  const real = backup.restores.operations.filter((each) => !each.preview);
  const title = words.details.history;
  if (backup.status !== "completed" && real.length === 0) return null;
  if (real.length === 0) return section(title, element("p", { class: "soft" }, words.details.never));
  const restores = real.filter((each) => each.status === "completed" && !each.undoOf).length;
  return section(title, element("p", {}, words.details.restored(restores),
    backup.restores.lastRestoredAt && [" ", words.details.last, " ", format.moment(backup.restores.lastRestoredAt)]),
  element("ul", { class: "rows" }, real.map((each) => row(backup, each))));
}

function row(backup, operation) {
  const watching = !isOver(operation.status);
  return element("li", { class: "row" },
    element("div", { class: "row-main" }, element("span", { class: "row-name" }, operation.undoOf ? words.details.undo : words.modes[operation.mode].short),
      element("span", { class: "row-facts" }, format.moment(operation.createdAt), operation.initiatedBy && ` · ${operation.initiatedBy}`,
        operation.result.rowsAdded !== undefined && ` · ${words.restore.changed(operation.result, format.count)}`,
        undoable(operation) && ` · ${words.undo.canBe(format.exact(operation.undoUntil))}`),
      operation.error && element("span", { class: "row-facts bad-text" }, operation.error)),
    operation.undoneAt ? badge("cancelled", words.details.undone) : badge(operation.status),
    element("div", { class: "actions" },
      watching && link(words.home.watch, null, watchPlace(backup.id, operation.operationId)),
      operation.safetyBackupId && operation.status === "completed" && link(words.details.safety, null, address(`/backups/${operation.safetyBackupId}`), { kind: "bare" }),
      undoable(operation) && may("admin") && button(words.actions.undo, "back", () => askUndo(backup.id, operation))));
}

export const undoable = (operation) => operation.status === "completed" && !operation.preview && !operation.undoOf
  && !operation.undoneAt && Boolean(operation.undoUntil);

/** Rows that changed since are told by the undo itself, which stops before it touches them unless told to leave them. */
export async function askUndo(backup, operation) {
  const leave = element("input", { type: "checkbox", id: "leave-changed" });
  let begun;
  const done = await form(words.undo.title, [element("p", {}, words.undo.text(words.restore.changed(operation.result, format.count))),
    element("label", { class: "check" }, leave, element("span", {}, words.undo.leave, element("span", { class: "hint" }, words.undo.leaveHint)))], {
    submit: words.undo.go,
    send: async () => {
      begun = await call("POST", `/backups/${backup}/restore`, { body: { undo: operation.operationId, leaveChanged: leave.checked } });
    },
  });
  if (!done) return;
  changed();
  go("/restore", { backup, operation: begun.operationId });
}
