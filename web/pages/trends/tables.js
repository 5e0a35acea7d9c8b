// Schedules side by side, and where things were asked for.

import { element } from "../../app/dom.js";
import { section } from "../../app/parts.js";
import { address } from "../../app/router.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

export function bySchedule(schedules) {
  if (schedules.length === 0) return null;
  const { columns } = words.trends;
  const seconds = (value) => (value === null ? words.none : format.elapsed(value));
  const cells = (each) => [
    [columns.runs, format.count(each.runs)], [columns.rate, format.percent(each.successRate)], [columns.p50, seconds(each.durationP50Ms)],
    [columns.p95, seconds(each.durationP95Ms)], [columns.size, format.size(each.size)], [columns.newBytes, format.size(each.newBytes)],
  ];
  const name = (each) => each.schedule === null ? words.trends.byHand
    : may("admin") ? element("a", { href: address(`/schedules/${each.schedule}`) }, each.name) : each.name;
  return section(words.trends.bySchedule, element("table", { class: "table plan" },
    element("thead", {}, element("tr", {}, Object.values(columns).map((text, at) => element("th", { scope: "col", class: at > 0 ? "number" : null }, text)))),
    element("tbody", {}, schedules.map((each) => element("tr", {}, element("th", { scope: "row" }, name(each)),
      cells(each).map(([label, text]) => element("td", { class: "number", "data-label": label }, text)))))));
}

export function byDoor(doors) {
  const sums = new Map();
  for (const { door, operations } of doors) sums.set(door, (sums.get(door) ?? 0) + operations);
  if (sums.size === 0) return null;
  const { doors: heads } = words.trends;
  return section(words.trends.byDoor, element("table", { class: "table figures-table" },
    element("thead", {}, element("tr", {}, Object.values(heads).map((text, at) => element("th", { scope: "col", class: at > 0 ? "number" : null }, text)))),
    element("tbody", {}, [...sums].sort((a, b) => b[1] - a[1]).map(([door, operations]) => element("tr", {},
      element("th", { scope: "row" }, words.activity.doors[door] ?? door), element("td", { class: "number" }, format.count(operations)))))));
}
