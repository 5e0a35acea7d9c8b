// The restore wizard: which backup, what of it, what that changes, watching it, and what then. The address holds the
// step, so that a tab that was closed comes back to the truth.

import { Problem, get } from "../app/api.js";
import { element } from "../app/dom.js";
import { failure, link, notYours, notice, skeleton } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { address, note } from "../app/router.js";
import { may, tenant } from "../app/workspace.js";
import { words } from "../words/en.js";
import { chooseBackup } from "./restore/source.js";
import { chooseParts } from "./restore/parts.js";
import { review } from "./restore/review.js";
import { watchRestore } from "./restore/watching.js";

const STEPS = ["source", "parts", "review", "watching", "done"];

export default async function page({ show, signal, query }) {
  if (!may("admin")) {
    show(notYours(words.titles.restore, "admin", tenant().role, tenant().name));
    return;
  }
  await new Wizard(show, signal, query).go();
}

class Wizard {
  constructor(show, signal, query) {
    Object.assign(this, { outer: show, signal, query });
  }

  async go() {
    const { backup, operation, step } = this.query;
    if (operation) return this.watching(operation);
    if (!backup) return chooseBackup(this);
    this.show(step === "review" ? "review" : "parts", skeleton("line", 4));
    if (!(await this.#read(backup))) return undefined;
    return step === "review" ? review(this) : chooseParts(this);
  }

  /** What the address says, with some of it changed; what is on the screen follows. */
  async turn(changed) {
    this.query = { ...this.query, ...changed };
    note(this.query);
    try {
      await this.go();
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.show("parts", failure(error, () => this.turn({})));
    }
    if (!this.signal.aborted) document.querySelector(".rovodev h1")?.focus();
  }

  /** What a restore of this address is asked for. */
  get wanted() {
    const { mode = "missing", tables } = this.query;
    return { mode, ...(tables ? { tables: JSON.parse(tables) } : {}) };
  }

  async watching(operation) {
    this.show("watching", skeleton("line", 4));
    await watchRestore(this, operation);
  }

  show(step, ...shown) {
    const now = STEPS.indexOf(step);
    this.outer(
      element("h1", { tabindex: "-1" }, words.restore.steps[step].title),
      element("ol", { class: "wizard-steps", "aria-label": words.restore.stepsLabel }, STEPS.map((each, at) =>
        element("li", { class: at < now ? "done" : at === now ? "now" : "later", "aria-current": at === now ? "step" : null },
          element("span", { class: "wizard-number" }, at + 1), element("span", { class: "wizard-name" }, words.restore.steps[each].name)))),
      shown);
  }

  async #read(id) {
    if (this.backup?.id === id) return true;
    this.backup = await get(questions.details(id), this.signal).catch((error) => {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    });
    const why = !this.backup ? words.details.goneText : this.backup.status !== "completed" ? words.problems.not_completed
      : !this.backup.components.includes("database") ? words.restore.noRows : null;
    if (why) this.show("source", notice("info", why, link(words.restore.another, null, address("/restore"))));
    return !why;
  }
}
