// The first page: is everything well, what can be done, what was done last.

import { Problem, get } from "../app/api.js";
import { element, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { badge, failure, link, notice, section, skeleton } from "../app/parts.js";
import { isUnderWay, onChangeElsewhere, state, summary, watchPlace, ways } from "../app/backups.js";
import { pause } from "../app/live.js";
import * as questions from "../app/questions.js";
import { may, tenant } from "../app/workspace.js";
import * as format from "../app/format.js";
import { briefly } from "./schedules/when.js";
import { words } from "../words/en.js";

/** Schedules, and rooms for backups before they are known. */
const RECENT = 5;
const NEAR = 0.8;
const BETWEEN = 3000;
const BETWEEN_LOOKS = 10_000;

export default async function page({ show, signal }) {
  const health = element("div", { class: "widgets" }, skeleton("widget", 4));
  const overall = element("span", { class: "overall" }, badge("pending", words.home.looking));
  const recent = element("div", {}, skeleton("row", RECENT));
  const scheduled = element("div", {}, skeleton("line", 2));
  const alerts = element("div", { class: "stack" });
  const last = element("p", { class: "last-good" });
  const actions = may("operator") && section(words.home.quick, element("div", { class: "actions quick" }, quick()));
  show(
    element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.home.title), last),
    alerts,
    element("section", { class: "section", "aria-labelledby": "system-status" },
      element("div", { class: "section-head" }, element("h2", { id: "system-status" }, words.home.status), overall), health),
    actions,
    element("section", { class: "section", "aria-labelledby": "recent-backups" },
      element("div", { class: "section-head" }, element("h2", { id: "recent-backups" }, words.home.recent),
        element("a", { href: "#/backups" }, words.home.all)), recent),
    element("section", { class: "section", "aria-labelledby": "scheduled-backups" },
      element("div", { class: "section-head" }, element("h2", { id: "scheduled-backups" }, words.home.scheduled),
        element("a", { href: "#/schedules" }, words.titles.schedules)), scheduled),
  );
  const limit = element("div", {});
  alerts.before(limit);
  let turn;
  const list = () => {
    turn?.abort();
    turn = new AbortController();
    const within = AbortSignal.any([signal, turn.signal]);
    return attempt(() => recents({ recent, alerts, last, actions }, within), recent, within);
  };
  onChangeElsewhere(list, signal);
  // Others may have begun something meanwhile.
  document.addEventListener("visibilitychange", () => document.hidden || list(), { signal });
  await Promise.all([attempt(() => quota(limit, signal), limit, signal), attempt(() => widgets(health, overall, signal), health, signal), list(),
    attempt(() => schedules(scheduled, signal), scheduled, signal)]);
}

async function attempt(work, box, signal) {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    replace(box, failure(error, () => attempt(work, box, signal)));
  }
}

function quick() {
  return [may("operator") && link(words.actions.create, "plus", "#/create", { kind: "primary" }),
    may("admin") && link(words.actions.restoreOne, "restore", "#/restore"),
    link(words.actions.viewAll, "list", "#/backups"), link(words.home.schedule, "clock", "#/schedules")];
}

/** What is not well is looked at again: it may have been a moment. */
async function widgets(box, overall, signal) {
  for (;;) {
    const told = await get(questions.health, signal);
    replace(overall, told.healthy ? badge("completed", words.home.healthy) : badge("failed", words.home.unhealthy));
    replace(box, parts(told));
    if (told.healthy) return;
    await pause(BETWEEN_LOOKS, signal);
  }
}

function parts(told) {
  const all = Object.values(told.services);
  const well = all.filter((part) => part.status === "ok").length;
  const wrong = Object.entries(told.services).filter(([, part]) => part.status !== "ok").map(([name]) => words.services[name]);
  const { database, config, deployment } = told;
  return [
    widget("database", words.home.database, database.connected, database.connected ? words.home.connected : words.home.disconnected,
      database.records === null ? null : words.home.records(format.count(database.records), !config)),
    config && widget("key", words.home.configuration, config.complete, config.complete ? words.home.complete : words.home.incomplete,
      config.complete ? words.home.allSet : words.home.missing(config.missing.join(", "))),
    deployment && widget("cloud", words.home.deployment, deployment.healthy, words.home.deploymentStatus[deployment.status],
      [deployment.environment && "Vercel", deployment.region, deployment.commit?.slice(0, 7)].filter(Boolean).join(" · ") || words.home.thisMachine),
    widget("shield", words.home.services, wrong.length === 0, `${well}/${all.length}`,
      wrong.length === 0 ? words.home.allWell : words.home.silent(wrong.join(", "))),
  ];
}

function widget(picture, name, well, status, text) {
  return element("div", { class: "widget" }, element("h3", {}, icon(picture), name),
    element("p", { class: `widget-state ${well ? "good" : "bad"}` }, icon(well ? "check" : "cross"), status),
    text && element("p", { class: "soft" }, text));
}

async function recents({ recent: box, alerts, last, actions }, signal) {
  for (let told; ; ) {
    const [{ backups, total }, succeeded, { restores }] = await Promise.all([
      get(questions.recent, signal),
      get(questions.lastGood, signal),
      get(questions.restoresUnderWay, signal),
    ]);
    const good = succeeded.backups.find((backup) => !backup.damaged);
    replace(last, good ? [icon("check"), element("span", {}, words.home.lastGood, " ", format.moment(good.createdAt))]
      : [icon("alert"), words.home.noBackup]);
    last.classList.toggle("none", !good);
    // The first step stands alone.
    if (actions) actions.hidden = total === 0;
    const news = JSON.stringify([restores.map((each) => each.operationId), backups.map((each) => [each.status, each.damaged]), total]);
    // What somebody is about to press stays under the finger.
    if (news !== told) replace(alerts, restores.map(underWay), warnings(backups, good, total));
    told = news;
    const focused = box.contains(document.activeElement);
    if (!focused) replace(box, backups.length > 0 ? rows(backups) : empty());
    if (!backups.some(isUnderWay) && restores.length === 0) return;
    await pause(BETWEEN, signal);
  }
}

function underWay({ operationId, backupId, backupName, undoOf, requestedBy }) {
  const text = (undoOf ? words.home.undoRuns : words.home.restoreRuns)(backupName ?? words.unknown, requestedBy);
  return notice("info", text, ...(may("admin") ? [link(words.home.watch, null, watchPlace(backupId, operationId), { kind: "primary" })] : []));
}

/** "Daily Backup (2:00 AM) • Next: in 10 hours", what is due first. */
async function schedules(box, signal) {
  const { schedules: all } = await get(questions.schedules, signal);
  const due = ({ nextRunAt }) => nextRunAt ?? "9";
  const on = all.filter((each) => each.enabled).sort((a, b) => due(a).localeCompare(due(b)));
  replace(box, on.length === 0 ? [element("p", { class: "soft" }, words.schedules.none), may("admin") && link(words.schedules.first, "plus", "#/schedules/new")]
    : element("ul", { class: "rows" }, on.slice(0, RECENT).map((each) => element("li", { class: "row" },
      element("p", { class: "row-main" }, element("span", {}, icon("clock"), " ", element("strong", {}, each.name), briefly(each) && ` (${briefly(each)})`,
        element("span", { class: "soft" }, " • ", each.nextRunAt ? [words.home.nextRun, " ", format.moment(each.nextRunAt)] : words.schedules.triggers[each.trigger]))),
      each.lastResult === "failed" && badge("failed")))));
}

/** Told before somebody is surprised by it. */
async function quota(box, signal) {
  const { storage: { stored, quota: most } } = await get(questions.storage, signal);
  if (most !== null && stored >= NEAR * most) replace(box, notice(stored >= most ? "bad" : "warn", words.home.quota(format.size(stored), format.size(most))));
}

/** Failures first. */
function warnings(backups, succeeded, total) {
  const newest = backups.find((backup) => backup.trigger !== "safety" && ["completed", "failed"].includes(backup.status));
  return [
    newest?.status === "failed" && notice("bad", element("div", {},
      element("p", {}, element("strong", {}, words.home.lastFailed(newest.name))), element("p", {}, newest.error)),
    link(words.home.seeWhy, null, `#/backups/${newest.id}`), may("operator") && link(words.home.takeAnother, null, "#/create")),
    ...backups.filter((backup) => backup.damaged).slice(0, 1).map((backup) => notice("bad", words.home.damaged(backup.name), link(words.home.seeWhy, null, `#/backups/${backup.id}`))),
    total > 0 && !succeeded && newest?.status !== "failed" && notice("warn", words.home.noneYet),
  ];
}

function rows(backups) {
  return element("ul", { class: "rows" }, backups.map((backup) => element("li", { class: "row" },
    element("div", { class: "row-main" }, summary(backup)), state(backup),
    element("div", { class: "actions" }, ways(backup)))));
}

function empty() {
  return element("div", { class: "empty" }, icon("box", "icon large"), element("h3", {}, words.empty.title),
    element("p", {}, may("operator") ? words.empty.text : words.empty.wait(tenant().name)),
    may("operator") && link(words.empty.first, "plus", "#/create", { kind: "primary" }));
}
