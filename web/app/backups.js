// What can be done with a backup, wherever it is shown.

import { api } from "./config.js";
import { Problem, call, follow } from "./api.js";
import { dialog, form } from "./dialog.js";
import { element, freshId, replace } from "./dom.js";
import { icon } from "./icons.js";
import { pause, watch } from "./live.js";
import { badge, button, failure, field, link, toast } from "./parts.js";
import { address } from "./router.js";
import { may } from "./workspace.js";
import * as format from "./format.js";
import { words } from "../words/en.js";

const FORMATS = ["sql.zst", "sql.gz", "tar"];
const changes = new BroadcastChannel("rovodev-changes");
const own = new EventTarget();

/** Tells other tabs that what they list is not so any more. */
export const changed = () => changes.postMessage("changed");

/** Reads again what this page lists. */
export const refresh = () => own.dispatchEvent(new Event("message"));

export function onChangeElsewhere(listener, signal) {
  for (const source of [changes, own]) source.addEventListener("message", listener, { signal });
}

export const place = (backup) => address(`/backups/${backup.id}`);
export const restorePlace = (backup) => address("/restore", { backup: backup.id });
export const watchPlace = (backup, operation) => address("/restore", { backup, operation });
export const isUnderWay = (backup) => ["pending", "in_progress"].includes(backup.status);

/** "Full backup", or why it was taken where nobody asked for it. */
export const kind = (backup) => words.kinds[backup.trigger] ?? words.kinds[backup.type];

const some = (listed) => (listed?.length ?? listed) > 0;

export function state(backup) {
  if (backup.damaged) return badge("failed", words.status.damaged);
  if (backup.status === "completed" && some(backup.anomalies)) return badge("refused", words.status.unlike);
  if (backup.status === "completed" && some(backup.warnings)) return badge("refused", words.status.withWarnings);
  return badge(backup.status);
}

/** View, Restore, Download: what the caller may do with it now. */
export function ways(backup) {
  const ready = backup.status === "completed";
  const named = (text) => ({ "aria-label": `${text}: ${backup.name}` });
  return [
    link(words.actions.view, null, place(backup), named(words.actions.view)),
    ready && may("admin") && backup.components.includes("database")
      && link(words.actions.restore, "restore", restorePlace(backup), named(words.actions.restore)),
    ready && may("operator") && button(words.actions.download, "download", () => askDownload(backup), named(words.actions.download)),
  ];
}

export function askDownload(backup) {
  const hasRows = backup.components.includes("database");
  const group = freshId("format");
  const choice = (value, at) => element("label", { class: "choice" },
    element("input", { type: "radio", name: group, value, checked: at === 0 }),
    element("span", {}, element("strong", {}, `.${value}`), element("span", { class: "soft" }, words.download.formats[value])));
  const formats = hasRows ? FORMATS : ["tar"];
  const box = element("fieldset", { class: "choices" }, element("legend", {}, words.download.format), formats.map(choice));
  return dialog(words.download.title(backup.name), (close) => {
    const told = element("div", { "aria-live": "polite" });
    const leave = new AbortController();
    const start = element("button", { type: "button", class: "button primary" }, icon("download"), words.actions.download);
    start.addEventListener("click", async () => {
      start.disabled = true;
      try {
        const chosen = box.querySelector("input:checked").value;
        await download(backup, { format: chosen }, { signal: leave.signal, tell: (text) => replace(told, element("p", {}, text)) });
        close(true);
        toast(words.download.begun);
      } catch (error) {
        if (leave.signal.aborted) return;
        start.disabled = false;
        replace(told, failure(error));
      }
    });
    const stop = () => {
      leave.abort(new Error("left"));
      close();
    };
    return element("div", {}, box, element("p", { class: "hint" }, words.download.hint), told,
      element("div", { class: "actions end" }, element("button", { type: "button", class: "button", onclick: stop }, words.cancel), start));
  });
}

/** Has the browser fetch a file of a backup; what cannot be streamed is made ready first. */
export async function download(backup, wanted, { signal, tell = () => {} } = {}) {
  for (;;) {
    const told = await call("POST", `/backups/${backup.id}/download`, { body: wanted, signal });
    if (told.url) {
      // Ours begin with /api, wherever the functions are; others lead into the store.
      follow(told.url.startsWith("/api/") ? await linkTo(told.url.slice("/api".length)) : told.url);
      return;
    }
    tell(words.download.preparing);
    const ended = await watch(backup.id, { export: told.exportId }, {
      signal, onState: ({ progress }) => progress.total > 0 && tell(words.download.prepared(Math.floor((100 * progress.current) / progress.total))),
    });
    if (ended.status !== "completed") throw new Problem({ code: ended.errorCode ?? "broke", detail: ended.error });
    await pause(100, signal);
  }
}

async function linkTo(rest) {
  const [path, query] = rest.split("?");
  const link = await api(path);
  link.search = query;
  return link.href;
}

export async function askDelete(backup) {
  const done = await form(words.remove.title, [
    element("p", {}, words.remove.text(backup.name)),
    backup.pinned && element("p", {}, words.remove.pinned),
  ], {
    submit: words.actions.remove, kind: "danger",
    send: () => call("DELETE", `/backups/${backup.id}/details`),
  });
  if (done) {
    changed();
    toast(words.remove.done(backup.name));
  }
  return done;
}

export async function askRename(backup) {
  const name = element("input", { id: freshId("name"), value: backup.name, maxlength: 200, required: true });
  const note = element("textarea", { id: freshId("note"), value: backup.note ?? "", maxlength: 2000, rows: 4 });
  const done = await form(words.rename.title, [field(words.rename.name, name), field(words.rename.note, note, words.rename.noteHint)], {
    submit: words.save,
    send: () => call("PATCH", `/backups/${backup.id}/details`, { body: { name: name.value.trim(), note: note.value.trim() || null } }),
  });
  if (done) changed();
  return done;
}

/** A row of the lists on the home page and in the wizard. */
export function summary(backup) {
  return [element("span", { class: "row-name" }, icon("box"), element("span", { class: "name" }, backup.name),
    backup.pinned && element("span", { class: "pinned", title: words.pinned }, icon("pin"), element("span", { class: "hidden" }, words.pinned))),
  element("span", { class: "row-facts" }, kind(backup), " · ", format.moment(backup.createdAt),
    backup.status === "completed" && [" · ", format.size(backup.size)])];
}
