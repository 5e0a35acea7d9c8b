// Numbers, sizes and times as the reader's own place writes them.

import { element } from "./dom.js";
import { words } from "../words/en.js";

const locale = navigator.languages?.length ? [...navigator.languages] : undefined;
// A browser takes long to make one.
const once = (make, made) => () => (made ??= make());
const number = once(() => new Intl.NumberFormat(locale));
const digits = once(() => new Intl.NumberFormat(locale, { maximumFractionDigits: 2 }));
const exactly = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }));
const fully = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" }));
const daily = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "full" }));
const briefDaily = once(() => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }));
const mediumDaily = once(() => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }));
const monthly = once(() => new Intl.DateTimeFormat(locale, { month: "short" }));
const parts = once(() => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }));
const timely = once(() => new Intl.DateTimeFormat(locale, { timeStyle: "short" }));
const weekly = once(() => new Intl.DateTimeFormat(locale, { weekday: "long" }));
const relative = once(() => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
const STEPS = [["year", 31_557_600], ["month", 2_629_800], ["week", 604_800], ["day", 86_400], ["hour", 3600], ["minute", 60]];

export const count = (value) => (value === null || value === undefined ? words.unknown : number().format(value));

/** 2.45 MB, as the functions write it. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return words.unknown;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${digits().format(value)} ${units[unit]}`;
}

export const exact = (time) => exactly().format(new Date(time));

/** The day alone. */
export const day = (time) => daily().format(new Date(time));

/** A day of a calendar ("2026-11-22") at its midnight here. */
export function midnight(date) {
  const [year, month, day] = date.split("-").map(Number);
  return new Date(year, month - 1, day);
}

export const shortDay = (time) => briefDaily().format(time);
export const mediumDay = (time) => mediumDaily().format(time);
export const month = (time) => monthly().format(time);
export const percent = (part) => (part === null ? words.none : parts().format(part));

/** A time of day: "2:00 AM". */
export const clock = (hour, minute) => timely().format(new Date(2000, 0, 1, hour, minute));

/** The name of a day of the week, 0 being Sunday. */
export const weekday = (day) => weekly().format(new Date(2000, 0, 2 + day));

/** A moment as the clocks of a time zone show it. */
export const inZone = (time, timeZone) => new Intl.DateTimeFormat(locale, {
  weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short", timeZone,
}).format(new Date(time));

/** "2 hours ago" */
export function ago(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const [unit, length] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  if (unit === "second" && Math.abs(seconds) < 45) return words.now;
  return relative().format(Math.round(seconds / length), unit);
}

/** Seconds as people say them: "3 min 20 s". */
export function duration(seconds) {
  if (seconds < 1) return words.lessThanASecond;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return words.hours(hours, minutes);
  return minutes > 0 ? words.minutes(minutes, whole % 60) : words.seconds(whole);
}

/** Milliseconds, also of what took less than a second: "0.42 s". */
export const elapsed = (milliseconds) => (milliseconds < 60_000 ? words.seconds(digits().format(milliseconds / 1000)) : duration(milliseconds / 1000));

/** How long ago, and exactly when on hover and focus. */
export function moment(time) {
  return element("time", {
    class: "moment", datetime: new Date(time).toISOString(), "data-exact": fully().format(new Date(time)),
    tabindex: "0",
  }, ago(time), element("span", { class: "hidden" }, ` (${fully().format(new Date(time))})`));
}

/** The moment in full, with how long ago beside it. */
export function fullMoment(time) {
  return element("time", { datetime: new Date(time).toISOString(), class: "full-moment", "data-exact": exact(time) },
    exact(time), " ", element("span", { class: "soft" }, `(${ago(time)})`));
}

// What was "2 minutes ago" does not stay so.
setInterval(() => {
  for (const shown of document.querySelectorAll("time.moment")) {
    const told = ago(shown.dateTime);
    if (shown.firstChild && shown.firstChild.data !== told) shown.firstChild.data = told;
  }
}, 30_000);
