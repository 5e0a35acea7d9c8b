// How backups went: a year at a glance, charts with their tables, schedules side by side.

import { Problem, get } from "../app/api.js";
import { element, freshId, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { failure, link, skeleton } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { note } from "../app/router.js";
import * as format from "../app/format.js";
import { charts } from "./trends/charts.js";
import { heatmap } from "./trends/heatmap.js";
import { byDoor, bySchedule } from "./trends/tables.js";
import { words } from "../words/en.js";

const PERIODS = [30, 90, questions.YEAR];

export default async function page({ show, signal, query }) {
  new Trends(query, signal).show(show);
}

class Trends {
  #turn = 0;
  #opened = new Set();

  constructor(query, signal) {
    Object.assign(this, { query, signal });
    this.body = element("div", { class: "stack" }, skeleton("row", 4));
    this.schedules = element("select", { id: freshId("schedule"), onchange: (event) => this.#change({ schedule: event.target.value }) },
      element("option", { value: "" }, words.trends.every));
  }

  show(show) {
    const period = element("select", { id: freshId("period"), onchange: (event) => this.#change({ days: event.target.value }) },
      PERIODS.map((days) => element("option", { value: days, selected: days === this.days }, words.trends.periods[days])));
    const box = (text, input) => element("div", { class: "field" }, element("label", { for: input.id }, text), input);
    show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.trends),
      element("div", { class: "actions" }, link(words.trends.log, "log", "#/activity"))),
    element("p", { class: "lead" }, words.trends.text),
    element("div", { class: "filters" }, box(words.trends.period, period), box(words.trends.schedule, this.schedules)), this.body);
    this.#read();
  }

  get days() {
    const asked = Number(this.query.days);
    return PERIODS.includes(asked) ? asked : PERIODS[1];
  }

  #change(changed) {
    this.query = { ...this.query, ...changed };
    note(this.query);
    this.#read();
  }

  async #read() {
    const turn = (this.#turn += 1);
    this.drawn?.abort();
    try {
      const [told, { schedules }] = await Promise.all([
        get(questions.metrics(this.query), this.signal),
        get(questions.schedules, this.signal),
      ]);
      if (turn !== this.#turn) return;
      this.#choices(schedules);
      this.#draw(told);
    } catch (error) {
      if (this.signal.aborted || turn !== this.#turn) return;
      if (!(error instanceof Problem)) throw error;
      replace(this.body, failure(error, () => this.#read()));
    }
  }

  #choices(schedules) {
    if (this.schedules.options.length > 1) return;
    this.schedules.append(...schedules.map(({ id, name }) => element("option", { value: id, selected: id === this.query.schedule }, name)));
  }

  #draw({ days: year, schedules, doors, storage }) {
    if (year.every((day) => day.runs === 0 && day.restores === 0)) {
      replace(this.body, element("div", { class: "empty" }, icon("log", "icon large"),
        element("h2", {}, words.trends.nothing), element("p", {}, words.trends.nothingText)));
      return;
    }
    const days = year.slice(-this.days);
    const since = days[0].day;
    this.drawn = new AbortController();
    const signal = AbortSignal.any([this.signal, this.drawn.signal]);
    replace(this.body, summary(days, storage), heatmap(year), charts(days, this.#opened, signal), bySchedule(schedules), byDoor(doors.filter(({ day }) => day >= since)));
  }
}

function summary(days, { stored, quota }) {
  const sum = (name) => days.reduce((all, day) => all + day[name], 0);
  const [succeeded, failed, restores] = [sum("succeeded"), sum("failed"), sum("restores")];
  const middle = (name) => {
    const sorted = days.map((day) => day[name]).filter((value) => value !== null).sort((a, b) => a - b);
    return sorted.length > 0 ? format.elapsed(sorted[Math.floor(sorted.length / 2)]) : words.none;
  };
  const tile = (name, value, text) => element("div", { class: "widget" }, element("h2", {}, words.trends.summary[name]),
    element("p", { class: "figure" }, value), text && element("p", { class: "soft" }, text));
  return element("div", { class: "widgets figures" },
    tile("rate", succeeded + failed > 0 ? format.percent(succeeded / (succeeded + failed)) : words.none,
      words.trends.ofEnded(format.count(succeeded), format.count(succeeded + failed))),
    tile("duration", middle("durationP50Ms"), words.trends.slowest(middle("durationP95Ms"))),
    tile("stored", format.size(sum("newBytes")), words.trends.kept(format.size(stored), quota && format.size(quota))),
    tile("restores", format.count(restores), restores > 0 ? words.trends.failedRestores(sum("restoresFailed")) : null));
}
