// Steps 4 and 5: the restore under way, and what came of it.

import { call } from "../../app/api.js";
import { changed } from "../../app/backups.js";
import { element, replace } from "../../app/dom.js";
import { watch } from "../../app/live.js";
import { Progress } from "../../app/progress.js";
import { button, failure, facts, link, notice, section } from "../../app/parts.js";
import { address } from "../../app/router.js";
import * as format from "../../app/format.js";
import { askUndo, undoable } from "../backup/history.js";
import { words } from "../../words/en.js";

export async function watchRestore(wizard, operation) {
  const { signal, query: { backup } } = wizard;
  const first = await call("GET", `/backups/${backup}/restore/status`, { query: { operation }, signal });
  const progress = new Progress(first.undoOf ? "undo" : "restore");
  const told = element("div", {});
  const cancel = button(words.restore.cancel, "cross", async () => {
    cancel.disabled = true;
    try {
      await call("DELETE", `/backups/${backup}/restore`, { query: { operation } });
      replace(told, element("p", {}, words.progress.cancelling));
    } catch (error) {
      cancel.disabled = false;
      replace(told, failure(error));
    }
  });
  if (!["completed", "failed", "cancelled"].includes(first.status)) {
    wizard.show("watching", element("div", { class: "section" }, progress.view, told, element("div", { class: "actions" }, cancel),
      element("p", { class: "hint" }, words.progress.leave)));
    progress.show(first);
  }
  const ended = await watch(backup, { operation }, { signal, onState: (now) => progress.show(now), onBreak: (broken) => progress.reconnecting(broken) });
  changed();
  const details = await call("GET", `/backups/${backup}/details`, { signal });
  done(wizard, ended, details);
}

function done(wizard, ended, backup) {
  const operation = backup.restores.operations.find((each) => each.operationId === ended.operationId);
  const safety = ended.safetyBackupId && ended.status === "completed"
    && link(words.restore.viewSafety, null, address(`/backups/${ended.safetyBackupId}`));
  if (ended.status !== "completed") {
    const cancelled = ended.status === "cancelled";
    wizard.show("done", notice(cancelled ? "info" : "bad", element("div", {},
      element("p", {}, element("strong", {}, cancelled ? words.restore.cancelled : words.restore.failed)),
      ended.error && element("p", {}, ended.error), element("p", {}, words.restore.untouched)),
    link(words.restore.retry, "restore", address("/restore", { backup: backup.id }), { kind: "primary" }),
    link(words.restore.toBackup, null, address(`/backups/${backup.id}`))));
    return;
  }
  const { result } = ended;
  wizard.show("done",
    notice("good", element("p", {}, element("strong", {}, ended.undoOf ? words.undo.done : words.restore.done))),
    section(words.restore.summary, facts(
      [words.components.database, words.restore.changed(result, format.count)],
      [words.restore.facts.backup, backup.name],
      ended.completedAt && ended.startedAt && [words.restore.facts.took, format.duration((new Date(ended.completedAt) - new Date(ended.startedAt)) / 1000)],
      safety && [words.restore.facts.safety, safety])),
    ended.warnings.length > 0 && notice("warn", element("ul", {}, ended.warnings.map((each) => element("li", {}, each.message)))),
    section(words.restore.next, element("ol", { class: "plain" }, words.restore.nextSteps.map((text) => element("li", {}, text)))),
    operation && undoable(operation) && section(words.actions.undo, element("p", {}, words.undo.until, " ", format.fullMoment(operation.undoUntil), "."),
      button(words.actions.undo, "back", () => askUndo(backup.id, operation))),
    element("div", { class: "actions" }, link(words.restore.status, null, "#/", { kind: "primary" }),
      link(words.done, null, address(`/backups/${backup.id}`))));
}
