// What is done with many backups at once: one after the other, with what did not work told by name.

import { Problem, call } from "../../app/api.js";
import { changed, download } from "../../app/backups.js";
import { dialog } from "../../app/dialog.js";
import { element, replace } from "../../app/dom.js";
import { button, notice } from "../../app/parts.js";
import { pause } from "../../app/live.js";
import { may } from "../../app/workspace.js";
import { words } from "../../words/en.js";

/** A browser drops files that begin in the same moment. */
const BETWEEN_FILES = 400;

/** {view, draw()}: a bar that appears while something is marked. */
export function bulkBar(chosen, { again, cleared }) {
  const told = element("strong", {});
  const start = (work, text, after) => async () => {
    const anything = await run([...chosen.values()], work, text);
    if (anything && after) again();
  };
  const clear = () => {
    chosen.clear();
    cleared();
    draw();
  };
  const remove = (backup) => call("DELETE", `/backups/${backup.id}/details`);
  const fetch = async (backup, signal) => {
    if (backup.status !== "completed") throw new Problem({ code: "not_completed" });
    await download(backup, { format: backup.components.includes("database") ? "sql.zst" : "tar" }, { signal });
    await pause(BETWEEN_FILES, signal);
  };
  const view = element("div", { class: "bulk", role: "region", "aria-label": words.bulk.label, hidden: true }, told,
    element("div", { class: "actions" }, button(words.actions.download, "download", start(fetch, words.bulk.download, false)),
      may("admin") && button(words.actions.remove, "trash", start(remove, words.bulk.remove, true), { kind: "danger" }),
      button(words.bulk.clear, null, clear)));
  const draw = () => {
    view.hidden = chosen.size === 0;
    told.textContent = words.bulk.chosen(chosen.size);
  };
  return { view, draw };
}

/** Resolves with whether anything was begun. */
function run(backups, work, text) {
  return dialog(text.title(backups.length), (close) => {
    const leave = new AbortController();
    const bar = element("progress", { max: backups.length, value: 0, "aria-label": text.title(backups.length), hidden: true });
    const told = element("div", { "aria-live": "polite" }, element("p", {}, text.text));
    const stop = element("button", { type: "button", class: "button", onclick: () => close(false) }, words.cancel);
    const go = element("button", { type: "button", class: `button ${text.kind}` }, text.go);
    go.addEventListener("click", async () => {
      go.remove();
      bar.hidden = false;
      stop.onclick = null;
      stop.replaceWith(element("button", { type: "button", class: "button", onclick: () => leave.abort(new Error("stopped")) }, words.bulk.stop));
      const failed = await oneByOne(backups, work, leave.signal, (done) => {
        bar.value = done;
        replace(told, element("p", {}, words.bulk.done(done, backups.length)));
      });
      changed();
      replace(told, summary(backups.length, bar.value, failed, text));
      replace(actions, element("button", { type: "button", class: "button primary", onclick: () => close(true) }, words.close));
      actions.firstChild.focus();
    });
    const actions = element("div", { class: "actions end" }, stop, go);
    return element("div", {}, told, bar, actions);
  });
}

async function oneByOne(backups, work, signal, tell) {
  const failed = [];
  for (const [at, backup] of backups.entries()) {
    if (signal.aborted) break;
    tell(at);
    try {
      await attempt(() => work(backup, signal), signal);
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof Problem)) throw error;
      failed.push([backup, error]);
    }
    tell(at + 1);
  }
  return failed;
}

/** Sixty a minute are let through; more wait for their turn. */
async function attempt(work, signal) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error.code !== "rate_limited" || !error.retryAfter) throw error;
      await pause(error.retryAfter * 1000, signal);
    }
  }
}

function summary(all, done, failed, text) {
  const well = done - failed.length;
  return [notice(failed.length > 0 || done < all ? "warn" : "good", text.done(well, all)),
    failed.length > 0 && element("ul", { class: "failures" }, failed.map(([backup, error]) =>
      element("li", {}, element("strong", {}, backup.name), " ", error.message)))];
}
