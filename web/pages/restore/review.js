// Step 3: what it would change, counted before anything does; then the name, typed, and the restore begins.

import { Problem, call } from "../../app/api.js";
import { changed } from "../../app/backups.js";
import { element, replace } from "../../app/dom.js";
import { watch } from "../../app/live.js";
import { Progress } from "../../app/progress.js";
import { button, failure, facts, field, notice } from "../../app/parts.js";
import { note } from "../../app/router.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const DAY = 86_400_000;

export async function review(wizard) {
  const { backup, signal } = wizard;
  const progress = new Progress("preview");
  const back = button(words.back, "back", () => {
    leave.abort(new Error("left"));
    wizard.turn({ step: undefined, preview: undefined });
  });
  const leave = new AbortController();
  wizard.show("review", element("p", { class: "lead" }, words.restore.counting), element("div", { class: "section" }, progress.view,
    element("p", { class: "hint" }, words.restore.nothingYet)), element("div", { class: "actions" }, back));
  const both = AbortSignal.any([signal, leave.signal]);
  try {
    const ended = await previewed(wizard, both, progress);
    if (ended.status !== "completed") throw new Problem({ code: ended.errorCode ?? ended.status, detail: ended.error ?? words.restore.previewStopped });
    render(wizard, ended, back);
  } catch (error) {
    if (both.aborted) return;
    if (!(error instanceof Problem)) throw error;
    wizard.show("review", failure(error, () => wizard.turn({ preview: undefined })), element("div", { class: "actions" }, back));
  }

  async function previewed({ query }, within, shown) {
    let operation = query.preview;
    if (!operation) {
      const asked = await call("POST", `/backups/${backup.id}/restore`, { body: { ...wizard.wanted, preview: true }, signal: within });
      operation = asked.operationId;
      wizard.query = { ...wizard.query, preview: operation };
      note(wizard.query);
    }
    return watch(backup.id, { operation }, { signal: within, onState: (now) => shown.show(now), onBreak: (broken) => shown.reconnecting(broken) });
  }
}

function render(wizard, { plan, warnings, estimatedTime }, back) {
  const { backup, wanted } = wizard;
  const sum = (field) => plan.tables.reduce((total, table) => total + table[field], 0);
  const totals = { rowsAdded: sum("add"), rowsChanged: sum("change"), rowsRemoved: sum("remove") };
  const nothing = totals.rowsAdded + totals.rowsChanged + totals.rowsRemoved === 0;
  const notes = [...plan.locks, ...plan.notes.map((each) => each.message)];
  const orphans = plan.brokenReferences.length > 0 && broken(plan.brokenReferences);
  wizard.show("review",
    notice(nothing ? "good" : totals.rowsChanged + totals.rowsRemoved > 0 ? "warn" : "info", element("div", {},
      element("p", {}, element("strong", {}, nothing ? words.restore.nothing : words.restore.will(totals, format.count))),
      !nothing && plan.undoDays && element("p", {}, words.restore.undoNote(plan.undoDays, format.day(Date.now() + plan.undoDays * DAY))))),
    changes(plan.tables),
    facts([words.restore.facts.backup, backup.name], [words.restore.facts.created, format.fullMoment(plan.backupTakenAt)],
      [words.restore.facts.mode, words.modes[wanted.mode].title],
      [words.restore.facts.safety, words.restore.safety],
      [words.restore.facts.time, words.restore.about(format.duration(estimatedTime ?? plan.estimatedSeconds))]),
    [...warnings, ...plan.warnings].length > 0 && notice("warn", element("ul", {}, [...warnings, ...plan.warnings].map((each) => element("li", {}, each.message)))),
    notes.length > 0 && element("details", { class: "fold" }, element("summary", {}, words.restore.notes(notes.length)),
      element("ul", { class: "plain" }, notes.map((text) => element("li", {}, text)))),
    orphans && orphans.view,
    nothing ? element("div", { class: "actions" }, back) : confirm(wizard, back, orphans));
}

/** The tables in which something changes, and when what goes was made. On a phone it is drawn as blocks, and told as a table all the same. */
function changes(tables) {
  const touched = tables.filter((table) => table.add + table.change + table.remove > 0);
  if (touched.length === 0) return null;
  const { table, add, change, remove } = words.restore.columns;
  const cell = (label, value, tone) => element("td", { role: "cell", class: `number ${value > 0 ? tone : "soft"}`, "data-label": label }, format.count(value));
  return element("div", { class: "table-wrap" }, element("table", { role: "table", class: "table plan", "aria-label": words.restore.plan }, element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
    [table, add, change, remove].map((text, at) => element("th", { scope: "col", role: "columnheader", class: at > 0 ? "number" : null }, text)))),
  element("tbody", { role: "rowgroup" }, touched.map((each) => element("tr", { role: "row" },
    element("th", { scope: "row", role: "rowheader" }, each.schema === "public" ? each.name : `${each.schema}.${each.name}`,
      each.removedBetween && each.remove > 0 && element("span", { class: "note soft" },
        words.restore.removedBetween(format.exact(each.removedBetween[0]), format.exact(each.removedBetween[1])))),
    cell(add, each.add, "good-text"), cell(change, each.change, "warn-text"), cell(remove, each.remove, "bad-text"))))));
}

/** Rows that would refer to nothing: while there are any, the restore is refused, unless those that lack a parent stay out. */
function broken(references) {
  const box = element("input", { type: "checkbox", id: "leave-out-orphans" });
  const solvable = references.every((each) => each.why === "parentMissing");
  const view = notice("bad", element("div", {}, element("p", {}, element("strong", {}, words.restore.broken)),
    element("ul", {}, references.map((each) => element("li", {}, words.restore.reference(format.count(each.rows), each.child.name, each.parent.name, each.why), " ", each.remedy))),
    solvable && element("label", { class: "check" }, box, element("span", {}, words.restore.leaveOut))));
  return { view, box, solvable };
}

function confirm(wizard, back, orphans) {
  const { backup, wanted } = wizard;
  const typed = element("input", { id: "restore-name", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const told = element("div", { "aria-live": "polite" });
  const go = element("button", { class: "button danger" }, words.restore.go);
  const ready = () => {
    go.disabled = typed.value.trim() !== backup.name || Boolean(orphans && !orphans.box.checked);
  };
  typed.addEventListener("input", ready);
  orphans?.box?.addEventListener("change", ready);
  ready();
  const submitted = async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    replace(told);
    try {
      const body = { ...wanted, leaveOutOrphans: Boolean(orphans && orphans.box.checked) };
      const { operationId } = await call("POST", `/backups/${backup.id}/restore`, { body });
      changed();
      await wizard.turn({ operation: operationId, step: undefined, preview: undefined });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(told, failure(error));
      ready();
    }
  };
  return element("form", { class: "stack confirm", onsubmit: submitted },
    field(words.restore.type(backup.name), typed), told, element("div", { class: "actions" }, go, back));
}
