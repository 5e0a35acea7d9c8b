// What makes a schedule run, and when: a simple form over cron text.

import { element, freshId, replace } from "../../app/dom.js";
import { field } from "../../app/parts.js";
import { tenant } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { DAYS_OF_MONTH, WEEKDAYS, cronOf, parse } from "./when.js";
import { words } from "../../words/en.js";

const EVERY = ["hour", "day", "week", "month", "cron"];
const two = (number) => String(number).padStart(2, "0");

/** {view, read()}, where read() is {trigger, cron, timezone}; `changed` is called with every change, `starts` with the trigger. */
export function timing(schedule, changed, starts) {
  const now = parse(schedule.cron ?? "0 2 * * *");
  const every = element("select", { id: freshId("every") }, EVERY.map((value) =>
    element("option", { value, selected: now.every === value }, words.schedules.every[value])));
  const parts = inputs(now, schedule.cron ?? "0 2 * * *", changed);
  const zone = element("input", { id: freshId("zone"), value: schedule.timezone, list: "rovodev-zones", autocomplete: "off", required: true, oninput: changed });
  const zones = element("datalist", { id: "rovodev-zones" }, ["UTC", ...Intl.supportedValuesOf("timeZone")].map((value) => element("option", { value })));
  const own = element("div", { class: "timing" });
  const clock = element("div", { class: "stack" }, element("div", { class: "timing" }, field(words.schedules.howOften, every), own),
    field(words.schedules.zone, zone, words.schedules.zoneHint), zones);
  const draw = () => replace(own, parts.shown(every.value));
  every.addEventListener("change", () => {
    // The text begins as what the form said.
    if (every.value === "cron") parts.write(now.every === "cron" ? schedule.cron : cronOf(parts.read(now.every)));
    now.every = every.value;
    draw();
    changed();
  });
  draw();
  const triggers = element("fieldset", { class: "choices" }, element("legend", {}, words.schedules.trigger),
    (tenant().scoped ? ["cron", "manual"] : ["cron", "deploy", "manual"]).map((value) => element("label", { class: "choice" },
      element("input", { type: "radio", name: "trigger", value, checked: schedule.trigger === value, onchange: () => {
        chosen();
        changed();
      } }),
      element("span", {}, element("strong", {}, words.schedules.triggers[value]), element("span", { class: "soft" }, words.schedules.triggerTexts[value])))));
  const trigger = () => triggers.querySelector("input:checked").value;
  const chosen = () => {
    clock.hidden = trigger() !== "cron";
    zone.disabled = clock.hidden;
    starts(trigger());
  };
  chosen();
  return {
    view: element("div", { class: "stack" }, triggers, clock),
    read: () => ({
      trigger: trigger(), timezone: zone.value.trim(),
      cron: trigger() !== "cron" ? null : every.value === "cron" ? parts.text() : cronOf(parts.read(every.value)),
    }),
  };
}

function inputs(now, cron, changed) {
  const minute = element("input", { id: freshId("minute"), type: "number", min: 0, max: 59, value: now.minute, oninput: changed });
  const time = element("input", { id: freshId("time"), type: "time", required: true, value: `${two(now.hour)}:${two(now.minute)}`, oninput: changed });
  const day = element("select", { id: freshId("day"), onchange: changed }, DAYS_OF_MONTH.map((value) =>
    element("option", { value, selected: now.day === value }, format.count(value))));
  // Mondays first, as most calendars have it.
  const days = element("fieldset", { class: "weekdays" }, element("legend", {}, words.schedules.weekdays), [...WEEKDAYS.slice(1), 0].map((value) =>
    element("label", { class: "check" }, element("input", { type: "checkbox", value, checked: now.days.includes(value), onchange: changed }), element("span", {}, format.weekday(value)))));
  const text = element("input", { id: freshId("cron"), value: cron, maxlength: 100, spellcheck: "false", autocomplete: "off", class: "code", oninput: changed });
  const at = field(words.schedules.time, time);
  const shown = {
    hour: [field(words.schedules.minute, minute)], day: [at], week: [at, days], month: [field(words.schedules.day, day), at],
    cron: [field(words.schedules.cron, text, words.schedules.cronHint)],
  };
  return {
    shown: (every) => shown[every],
    text: () => text.value.trim(),
    write: (value) => (text.value = value ?? text.value),
    read: (every) => {
      const [hour, atMinute] = time.value.split(":").map(Number);
      return {
        every, hour: hour || 0, minute: every === "hour" ? Number(minute.value) : atMinute || 0, day: day.value,
        days: [...days.querySelectorAll("input:checked")].map((each) => Number(each.value)),
      };
    },
  };
}
