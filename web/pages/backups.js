// All backups: filtered and sorted; the address says which.

import { Problem, get, save } from "../app/api.js";
import { element, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { button, failure, link, skeleton } from "../app/parts.js";
import { isUnderWay, onChangeElsewhere } from "../app/backups.js";
import { pause } from "../app/live.js";
import * as questions from "../app/questions.js";
import { keepTop, keptTop, note } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import * as format from "../app/format.js";
import { bulkBar } from "./backups/bulk.js";
import { FILTERS, filters } from "./backups/filters.js";
import { fitsTable, listing } from "./backups/listing.js";
import { words } from "../words/en.js";

/** How many are chosen at once at most: as many as one answer holds. */
const MANY = 200;
const BETWEEN = 3000;

export default async function page({ show, signal, query }) {
  const list = new List(query, signal);
  show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.backups),
    element("div", { class: "actions" }, may("operator") && link(words.actions.create, "plus", "#/create", { kind: "primary" }))),
  list.filters, element("div", { class: "list-head" }, list.count, list.tools), list.bulk.view, list.wrong, list.body);
  onChangeElsewhere(() => list.begin(), signal);
  await list.begin();
  // The way back leads to the same place of it.
  scrollTo(0, keptTop());
  addEventListener("scrollend", keepTop, { signal });
}

class List {
  #turn = 0;

  constructor(query, signal) {
    this.query = query;
    this.signal = signal;
    this.chosen = new Map();
    this.count = element("p", { class: "count", role: "status" });
    this.body = element("div", {});
    this.wrong = element("div", {});
    this.all = button(words.list.chooseMany(format.count(MANY)), null, () => this.#choose());
    this.tools = element("div", { class: "actions" }, may("operator") && this.all,
      ["csv", "json"].map((each) => button(words.list.export[each], "download", (event) => this.#export(each, event.currentTarget))));
    this.filters = filters(query, (changed) => {
      this.query = { ...this.query, ...changed };
      note(this.query);
      this.begin();
    });
    new ResizeObserver(() => this.#fit()).observe(this.body);
    this.bulk = bulkBar(this.chosen, { again: () => this.begin(), cleared: () => this.listing?.sync() });
  }

  /** From the first on. */
  async begin() {
    this.#turn += 1;
    this.visit?.abort();
    this.visit = new AbortController();
    this.chosen.clear();
    this.bulk.draw();
    if (!this.listing) replace(this.body, skeleton("row", 8));
    const within = AbortSignal.any([this.signal, this.visit.signal]);
    try {
      this.#show(await this.#read(0, within), within);
    } catch (error) {
      if (within.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.listing = undefined;
      replace(this.body, failure(error, () => this.begin()));
    }
  }

  /** A window that becomes narrow gets cards, at about the same place. */
  async #fit() {
    if (!this.listing || this.signal.aborted || this.query.view === "cards" || this.fits === fitsTable()) return;
    const part = scrollY / document.documentElement.scrollHeight;
    const chosen = [...this.chosen];
    await this.begin();
    for (const [id, backup] of chosen) this.chosen.set(id, backup);
    this.listing?.sync();
    this.bulk.draw();
    scrollTo(0, part * document.documentElement.scrollHeight);
  }

  #read(offset, signal, limit) {
    return get(questions.backups(this.query, offset, limit), signal);
  }

  #show({ backups, total }, signal) {
    replace(this.wrong);
    this.count.textContent = words.list.total(total, format.count(total));
    this.all.disabled = total === 0;
    this.listing = undefined;
    this.filters.hidden = this.tools.hidden = total === 0 && !this.#filtered;
    if (total === 0) {
      replace(this.body, this.#empty());
      return;
    }
    this.fits = fitsTable();
    this.listing = listing({
      wanted: this.query.view, chosen: this.chosen, marked: () => this.bulk.draw(), signal,
      read: async (offset) => {
        const page = await this.#read(offset, signal);
        // It became another list meanwhile.
        if (page.total !== total) this.begin();
        return this.#following(page.backups);
      },
    });
    replace(this.body, this.listing.view);
    this.listing.fill(total, this.#following(backups));
  }

  #following(backups) {
    for (const backup of backups.filter(isUnderWay)) this.#follow(backup.id, this.#turn);
    return backups;
  }

  async #choose() {
    try {
      const { backups } = await this.#read(0, this.visit.signal, MANY);
      for (const backup of backups) this.chosen.set(backup.id, backup);
      this.listing?.sync();
      this.bulk.draw();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(this.wrong, failure(error, () => this.#choose()));
    }
  }

  /** What is under way shows how it ends. */
  async #follow(id, turn) {
    try {
      for (;;) {
        await pause(BETWEEN, this.signal);
        if (turn !== this.#turn) return;
        const now = await get(questions.details(id), this.signal);
        this.listing?.change(now);
        if (!isUnderWay(now)) return;
      }
    } catch {
      // The next visit tells.
    }
  }

  async #export(kind, pressed) {
    pressed.disabled = true;
    try {
      await save("/backups/list", { ...questions.filtered(this.query), format: kind });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(this.wrong, failure(error));
    }
    pressed.disabled = false;
  }

  get #filtered() {
    return FILTERS.some((name) => this.query[name]);
  }

  #empty() {
    const filtered = this.#filtered;
    return element("div", { class: "empty" }, icon(filtered ? "search" : "box", "icon large"),
      element("h2", {}, filtered ? words.list.nothing : words.empty.title),
      element("p", {}, filtered ? words.list.nothingText : may("operator") ? words.empty.text : words.empty.wait(tenant().name)),
      filtered ? link(words.list.clear, null, "#/backups") : may("operator") && link(words.empty.first, "plus", "#/create", { kind: "primary" }));
  }
}
