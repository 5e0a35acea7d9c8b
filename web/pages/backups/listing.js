// Backups as a table, or as cards; on a narrow screen always as cards.

import { element } from "../../app/dom.js";
import { icon } from "../../app/icons.js";
import { kind, place, state, summary, ways } from "../../app/backups.js";
import { may } from "../../app/workspace.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

/** What a table needs, in pixels: a host may give less than the window has. */
const TABLE = 1104;

/** {view, add(backups), change(backup), unmark()}; `chosen` holds what is marked. */
export function listing(wanted, chosen, marked) {
  const shown = new Map();
  const table = wanted !== "cards" && document.querySelector(".rovodev").clientWidth >= TABLE;
  const rows = element(table ? "tbody" : "ul", table ? {} : { class: "rows cards" });
  const draw = (backup) => (table ? row : card)(backup, mark(backup, chosen, marked));
  return {
    view: table ? element("div", { class: "table-wrap" }, element("table", { class: "table" }, head(), rows)) : rows,
    add(backups) {
      const made = backups.map((backup) => {
        const drawn = draw(backup);
        shown.set(backup.id, drawn);
        return drawn;
      });
      rows.append(...made);
    },
    change(backup) {
      const drawn = draw(backup);
      shown.get(backup.id)?.replaceWith(drawn);
      shown.set(backup.id, drawn);
    },
    unmark() {
      for (const box of rows.querySelectorAll("input:checked")) box.checked = false;
    },
  };
}

function mark(backup, chosen, marked) {
  // A viewer could do nothing with many.
  if (!may("operator")) return null;
  return element("input", {
    type: "checkbox", checked: chosen.has(backup.id), "aria-label": words.list.choose(backup.name),
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

function row(backup, box) {
  const done = backup.status === "completed";
  return element("tr", {}, box && element("td", { class: "mark" }, box),
    element("th", { scope: "row" }, element("a", { href: place(backup) }, backup.name), backup.pinned && pinned(),
      backup.note && element("span", { class: "note soft" }, backup.note)),
    element("td", {}, format.fullMoment(backup.createdAt)), element("td", {}, kind(backup)),
    element("td", { class: "number" }, done ? format.size(backup.size) : words.none),
    element("td", { class: "number" }, done && backup.metadata.records !== null ? format.count(backup.metadata.records) : words.none),
    element("td", {}, state(backup), backup.verifiedAt && verified(backup)),
    element("td", {}, element("div", { class: "actions" }, ways(backup).slice(1))));
}

function card(backup, box) {
  return element("li", { class: "row" }, element("div", { class: "row-main" }, box && element("label", { class: "mark" }, box), element("div", {}, summary(backup),
    backup.note && element("span", { class: "note soft" }, backup.note))),
  element("div", {}, state(backup), backup.verifiedAt && verified(backup)), element("div", { class: "actions" }, ways(backup)));
}

const pinned = () => element("span", { class: "pinned", title: words.pinned }, icon("pin"), element("span", { class: "hidden" }, words.pinned));
const verified = (backup) => element("span", { class: "verified soft" }, icon("shield"), words.verified, " ", format.moment(backup.verifiedAt));
