// When backups are taken by themselves.

import { Problem, call, get } from "../app/api.js";
import { changed, onChangeElsewhere } from "../app/backups.js";
import { element, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { badge, button, failure, link, skeleton, toast } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { address, go } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import * as format from "../app/format.js";
import { described } from "./schedules/when.js";
import { summary } from "./schedules/retention.js";
import { runs } from "./schedules/runs.js";
import { words } from "../words/en.js";

export default async function page({ show, signal }) {
  const body = element("div", {}, skeleton("row", 3));
  show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.schedules),
    may("admin") && link(words.schedules.add, "plus", "#/schedules/new", { kind: "primary" })),
  element("p", { class: "lead" }, words.schedules.text), body);
  const draw = async () => {
    try {
      const { schedules } = await get(questions.schedules, signal);
      replace(body, schedules.length > 0 ? element("ul", { class: "rows cards" }, schedules.map((each) => row(each, draw))) : empty());
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      replace(body, failure(error, draw));
    }
  };
  onChangeElsewhere(draw, signal);
  await draw();
}

function empty() {
  return element("div", { class: "empty" }, icon("clock", "icon large"), element("h2", {}, words.schedules.none),
    element("p", {}, may("admin") ? words.schedules.noneText : words.schedules.noneWait(tenant().name)),
    may("admin") && link(words.schedules.first, "plus", "#/schedules/new", { kind: "primary" }));
}

function row(schedule, draw) {
  const { id, name, enabled, nextRunAt, nextRuns, timezone, jitterSeconds, retention } = schedule;
  const named = (text) => ({ "aria-label": `${text}: ${name}` });
  return element("li", { class: "row schedule" },
    element("div", { class: "section-head" },
      element("h2", { class: "row-name" }, icon("clock"), element("span", { class: "name" }, name)), element("div", { class: "actions" }, states(schedule))),
    element("div", {},
      element("p", {}, described(schedule), schedule.trigger === "cron" && element("span", { class: "soft" }, ` (${timezone})`)),
      nextRunAt && element("p", {}, words.schedules.next, " ", format.moment(nextRunAt)),
      element("p", { class: "soft" }, words.types[schedule.type], " · ", summary(retention))),
    nextRuns.length > 0 && element("details", { class: "fold" }, element("summary", {}, words.schedules.nextRuns), runs(nextRuns, timezone, jitterSeconds)),
    element("div", { class: "actions" },
      may("operator") && button(words.schedules.run, "restore", (event) => run(event.currentTarget, id), named(words.schedules.run)),
      may("admin") && link(words.schedules.edit, "pencil", address(`/schedules/${id}`), named(words.schedules.edit)),
      may("admin") && button(enabled ? words.schedules.off : words.schedules.on, null,
        (event) => toggle(event.currentTarget, schedule, draw), named(enabled ? words.schedules.off : words.schedules.on))));
}

function states({ enabled, lastResult, lastBackupId, lastRunAt, failuresInARow }) {
  return [!enabled && badge("off", words.schedules.isOff),
    failuresInARow > 1 && badge("failed", words.schedules.inARow(failuresInARow)),
    lastResult && element("span", { class: "last-run" },
      lastBackupId ? element("a", { href: address(`/backups/${lastBackupId}`) }, words.schedules.last) : words.schedules.last,
      lastRunAt && [" ", format.moment(lastRunAt)]),
    lastResult && failuresInARow <= 1 && badge(lastResult)];
}

async function run(pressed, id) {
  pressed.disabled = true;
  try {
    const begun = await call("POST", "/schedules", { body: { runNow: id } });
    changed();
    go(`/backups/${begun.id}`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    pressed.disabled = false;
    toast(error.message, "bad");
  }
}

async function toggle(pressed, { id, name, enabled }, draw) {
  pressed.disabled = true;
  try {
    await call("PATCH", "/schedules", { query: { id }, body: { enabled: !enabled } });
    toast((enabled ? words.schedules.offNow : words.schedules.onNow)(name));
    changed();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
  await draw();
}
