// Times of a schedule between its cron text and the simple form. What the form cannot say stays text.

import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

/** Sunday first, as cron counts. */
export const WEEKDAYS = [0, 1, 2, 3, 4, 5, 6];
/** Every month has these. */
export const DAYS_OF_MONTH = Array.from({ length: 28 }, (_, at) => at + 1);

const MINUTE = "(?<minute>[0-5]?\\d)";
const TIME = `${MINUTE} (?<hour>1?\\d|2[0-3])`;
const FORMS = [
  ["hour", new RegExp(`^${MINUTE} \\* \\* \\* \\*$`)],
  ["day", new RegExp(`^${TIME} \\* \\* \\*$`)],
  ["week", new RegExp(`^${TIME} \\* \\* (?<days>[0-6](,[0-6])*)$`)],
  ["month", new RegExp(`^${TIME} (?<day>[1-9]|1\\d|2[0-8]) \\* \\*$`)],
];

/** {every: "hour" | "day" | "week" | "month", minute, hour, days, day}, or {every: "cron"} for what is none of these. */
export function parse(cron) {
  const text = cron.trim().replace(/\s+/g, " ");
  for (const [every, form] of FORMS) {
    const found = form.exec(text)?.groups;
    if (!found) continue;
    const { minute, hour, days, day } = found;
    return {
      every, minute: Number(minute), hour: Number(hour ?? 0), days: days?.split(",").map(Number) ?? [1], day: Number(day ?? 1),
    };
  }
  return { every: "cron", minute: 0, hour: 2, days: [1], day: 1 };
}

export function cronOf({ every, minute, hour, days, day }) {
  if (every === "hour") return `${minute} * * * *`;
  if (every === "day") return `${minute} ${hour} * * *`;
  if (every === "week") return `${minute} ${hour} * * ${[...days].sort().join(",")}`;
  return `${minute} ${hour} ${day} * *`;
}

/** "Every day at 2:00 AM" */
export function described({ trigger, cron }) {
  if (trigger !== "cron") return words.schedules.triggers[trigger];
  const { every, minute, hour, days, day } = parse(cron);
  const time = format.clock(hour, minute);
  const { said } = words.schedules;
  if (every === "hour") return said.hour(minute);
  if (every === "day") return said.day(time);
  if (every === "week") return said.week(days.map(format.weekday).join(", "), time);
  return every === "month" ? said.month(format.count(day), time) : said.cron(cron);
}

/** What stands behind a name: "2:00 AM". */
export function briefly(schedule) {
  const { every, minute, hour } = schedule.trigger === "cron" ? parse(schedule.cron) : {};
  return every === "day" ? format.clock(hour, minute) : null;
}
