// What was done and refused, by whom and from where.

import { Problem, get, save } from "../app/api.js";
import { onChangeElsewhere } from "../app/backups.js";
import { element, freshId, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { badge, button, failure, link, skeleton } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { address, note } from "../app/router.js";
import * as format from "../app/format.js";
import { words } from "../words/en.js";
import { folded } from "./backups/filters.js";

const TYPING = 250;
const ABOUT_JOBS = ["backup", "restore", "export", "delete"];

export default async function page({ show, signal, query }) {
  const log = new Log(query, signal);
  show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.activity), log.tools),
    element("p", { class: "lead" }, words.activity.text), log.filters, log.body, log.more);
  onChangeElsewhere(() => log.begin(), signal);
  await log.begin();
}

class Log {
  #turn = 0;

  constructor(query, signal) {
    Object.assign(this, { query, signal });
    this.list = element("ol", { class: "rows log" });
    this.body = element("div", {});
    this.more = element("div", { class: "more" });
    this.tools = element("div", { class: "actions" }, link(words.activity.trends, "log", "#/trends"), ["csv", "json"].map((each) =>
      button(words.list.export[each], "download", (event) => this.#export(each, event.currentTarget))));
    this.filters = this.#filters();
  }

  async begin() {
    this.#turn += 1;
    this.list = element("ol", { class: "rows log" });
    if (!this.body.firstChild) replace(this.body, skeleton("row", 8));
    replace(this.more);
    await this.#next();
  }

  async #next(cursor) {
    const turn = this.#turn;
    try {
      const page = await get(questions.activity(this.query, cursor), this.signal);
      if (turn !== this.#turn) return;
      this.list.append(...page.activity.map(row));
      replace(this.body, this.list.childElementCount > 0 ? this.list : this.#empty());
      replace(this.more, page.nextCursor && button(words.list.more, null, () => this.#next(page.nextCursor)));
    } catch (error) {
      if (this.signal.aborted || turn !== this.#turn) return;
      if (!(error instanceof Problem)) throw error;
      if (!cursor) replace(this.body);
      replace(this.more, failure(error, () => this.#next(cursor)));
    }
  }

  #change(changed) {
    this.query = { ...this.query, ...changed };
    note(this.query);
    this.begin();
  }

  #filters() {
    let typing;
    const box = (name, input) => {
      input.id = freshId(name);
      return element("div", { class: `field ${name === "q" ? "grow" : ""}` }, element("label", { for: input.id }, words.activity.filters[name]), input);
    };
    const typed = (event) => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#change({ q: event.target.value }), TYPING);
    };
    const choice = (name, options) => box(name, element("select", { onchange: (event) => this.#change({ [name]: event.target.value }) },
      element("option", { value: "" }, words.list.any), Object.entries(options).map(([value, text]) =>
        element("option", { value, selected: this.query[name] === value }, text))));
    const day = (name) => box(name, element("input", { type: "date", value: this.query[name] ?? "", onchange: (event) => this.#change({ [name]: event.target.value }) }));
    return element("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      box("q", element("input", { type: "search", value: this.query.q ?? "", oninput: typed })),
      folded(this.query, ["action", "outcome", "from", "to"], choice("action", words.activity.actions),
        choice("outcome", words.activity.outcomes), day("from"), day("to")));
  }

  async #export(kind, pressed) {
    pressed.disabled = true;
    try {
      await save("/workspace/activity", { ...questions.logged(this.query), format: kind });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(this.more, failure(error));
    }
    pressed.disabled = false;
  }

  #empty() {
    const filtered = Object.values(this.query).some(Boolean);
    return element("div", { class: "empty" }, icon("log", "icon large"), element("h2", {}, filtered ? words.activity.nothing : words.activity.empty),
      element("p", {}, filtered ? words.activity.nothingText : words.activity.emptyText));
  }
}

function row(entry) {
  const told = words.activity.actions[entry.action] ?? entry.action;
  const about = entry.backupId ? element("a", { href: address(`/backups/${entry.backupId}`) }, entry.backupName) : entry.backupName;
  const by = ABOUT_JOBS.includes(entry.action) ? words.activity.byService : entry.actor;
  return element("li", { class: "row" },
    element("div", { class: "row-main" }, element("span", { class: "row-name" }, told, about && [": ", about]),
      element("span", { class: "row-facts" }, by, " · ", words.activity.doors[entry.door] ?? entry.door, entry.address && ` · ${entry.address}`,
        entry.code && ` · ${words.problems[entry.code] ?? entry.code}`)),
    badge(entry.outcome, words.activity.outcomes[entry.outcome]), element("div", { class: "log-time" }, format.fullMoment(entry.at)));
}
