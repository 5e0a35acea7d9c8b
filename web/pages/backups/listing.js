// Backups as a table, or as cards; on a narrow screen always as cards.

import { element } from "../../app/dom.js";
import { icon } from "../../app/icons.js";
import { kind, place, state, summary, ways } from "../../app/backups.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { Windowed, forms } from "./windowed.js";
import { words } from "../../words/en.js";

/** What a table needs, in pixels: a host may give less than the window has. */
const TABLE = 1104;

/** Whether there is room for all columns. */
export const fitsTable = () => document.querySelector(".rovodev").clientWidth >= TABLE;

/**
 * {view, fill(total, first), change(backup), sync()}: fill() where the view is in the page, sync() where `chosen`, which
 * holds what is marked, was changed elsewhere. `read(offset)` resolves with backups.
 */
export function listing({ wanted, chosen, marked, read, signal }) {
  const table = wanted !== "cards" && fitsTable();
  const places = new Map();
  const into = table ? element("table", { class: "table" }, head()) : element("div", { class: "rows cards", role: "list" });
  let total = 0;
  let pieces;
  const draw = (backup, at) => {
    places.set(backup.id, at);
    return (table ? row : card)(backup, mark(backup, chosen, marked), at, total);
  };
  return {
    view: table ? element("div", { class: "table-wrap" }, into) : into,
    fill(all, first) {
      total = all;
      if (table) into.setAttribute("aria-rowcount", all + 1);
      const form = table ? forms.table(into.rows[0].cells.length) : forms.cards();
      pieces = new Windowed({ into, total, first, form, read, draw, signal });
    },
    change: (backup) => places.has(backup.id) && pieces.change(places.get(backup.id), backup),
    sync() {
      for (const box of into.querySelectorAll("input[value]")) box.checked = chosen.has(box.value);
    },
  };
}

function mark(backup, chosen, marked) {
  // A viewer could do nothing with many.
  if (!may("operator")) return null;
  return element("input", {
    type: "checkbox", value: backup.id, checked: chosen.has(backup.id), "aria-label": words.list.choose(backup.name),
    onchange: (event) => {
      if (event.target.checked) chosen.set(backup.id, backup);
      else chosen.delete(backup.id);
      marked();
    },
  });
}

function head() {
  const { columns } = words.list;
  const heads = [columns.name, columns.created, columns.kind, columns.size, columns.records, columns.status];
  return element("thead", {}, element("tr", {}, may("operator") && element("th", { scope: "col" }, element("span", { class: "hidden" }, columns.choose)),
    heads.map((text) => element("th", { scope: "col" }, text)), element("th", { scope: "col" }, element("span", { class: "hidden" }, columns.actions))));
}

function row(backup, box, at) {
  const done = backup.status === "completed";
  // The first one is the head.
  return element("tr", { "aria-rowindex": at + 2 }, box && element("td", { class: "mark" }, box),
    element("th", { scope: "row" }, element("a", { href: place(backup) }, backup.name), backup.pinned && pinned(),
      backup.note && element("span", { class: "note soft" }, backup.note)),
    element("td", {}, format.fullMoment(backup.createdAt)), element("td", {}, kind(backup)),
    element("td", { class: "number" }, done ? format.size(backup.size) : words.none),
    element("td", { class: "number" }, done && backup.metadata.records !== null ? format.count(backup.metadata.records) : words.none),
    element("td", {}, state(backup), backup.verifiedAt && verified(backup)),
    element("td", {}, element("div", { class: "actions" }, ways(backup).slice(1))));
}

function card(backup, box, at, total) {
  return element("div", { class: "row", role: "listitem", "aria-posinset": at + 1, "aria-setsize": total }, element("div", { class: "row-main" }, box && element("label", { class: "mark" }, box), element("div", {}, summary(backup),
    backup.note && element("span", { class: "note soft" }, backup.note))),
  element("div", {}, state(backup), backup.verifiedAt && verified(backup)), element("div", { class: "actions" }, ways(backup)));
}

const pinned = () => element("span", { class: "pinned", title: words.pinned }, icon("pin"), element("span", { class: "hidden" }, words.pinned));
const verified = (backup) => element("span", { class: "verified soft" }, icon("shield"), words.verified, " ", format.moment(backup.verifiedAt));
