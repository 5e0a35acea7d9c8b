// Charts of days, each with the same numbers as a table behind it.

import { element, replace } from "../../app/dom.js";
import { section } from "../../app/parts.js";
import { onChange } from "../../app/theme.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const HEIGHT = 200;
const ratio = (part, whole) => (whole > 0 ? part / whole : null);
const { series } = words.trends;

/** What is drawn: values of a day, null where there are none; how they are written; bars or lines; colours by name. */
const CHARTS = {
  outcome: { lines: [[series.succeeded, (day) => day.succeeded, "--good"], [series.failed, (day) => day.failed || null, "--bad"]], text: format.count, bars: true },
  size: { lines: [[series.size, (day) => ratio(day.size, day.succeeded), "--accent"]], text: format.size },
  newBytes: { lines: [[series.newBytes, (day) => (day.runs > 0 ? day.newBytes : null), "--accent"]], text: format.size, bars: true },
  duration: { lines: [[series.p50, (day) => day.durationP50Ms, "--accent"], [series.p95, (day) => day.durationP95Ms, "--warn"]], text: format.elapsed },
  readBack: { lines: [[series.p50, (day) => day.readBackP50Ms, "--accent"], [series.p95, (day) => day.readBackP95Ms, "--warn"]], text: format.elapsed, seldom: true },
  restore: { lines: [[series.p50, (day) => day.restoreP50Ms, "--accent"], [series.p95, (day) => day.restoreP95Ms, "--warn"]], text: format.elapsed, seldom: true },
};

/** `opened` are the titles whose table is open; it is kept up to date. */
export function charts(days, opened, signal) {
  return element("div", { class: "charts" }, Object.entries(CHARTS).filter(([, chart]) => isThere(chart, days)).map(([name, chart]) => one(words.trends.charts[name], chart, days, opened, signal)));
}

/** What happens seldom has no chart before it happened. */
const isThere = ({ lines, seldom }, days) => !seldom || days.some((day) => lines.some(([, value]) => value(day) !== null));

function one(title, { lines, text, bars }, days, opened, signal) {
  const times = days.map(({ day }) => format.midnight(day).getTime() / 1000);
  const values = lines.map(([, value]) => days.map(value));
  const told = values[0].filter((value) => value !== null);
  const readout = element("p", { class: "readout soft" });
  // Without a pointer, of the last day that has something to tell.
  const last = Math.max(0, days.findLastIndex((day) => day.runs > 0));
  const say = (at) => replace(readout, format.shortDay(times[at ?? last] * 1000), ": ",
    lines.map(([label], line) => [line > 0 && " · ", label, " ", element("strong", {}, written(values[line][at ?? last], text))]));
  const canvas = element("div", {
    class: "chart", role: "img",
    "aria-label": told.length > 0 ? words.trends.told(title, text(told.at(-1)), text(Math.max(...values.flat()))) : `${title}: ${words.none}`,
  });
  say(null);
  draw(canvas, { data: [times, ...values], lines, text, bars, say, signal });
  return section(title, readout, canvas, table(title, lines, values, days, text, opened));
}

const written = (value, text) => (value === null ? words.none : text(value));

function table(title, lines, values, days, text, opened) {
  const rows = () => days.map(({ day }, at) => ({ day, at })).filter(({ at }) => values.some((line) => line[at] !== null && line[at] !== 0)).reverse();
  const box = element("details", {
    class: "fold", open: opened.has(title), ontoggle: () => {
      opened[box.open ? "add" : "delete"](title);
      if (box.children.length > 1) return;
      box.append(element("table", { class: "table figures-table", "aria-label": title },
        element("thead", {}, element("tr", {}, [words.trends.day, ...lines.map(([label]) => label)].map((head) => element("th", { scope: "col" }, head)))),
        element("tbody", {}, rows().map(({ day, at }) => element("tr", {}, element("th", { scope: "row" }, format.mediumDay(format.midnight(day))),
          values.map((line) => element("td", { class: "number" }, written(line[at], text))))))));
    },
  }, element("summary", {}, words.trends.table));
  return box;
}

/** Drawn as wide as there is room, and again when that or the colours change. The library comes when there is something to draw. */
async function draw(box, { data, lines, text, bars, say, signal }) {
  const { default: UPlot } = await import("../../vendor/uplot.js");
  if (signal.aborted) return;
  const colour = (name) => {
    const probe = element("span", { class: "probe" });
    probe.style.color = `var(${name})`;
    box.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  let made;
  const again = () => {
    made?.destroy();
    const font = `13px ${getComputedStyle(box).fontFamily}`;
    const axis = { stroke: colour("--soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const paths = bars ? UPlot.paths.bars({ size: [0.7, 24] }) : undefined;
    made = new UPlot({
      width: box.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { drag: { x: false, y: false }, y: false },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      series: [{}, ...lines.map(([, , name]) => ({
        stroke: colour(name), fill: bars ? colour(name) : undefined, width: bars ? 0 : 2, paths, spanGaps: true, points: bars ? { show: false } : { size: 4 },
      }))],
      axes: [
        { ...axis, values: (_, splits) => splits.map((time) => format.shortDay(time * 1000)), space: 70, size: 32, incrs: [1, 2, 7, 14, 30, 61, 91].map((days) => days * 86_400) },
        { ...axis, values: (_, splits) => splits.map((value) => (Number.isInteger(value) || value >= 1 || text !== format.count ? text(value) : "")), size: 74 },
      ],
      hooks: { setCursor: [({ cursor }) => say(cursor.idx ?? null)] },
    }, data, box);
  };
  again();
  onChange(again, signal);
  const size = new ResizeObserver(() => box.clientWidth !== made.width && made.setSize({ width: box.clientWidth, height: HEIGHT }));
  size.observe(box);
  signal.addEventListener("abort", () => {
    size.disconnect();
    made.destroy();
  }, { once: true });
}
