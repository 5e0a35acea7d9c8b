// Making a schedule, and changing one: while somebody types, it says when that would run and what would expire.

import { Problem, call, get } from "../app/api.js";
import { changed } from "../app/backups.js";
import { form } from "../app/dialog.js";
import { element, freshId, replace } from "../app/dom.js";
import { button, failure, field, link, notYours, notice, section, skeleton, toast } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { go } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import { gate, hook } from "./schedules/deploy.js";
import { timing } from "./schedules/timing.js";
import { fields as retentionFields, previewed } from "./schedules/retention.js";
import { runs } from "./schedules/runs.js";
import { words } from "../words/en.js";

const TYPING = 300;
const NEW = { name: "", cron: "0 2 * * *", trigger: "cron", type: "full", compress: true, retention: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 } };

export default async function page({ show, params, signal }) {
  const { role, name: owner } = tenant();
  if (!may("admin")) {
    show(notYours(words.titles.schedules, "admin", role, owner));
    return;
  }
  show(skeleton("title"), skeleton("line", 5));
  const schedule = params.id ? await found(params.id, signal, show) : { ...NEW, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  if (schedule) new Editor(schedule, signal).show(show);
}

async function found(id, signal, show) {
  try {
    return await get(questions.schedule(id), signal);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    show(element("h1", { tabindex: "-1" }, words.schedules.gone),
      notice("info", words.schedules.goneText, link(words.titles.schedules, "clock", "#/schedules")));
    return null;
  }
}

class Editor {
  #typing;
  #turn = 0;

  constructor(schedule, signal) {
    Object.assign(this, { schedule, signal });
    const later = () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#preview(), TYPING);
    };
    this.name = element("input", { id: freshId("name"), value: schedule.name, maxlength: 200, required: true, autocomplete: "off", placeholder: words.schedules.namePlaceholder });
    this.gate = gate(schedule);
    // It has its room before it is known, so that nothing jumps.
    this.runs = element("div", { class: "plain planned", "aria-live": "polite" });
    this.timing = timing(schedule, later, (trigger) => {
      this.gate.view.hidden = trigger !== "deploy";
      this.runs.hidden = trigger !== "cron";
    });
    this.type = element("select", { id: freshId("type") }, (tenant().scoped ? ["database"] : ["full", "database", "config"]).map((value) =>
      element("option", { value, selected: schedule.type === value }, words.types[value])));
    this.compress = element("input", { type: "checkbox", checked: schedule.compress });
    this.retention = retentionFields(schedule.retention, later);
    this.expiry = element("div", { class: "plain", "aria-live": "polite" });
    this.wrong = element("div", {});
    this.send = element("button", { class: "button primary" }, schedule.id ? words.save : words.schedules.make);
  }

  show(show) {
    const { id, name } = this.schedule;
    show(element("p", { class: "crumb" }, element("a", { href: "#/schedules" }, words.titles.schedules)),
      element("h1", { tabindex: "-1" }, id ? words.schedules.title(name) : words.schedules.add),
      element("form", { class: "stack form", onsubmit: (event) => this.#save(event) },
        field(words.schedules.name, this.name), this.timing.view, this.gate.view, this.runs,
        field(words.create.type, this.type),
        element("label", { class: "check" }, this.compress, element("span", {}, words.schedules.compress)),
        this.retention.view, this.expiry, this.wrong,
        element("div", { class: "actions" }, this.send, link(words.cancel, null, "#/schedules"))),
      id && this.schedule.trigger === "deploy" && hook(this.schedule),
      id && section(words.schedules.remove, element("p", {}, words.schedules.removeText),
        button(words.actions.remove, "trash", () => this.#remove(), { kind: "danger" })));
    this.#preview();
  }

  #wanted() {
    const { trigger, cron, timezone } = this.timing.read();
    return { trigger, timezone, ...(cron && { cron }), ...(trigger === "deploy" && this.gate.read()), retention: this.retention.policy() };
  }

  async #preview() {
    const turn = (this.#turn += 1);
    const { cron, timezone, retention } = this.#wanted();
    const { id } = this.schedule;
    try {
      const body = { preview: true, timezone, retention, ...(cron && { cron }), ...(id && { id }) };
      const planned = await call("POST", "/schedules", { body, signal: this.signal });
      if (turn !== this.#turn) return;
      replace(this.runs, planned.nextRuns.length > 0 && [element("p", {}, element("strong", {}, words.schedules.nextRunsIn(timezone))), runs(planned.nextRuns, timezone)]);
      replace(this.expiry, planned.retention && previewed(planned.retention));
    } catch (error) {
      if (this.signal.aborted || turn !== this.#turn) return;
      if (!(error instanceof Problem)) throw error;
      replace(this.runs, failure(error));
    }
  }

  async #save(event) {
    event.preventDefault();
    this.send.disabled = true;
    replace(this.wrong);
    const { id } = this.schedule;
    try {
      const body = { name: this.name.value.trim(), type: this.type.value, compress: this.compress.checked, ...this.#wanted() };
      await call(id ? "PATCH" : "POST", "/schedules", { body, query: { id } });
      changed();
      toast((id ? words.schedules.saved : words.schedules.made)(body.name));
      go("/schedules");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.send.disabled = false;
      replace(this.wrong, failure(error));
    }
  }

  async #remove() {
    const { id, name } = this.schedule;
    const done = await form(words.schedules.removeTitle, [element("p", {}, words.schedules.removeText)], {
      submit: words.actions.remove, kind: "danger", send: () => call("DELETE", "/schedules", { query: { id } }),
    });
    if (!done) return;
    changed();
    toast(words.schedules.removed(name));
    go("/schedules");
  }
}
