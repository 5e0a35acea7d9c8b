// Making a channel, and changing one.

import { call } from "../../app/api.js";
import { form, secretDialog } from "../../app/dialog.js";
import { element, freshId, replace } from "../../app/dom.js";
import { field, toast } from "../../app/parts.js";
import { words } from "../../words/en.js";

/** What most people want to be told of. */
const USUAL = ["backup.failed", "backup.overdue", "restore.failed"];
const KINDS = ["email", "slack", "webhook", "ping"];

/** Resolves with true where something was saved. */
export async function edit(channel, { kinds, schedules }) {
  const possible = kinds.filter(({ kind }) => KINDS.includes(kind)).sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
  const known = (kind) => kinds.find((each) => each.kind === kind);
  let kind = channel ? known(channel.kind) : possible.find((each) => each.available) ?? possible[0];
  const name = element("input", { id: freshId("name"), maxlength: 100, required: true, autocomplete: "off", value: channel?.name ?? "" });
  const target = element("input", { id: freshId("target"), maxlength: 2000, required: !channel, autocomplete: "off", spellcheck: "false" });
  const about = element("select", { id: freshId("about") }, element("option", { value: "" }, words.channels.everything),
    schedules.map((each) => element("option", { value: each.id, selected: each.id === channel?.scheduleId }, each.name)));
  const events = element("fieldset", { class: "checks" });
  const where = element("div", {});
  const draw = () => {
    name.placeholder = words.channels.names[kind.kind];
    target.type = kind.needs === "url" ? "url" : "text";
    const hint = [words.channels.targetHints[kind.kind], channel && words.channels.kept].filter(Boolean).join(" ");
    replace(where, kind.needs !== "subscription" && field(words.channels.target[kind.kind], target, hint));
    const chosen = channel?.events ?? (kind.kind === "ping" ? ["backup.succeeded"] : USUAL);
    replace(events, element("legend", {}, words.channels.events), kind.events.map((value) => element("label", { class: "check" },
      element("input", { type: "checkbox", value, checked: chosen.includes(value) }), element("span", {}, words.channels.eventNames[value] ?? value))),
    element("p", { class: "hint" }, words.channels.recovered));
  };
  const choices = !channel && element("fieldset", { class: "choices" }, element("legend", {}, words.channels.kind), possible.map((each) =>
    element("label", { class: "choice" },
      element("input", {
        type: "radio", name: "kind", checked: each === kind, disabled: !each.available, onchange: () => {
          kind = each;
          draw();
        },
      }),
      element("span", {}, element("strong", {}, words.channels.kinds[each.kind]),
        element("span", { class: "soft" }, each.available ? words.channels.kindTexts[each.kind] : words.channels.unavailable)))));
  draw();
  let made;
  const send = async () => {
    const body = { name: name.value.trim(), events: [...events.querySelectorAll("input:checked")].map((each) => each.value) };
    const given = target.value.trim();
    if (given) body.target = given;
    if (channel) body.scheduleId = about.value || null;
    else if (about.value) body.scheduleId = about.value;
    made = channel ? await call("PATCH", "/workspace/channels", { query: { id: channel.id }, body })
      : await call("POST", "/workspace/channels", { body: { kind: kind.kind, ...body } });
  };
  const done = await form(channel ? words.channels.title(channel.name) : words.channels.add,
    [choices, field(words.channels.name, name), where, schedules.length > 0 && field(words.channels.about, about), events],
    { submit: channel ? words.save : words.channels.make, send });
  if (!done) return false;
  toast((channel ? words.channels.saved : words.channels.made)(made.channel.name));
  if (made.secret) await secretDialog(words.channels.secretTitle, words.channels.secretText, made.secret);
  return true;
}
