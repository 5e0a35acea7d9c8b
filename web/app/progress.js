// Work under way: what is done, how far it is, how fast, and how long it still takes.

import { element, replace } from "./dom.js";
import { icon } from "./icons.js";
import * as format from "./format.js";
import { words } from "../words/en.js";

/** In order, as the work goes; stages that do not come are left out. */
const STAGES = {
  backup: ["connect", "plan", "schema", "rows", "config", "finish"],
  restore: ["connect", "safetyBackup", "verify", "stage", "compare", "merge", "refresh", "finish"],
  preview: ["connect", "verify", "stage", "compare"],
  undo: ["connect", "compare", "merge", "finish"],
};
/** Before a restore begins to read, these are its safety backup's. */
const OF_A_BACKUP = ["plan", "schema", "rows", "config", "finish"];
/** What is read out, at most this often. */
const SPOKEN = 5000;

export class Progress {
  #seen = 0;
  #spoke = 0;

  constructor(kind) {
    this.stages = STAGES[kind];
    this.kind = kind;
    this.bar = element("progress", { max: 100, "aria-label": words.progress.label[kind] });
    this.percent = element("span", { class: "percent" });
    this.facts = element("p", { class: "progress-facts soft" });
    this.steps = element("ol", { class: "steps-done", "aria-label": words.restore.stepsLabel });
    this.broken = element("p", { class: "reconnecting", hidden: true }, icon("cloud"), words.progress.reconnecting);
    this.spoken = element("p", { class: "hidden", "aria-live": "polite" });
    this.view = element("div", { class: "progress" }, this.steps,
      element("div", { class: "progress-line" }, this.bar, this.percent), this.facts, this.broken, this.spoken);
    this.show({ status: "pending", progress: { current: 0, total: 0, step: "" } });
  }

  show({ status, progress }) {
    const { current, total, stage, table, bytesPerSecond, secondsLeft, notice, rows } = progress;
    const known = total > 0;
    const percent = known ? Math.min(100, Math.floor((100 * current) / total)) : 0;
    if (known) this.bar.value = percent;
    else this.bar.removeAttribute("value");
    this.percent.textContent = known ? words.progress.percent(percent) : "";
    const waiting = status === "pending";
    const facts = [waiting ? words.progress.waiting : table, rows > 0 && words.progress.rows(format.count(rows)),
      bytesPerSecond > 0 && words.progress.rate(format.size(bytesPerSecond)),
      secondsLeft > 0 && words.progress.left(format.duration(secondsLeft)), notice].filter(Boolean);
    this.facts.textContent = facts.join(" · ") || " ";
    this.#seen = Math.max(this.#seen, this.#place(stage));
    this.#draw(waiting ? -1 : this.#seen);
    if (Date.now() - this.#spoke > SPOKEN) this.#speak(percent, known);
  }

  #place(stage) {
    const safety = this.stages.indexOf("safetyBackup");
    const inside = this.#seen <= safety && OF_A_BACKUP.includes(stage);
    return inside ? safety : this.stages.indexOf(stage);
  }

  reconnecting(broken) {
    this.broken.hidden = !broken;
  }

  #draw(now) {
    if (this.drawn === now) return;
    this.drawn = now;
    replace(this.steps, this.stages.map((stage, at) => {
      const [state, picture] = at < now ? ["done", "check"] : at === now ? ["now", "busy"] : ["later", "clock"];
      return element("li", { class: state, "aria-current": state === "now" ? "step" : null }, icon(picture),
        words.stages[stage], element("span", { class: "hidden" }, words.progress[state]));
    }));
  }

  #speak(percent, known) {
    this.#spoke = Date.now();
    const stage = words.stages[this.stages[Math.max(0, this.drawn)]];
    this.spoken.textContent = known ? `${stage}: ${words.progress.percent(percent)}` : stage;
  }
}
