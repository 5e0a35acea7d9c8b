// Who is told of what.

import { Problem, get } from "../app/api.js";
import { element, replace } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { button, failure, notYours, skeleton } from "../app/parts.js";
import * as questions from "../app/questions.js";
import { may, tenant } from "../app/workspace.js";
import { edit } from "./settings/edit.js";
import { row } from "./settings/row.js";
import { browser } from "./settings/push.js";
import { words } from "../words/en.js";

export default async function page({ show, signal }) {
  const { role, name: owner } = tenant();
  if (!may("operator")) {
    show(notYours(words.titles.settings, "operator", role, owner));
    return;
  }
  const body = element("div", { class: "stack" }, skeleton("row", 3));
  const add = button(words.channels.add, "plus", () => begin(), { kind: "primary" });
  let told;
  const draw = async () => {
    try {
      const [listed, { schedules }] = await Promise.all([
        get(questions.channels, signal), get(questions.schedules, signal),
      ]);
      told = { ...listed, schedules };
      add.disabled = false;
      replace(body, list(told), await browser(told, draw));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      replace(body, failure(error, draw));
    }
  };
  const begin = async () => (await edit(null, told)) && draw();
  const list = ({ channels, schedules, kinds }) => (channels.length > 0
    ? element("ul", { class: "rows cards" }, channels.map((channel) => row(channel, { schedules, kinds, draw, signal }))) : empty(begin));
  add.disabled = true;
  show(element("div", { class: "page-head" }, element("h1", { tabindex: "-1" }, words.titles.settings), may("admin") && add),
    element("p", { class: "lead" }, words.channels.text), body);
  await draw();
}

function empty(begin) {
  return element("div", { class: "empty" }, icon("bell", "icon large"), element("h2", {}, words.channels.none),
    element("p", {}, words.channels.noneText), may("admin") && button(words.channels.first, "plus", begin, { kind: "primary" }));
}
