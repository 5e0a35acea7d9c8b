// A channel: what it tells whom, how that went, and what can be done with it.

import { Problem, call } from "../../app/api.js";
import { form, secretDialog } from "../../app/dialog.js";
import { element, replace } from "../../app/dom.js";
import { icon } from "../../app/icons.js";
import { attempt, badge, button, failure, notice, toast } from "../../app/parts.js";
import { address } from "../../app/router.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { edit } from "./edit.js";
import { words } from "../../words/en.js";

const PAGE = 20;
const STATES = { waiting: "pending", delivered: "completed", failed: "failed" };

export function row(channel, { schedules, kinds, draw, signal }) {
  const { id, name, kind, target, events, scheduleId, enabled, failuresInARow, mine } = channel;
  const may_ = may("admin") || (kind === "push" && mine);
  const told = element("div", { "aria-live": "polite" });
  const about = schedules.find((each) => each.id === scheduleId);
  const named = (text) => ({ "aria-label": `${text}: ${name}` });
  const at = (text, picture, work, rest = {}) => button(text, picture, (event) => attempt(event.currentTarget, told, work), { ...named(text), ...rest });
  return element("li", { class: "row schedule" },
    element("div", { class: "section-head" },
      element("h2", { class: "row-name" }, icon("bell"), element("span", { class: "name" }, name)),
      element("div", { class: "actions" }, !enabled && badge("off", words.channels.isOff), failuresInARow > 0 && badge("failed", words.channels.failing(failuresInARow)))),
    element("div", {},
      element("p", {}, words.channels.kinds[kind], element("span", { class: "soft" }, ` · ${target}`)),
      element("p", { class: "soft" }, events.map((event) => words.channels.eventNames[event] ?? event).join(" · ")),
      about && element("p", { class: "soft" }, words.channels.about, ": ", about.name)),
    log(channel, signal), told,
    may_ && element("div", { class: "actions" },
      at(words.channels.test, null, () => test(channel, told)),
      may("admin") && kind !== "push" && button(words.channels.edit, "pencil", async () => (await edit(channel, { kinds, schedules })) && draw(), named(words.channels.edit)),
      kind === "webhook" && may("admin") && at(words.channels.newSecret, "key", () => renew(channel)),
      at(enabled ? words.channels.off : words.channels.on, null, async () => {
        await call("PATCH", "/workspace/channels", { query: { id }, body: { enabled: !enabled } });
        await draw();
      }),
      button(words.actions.remove, "trash", async () => (await remove(channel)) && draw(), { kind: "danger", ...named(words.actions.remove) })));
}

async function test({ id, name }, told) {
  const { delivered, reason, answer } = await call("POST", "/workspace/channels", { body: { test: id } });
  if (delivered) toast(words.channels.tested(name));
  else {
    replace(told, notice("bad", element("div", {}, element("p", {}, element("strong", {}, words.channels.notTested)),
      element("p", {}, reason), answer && element("p", { class: "soft" }, words.channels.answered(answer)))));
  }
}

async function renew({ id, name }) {
  let made;
  const send = async () => {
    made = await call("PATCH", "/workspace/channels", { query: { id }, body: { newSecret: true } });
  };
  const done = await form(words.channels.title(name), [element("p", {}, words.channels.newSecretText)], { submit: words.channels.newSecret, send });
  if (done) await secretDialog(words.channels.secretTitle, words.channels.secretText, made.secret);
}

async function remove({ id, name }) {
  const done = await form(words.channels.removeTitle, [element("p", {}, words.channels.removeText)], {
    submit: words.actions.remove, kind: "danger", send: () => call("DELETE", "/workspace/channels", { query: { id } }),
  });
  if (done) toast(words.channels.removed(name));
  return done;
}

/** The last ones at once, older ones when somebody asks. */
function log({ id, deliveries }, signal) {
  const list = element("ul", { class: "rows decided" });
  const box = element("div", {});
  const more = element("div", { class: "more" });
  const add = (found) => {
    list.append(...found.map(delivery));
    replace(box, list.childElementCount > 0 ? list : element("p", { class: "soft" }, words.channels.nothing));
  };
  const next = async (cursor) => {
    try {
      const page = await call("GET", "/workspace/channels", { query: { id, show: "deliveries", limit: PAGE, cursor }, signal });
      if (!cursor) replace(list);
      add(page.deliveries);
      replace(more, page.nextCursor && button(words.channels.more, null, () => next(page.nextCursor)));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      replace(more, failure(error, () => next(cursor)));
    }
  };
  add(deliveries);
  return element("details", { class: "fold", ontoggle: (event) => event.target.open && next() },
    element("summary", {}, words.channels.log), box, more);
}

function delivery({ at, event, test, state, attempts, nextAttemptAt, reason, backupId, about }) {
  return element("li", { class: "row" },
    element("div", { class: "row-main" },
      element("span", {}, words.channels.eventNames[event] ?? event, test && ` (${words.channels.isTest})`,
        about && [": ", backupId ? element("a", { href: address(`/backups/${backupId}`) }, about) : about]),
      element("span", { class: "row-facts" }, format.exact(at), attempts > 1 && ` · ${words.channels.attempts(attempts)}`,
        nextAttemptAt && [" · ", words.channels.again, " ", format.ago(nextAttemptAt)], reason && ` · ${reason}`)),
    badge(STATES[state], words.channels.states[state]));
}
