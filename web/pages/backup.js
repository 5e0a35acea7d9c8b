// Everything about one backup; while it is taken, how far that is.

import { Problem, call, get } from "../app/api.js";
import { element, replace } from "../app/dom.js";
import { isOver, watch } from "../app/live.js";
import * as questions from "../app/questions.js";
import { Progress } from "../app/progress.js";
import { badge, button, failure, facts, link, notice, section, skeleton, toast } from "../app/parts.js";
import { askDelete, askDownload, askRename, changed, isUnderWay, kind, restorePlace, state } from "../app/backups.js";
import { go } from "../app/router.js";
import { may } from "../app/workspace.js";
import * as format from "../app/format.js";
import { contents } from "./backup/contents.js";
import { history } from "./backup/history.js";
import { words } from "../words/en.js";

const NAMED = 10;

export default async function page({ show, params, signal, again }) {
  show(skeleton("title"), skeleton("line", 5));
  const backup = await found(params.id, signal, show);
  if (!backup) return;
  const draw = async () => render({ backup: await get(questions.details(params.id), signal), show, draw, again });
  render({ backup, show, draw, again });
  if (isUnderWay(backup) && backup.trigger !== "safety") await follow({ backup, show, signal, draw });
}

async function found(id, signal, show) {
  try {
    return await get(questions.details(id), signal);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    show(element("h1", { tabindex: "-1" }, words.details.gone),
      notice("info", words.details.goneText, link(words.actions.viewAll, "list", "#/backups")));
    return null;
  }
}

function render({ backup, show, draw }) {
  show(element("p", { class: "crumb" }, element("a", { href: "#/backups" }, words.titles.backups)),
    element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.details.title(backup.name)), state(backup)),
    actions(backup, draw), troubles(backup), section(words.details.overview, overview(backup)),
    backup.status === "completed" && contents(backup), history(backup, draw));
}

function overview(backup) {
  const { details } = words;
  return facts([details.created, format.fullMoment(backup.createdAt)],
    backup.status === "completed" && [details.size, format.size(backup.size), backup.compressed && ` (${details.compressed})`,
      backup.newSize !== null && backup.newSize < backup.size && element("span", { class: "soft" }, ` · ${details.newSize(format.size(backup.newSize))}`)],
    [details.type, kind(backup)],
    backup.createdBy && [details.by, backup.createdBy],
    [details.status, state(backup), backup.finishedAt && backup.startedAt && backup.status === "completed"
      && element("span", { class: "soft" }, ` ${details.took(format.duration((new Date(backup.finishedAt) - new Date(backup.startedAt)) / 1000))}`)],
    backup.check.at && [details.checked, format.moment(backup.check.at),
      element("span", { class: "soft" }, ` · ${details.checkedTold(format.size(backup.check.bytes), format.elapsed(backup.check.milliseconds))}`)],
    backup.verifiedAt && [details.verified, format.moment(backup.verifiedAt)],
    [details.kept, backup.pinned ? details.pinned : backup.expiresAt ? format.fullMoment(backup.expiresAt) : details.forever],
    backup.note && [details.note, element("span", { class: "text" }, backup.note)]);
}

function actions(backup, draw) {
  const ready = backup.status === "completed";
  const refresh = (work) => async () => (await work()) && draw();
  const remove = async () => (await askDelete(backup)) && go("/backups");
  const pin = async (event) => {
    event.currentTarget.disabled = true;
    try {
      await call("PATCH", `/backups/${backup.id}/details`, { body: { pinned: !backup.pinned } });
      changed();
      toast(backup.pinned ? words.details.unpinnedNow : words.details.pinnedNow);
    } catch (error) {
      toast(error.message, "bad");
    }
    await draw();
  };
  return element("div", { class: "actions" },
    ready && may("admin") && backup.components.includes("database") && link(words.actions.restoreThis, "restore", restorePlace(backup), { kind: "primary" }),
    ready && may("operator") && button(words.actions.download, "download", () => askDownload(backup)),
    may("operator") && button(words.actions.rename, "pencil", refresh(() => askRename(backup))),
    may("operator") && button(backup.pinned ? words.actions.unpin : words.actions.pin, "pin", pin),
    may("admin") && !isUnderWay(backup) && !backup.pinned && button(words.actions.remove, "trash", remove, { kind: "danger" }));
}

function troubles(backup) {
  return [backup.status === "failed" && notice("bad", element("div", {},
    element("p", {}, element("strong", {}, words.details.failed)), element("p", {}, backup.error))),
  backup.status === "cancelled" && notice("info", words.details.cancelled),
  backup.damaged && damaged(backup.check.damage),
  backup.anomalies.length > 0 && notice("warn", element("div", {}, element("p", {}, element("strong", {}, words.details.unlike)),
    element("ul", {}, backup.anomalies.map(({ text }) => element("li", {}, text))))),
  backup.warnings.length > 0 && notice("warn", element("div", {}, element("p", {}, element("strong", {}, words.details.warnings)),
    element("ul", {}, backup.warnings.map((each) => element("li", {}, each.message)))))];
}

function damaged({ objects, concerns }) {
  const { details } = words;
  return notice("bad", element("div", {}, element("p", {}, element("strong", {}, details.damaged)),
    element("p", {}, details.damagedHow(objects, concerns.slice(0, NAMED).join(", "), concerns.length - NAMED)), element("p", {}, details.damagedWhat)),
  may("operator") && link(words.actions.create, "plus", "#/create"));
}

async function follow({ backup, show, signal, draw }) {
  const progress = new Progress("backup");
  const told = element("div", {});
  const cancel = button(words.progress.cancelBackup, "cross", async () => {
    cancel.disabled = true;
    try {
      await call("DELETE", `/backups/${backup.id}/restore`);
      replace(told, element("p", {}, words.progress.cancelling));
    } catch (error) {
      cancel.disabled = false;
      replace(told, failure(error));
    }
  });
  show(element("p", { class: "crumb" }, element("a", { href: "#/backups" }, words.titles.backups)),
    element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.details.title(backup.name)), badge("in_progress")),
    section(words.progress.taking, progress.view, told, element("div", { class: "actions" }, may("operator") && cancel),
      element("p", { class: "hint" }, words.progress.leave)));
  const ended = await watch(backup.id, undefined, {
    signal, onState: (now) => progress.show(now), onBreak: (broken) => progress.reconnecting(broken),
  });
  if (!isOver(ended.status)) return;
  changed();
  await draw();
  toast(words.details.ended[ended.status], ended.status === "completed" ? "good" : "bad");
}
