// A year, a square a day, a column a week.

import { element } from "../../app/dom.js";
import { icon } from "../../app/icons.js";
import { section } from "../../app/parts.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const PICTURES = { good: "check", bad: "cross", none: "minus" };

const kind = ({ succeeded, failed }) => (failed > 0 ? "bad" : succeeded > 0 ? "good" : "none");

export function heatmap(days) {
  const kinds = days.map(kind);
  const number = (name) => kinds.filter((each) => each === name).length;
  const told = words.trends.yearTold(number("good"), number("bad"), number("none"));
  // Columns begin on Mondays.
  const before = (format.midnight(days[0].day).getDay() + 6) % 7;
  const squares = days.map((day, at) => element("span", {
    class: `square ${kinds[at]}`, title: words.trends.dayTold(format.mediumDay(format.midnight(day.day)), day.succeeded, day.failed),
  }));
  const first = squares[0];
  if (first) first.style.gridRowStart = String(before + 1);
  return section(words.trends.year, element("p", { class: "soft" }, told),
    element("div", { class: "heatmap", role: "img", "aria-label": told }, squares),
    element("ul", { class: "legend" }, Object.entries(words.trends.legend).map(([name, text]) =>
      element("li", {}, element("span", { class: `square ${name}`, "aria-hidden": "true" }), icon(PICTURES[name]), text))));
}
