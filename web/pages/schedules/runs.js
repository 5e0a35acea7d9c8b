// The next runs of a schedule, as clocks of its zone show them.

import { element } from "../../app/dom.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

export function runs(next, timezone, jitterSeconds = 0) {
  if (next.length === 0) return null;
  return [element("ol", { class: "plain runs" }, next.map(({ local, clockChange }) => element("li", {},
    element("time", { datetime: local }, format.inZone(local, timezone)), " ",
    element("span", { class: "soft ago" }, `(${format.ago(local)})`),
    clockChange && element("span", { class: "note soft" }, words.schedules.clockChange[clockChange])))),
  jitterSeconds >= 60 && element("p", { class: "hint" }, words.schedules.jitter(format.duration(jitterSeconds)))];
}
