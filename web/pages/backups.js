// All backups: filtered, sorted, page after page as one scrolls; the address says which.

import { Problem, call, save } from "../app/api.js";
import { element, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { button, failure, link, skeleton } from "../app/parts.js";
import { isUnderWay, onChangeElsewhere } from "../app/backups.js";
import { pause } from "../app/live.js";
import { note } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import * as format from "../app/format.js";
import { bulkBar } from "./backups/bulk.js";
import { FILTERS, asked, filters } from "./backups/filters.js";
import { listing } from "./backups/listing.js";
import { words } from "../words/en.js";

const PAGE = 100;
const BETWEEN = 3000;

export default async function page({ show, signal, query }) {
  const list = new List(query, signal);
  show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.backups),
    element("div", { class: "actions" }, may("operator") && link(words.actions.create, "plus", "#/create", { kind: "primary" }))),
  list.filters, element("div", { class: "list-head" }, list.count, list.tools), list.bulk.view, list.body, list.more);
  onChangeElsewhere(() => list.begin(), signal);
  await list.begin();
}

class List {
  #turn = 0;

  constructor(query, signal) {
    this.query = query;
    this.signal = signal;
    this.chosen = new Map();
    this.count = element("p", { class: "count", role: "status" });
    this.body = element("div", {});
    this.more = element("div", { class: "more" });
    this.tools = element("div", { class: "actions" },
      ["csv", "json"].map((each) => button(words.list.export[each], "download", (event) => this.#export(each, event.currentTarget))));
    this.filters = filters(query, (changed) => {
      this.query = { ...this.query, ...changed };
      note(this.query);
      this.begin();
    });
    this.bulk = bulkBar(this.chosen, { again: () => this.begin(), cleared: () => this.listing?.unmark() });
    const sight = new IntersectionObserver((seen) => seen.some((each) => each.isIntersecting) && this.#next(), { rootMargin: "600px" });
    sight.observe(this.more);
    signal.addEventListener("abort", () => sight.disconnect());
  }

  /** From the first page on. */
  async begin() {
    this.#turn += 1;
    this.cursor = undefined;
    this.loading = false;
    this.chosen.clear();
    this.bulk.draw();
    if (!this.listing) replace(this.body, skeleton("row", 8));
    replace(this.more);
    await this.#next(true);
  }

  async #next(first = false) {
    if (this.loading || this.signal.aborted || (!first && !this.cursor)) return;
    const turn = this.#turn;
    this.loading = true;
    replace(this.more, !first && skeleton("row", 1));
    try {
      const page = await call("GET", "/backups/list", { query: { ...asked(this.query), limit: PAGE, cursor: this.cursor }, signal: this.signal });
      if (turn !== this.#turn) return;
      this.#take(page, first);
    } catch (error) {
      if (this.signal.aborted || turn !== this.#turn) return;
      if (!(error instanceof Problem)) throw error;
      if (first) replace(this.body);
      replace(this.more, failure(error, () => this.#next(first)));
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #take({ backups, total, nextCursor }, first) {
    this.cursor = nextCursor;
    this.count.textContent = words.list.total(total, format.count(total));
    if (first) {
      this.listing = total > 0 ? listing(this.query.view, this.chosen, () => this.bulk.draw()) : undefined;
      replace(this.body, this.listing ? this.listing.view : this.#empty());
    }
    this.listing?.add(backups);
    replace(this.more, nextCursor && button(words.list.more, null, () => this.#next()));
    for (const backup of backups.filter(isUnderWay)) this.#follow(backup.id, this.#turn);
  }

  /** What is under way shows how it ends. */
  async #follow(id, turn) {
    try {
      for (;;) {
        await pause(BETWEEN, this.signal);
        if (turn !== this.#turn) return;
        const now = await call("GET", `/backups/${id}/details`, { signal: this.signal });
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
      await save("/backups/list", { ...asked(this.query), format: kind });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      replace(this.more, failure(error));
    }
    pressed.disabled = false;
  }

  #empty() {
    const filtered = FILTERS.some((name) => this.query[name]);
    return element("div", { class: "empty" }, icon(filtered ? "search" : "box", "icon large"),
      element("h2", {}, filtered ? words.list.nothing : words.empty.title),
      element("p", {}, filtered ? words.list.nothingText : may("operator") ? words.empty.text : words.empty.wait(tenant().name)),
      filtered ? link(words.list.clear, null, "#/backups") : may("operator") && link(words.empty.first, "plus", "#/create", { kind: "primary" }));
  }
}
