// What a deployment and its backup have to do with each other.

import { call } from "../../app/api.js";
import { api } from "../../app/config.js";
import { secretDialog } from "../../app/dialog.js";
import { element, freshId, replace } from "../../app/dom.js";
import { attempt, button, field, section, toast } from "../../app/parts.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

/** {view, read()}: what is waited for, how long, and what is done without it. */
export function gate(schedule) {
  const choice = (options, chosen) => element("select", { id: freshId("gate") },
    Object.entries(options).map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
  const waits = choice(words.schedules.gates, schedule.gate ?? "none");
  const without = choice(words.schedules.failures, schedule.onFailure ?? "block");
  const minutes = element("input", { id: freshId("minutes"), type: "number", min: 1, max: 1440, required: true, value: schedule.waitAtMost ?? 30 });
  const rest = element("div", { class: "timing" }, field(words.schedules.onFailure, without), field(words.schedules.waitAtMost, minutes));
  const draw = () => (rest.hidden = waits.value === "none");
  waits.addEventListener("change", draw);
  draw();
  return {
    view: element("div", { class: "stack", hidden: schedule.trigger !== "deploy" }, field(words.schedules.gate, waits), rest),
    read: () => ({ gate: waits.value, onFailure: without.value, waitAtMost: Number(minutes.value) || 30 }),
  };
}

/** The secret by which anybody starts the schedule. */
export function hook({ id, hookMadeAt }) {
  const { hook: said } = words.schedules;
  const box = element("div", { class: "stack" });
  const wrong = element("div", {});
  const doing = (work) => (event) => attempt(event.currentTarget, wrong, work);
  const make = async () => {
    const { path, secret } = await call("POST", "/schedules", { body: { makeHook: id } });
    const place = await api(path.replace(/^\/api/, ""));
    draw(new Date().toISOString());
    await secretDialog(said.secretTitle, said.secretText, `curl -fsS -X POST ${place} -H "Authorization: Bearer ${secret}"`);
  };
  const remove = async () => {
    await call("POST", "/schedules", { body: { removeHook: id } });
    draw(null);
    toast(said.removed);
  };
  const draw = (madeAt) => replace(box, madeAt && element("p", {}, said.made, " ", format.moment(madeAt)),
    element("div", { class: "actions" }, button(madeAt ? said.another : said.make, "key", doing(make)), madeAt && button(said.remove, "trash", doing(remove), { kind: "danger" })));
  draw(hookMadeAt);
  return section(said.title, element("p", { class: "soft" }, said.text), box, wrong);
}
