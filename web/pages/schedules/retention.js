// How long backups are kept: fields, the same in words, and what it would do.

import { element, freshId } from "../../app/dom.js";
import { badge } from "../../app/parts.js";
import { place } from "../../app/backups.js";
import * as format from "../../app/format.js";
import { words } from "../../words/en.js";

const RULES = ["keepLast", "keepHourly", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly", "keepDays"];
/** Of a new policy. */
const USUAL = { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 };
/** What is shown of a preview: the newest, and the newest that would go. */
const SHOWN = 100;

export const keepsAll = (policy) => RULES.every((name) => !policy[name]);

/** "Keeps 7 daily, 4 weekly" */
export function summary(policy) {
  if (keepsAll(policy)) return words.retention.all;
  return words.retention.keeps(RULES.filter((name) => policy[name]).map((name) => words.retention.short[name](format.count(policy[name]), policy[name])));
}

/** {view, policy()}; `changed` is called with every change. */
export function fields(policy, changed) {
  const inputs = new Map(RULES.map((name) => [name, element("input", {
    id: freshId(name), type: "number", min: 1, max: 36_500, inputmode: "numeric", value: policy[name] ?? "", oninput: changed,
  })]));
  const usual = () => {
    if ([...inputs.values()].every((input) => !input.value)) for (const [name, value] of Object.entries(USUAL)) inputs.get(name).value = value;
  };
  const rules = element("div", { class: "rules", hidden: keepsAll(policy) }, RULES.map((name) => element("div", { class: "field" },
    element("label", { for: inputs.get(name).id }, words.retention.rules[name]), inputs.get(name))),
  element("p", { class: "hint" }, words.retention.hint));
  const expire = element("input", {
    type: "checkbox", checked: !keepsAll(policy), onchange: () => {
      rules.hidden = !expire.checked;
      if (expire.checked) usual();
      changed();
    },
  });
  return {
    view: element("fieldset", { class: "choices" }, element("legend", {}, words.retention.title),
      element("label", { class: "check" }, expire, element("span", {}, words.retention.expire)), rules),
    policy: () => Object.fromEntries(expire.checked
      ? [...inputs].filter(([, input]) => input.value).map(([name, input]) => [name, Number(input.value)]) : []),
  };
}

/** What a policy would do with the backups that are there. */
export function previewed({ keeps, expires, backups }) {
  if (backups.length === 0) return element("p", { class: "soft" }, words.retention.noneYet);
  const gone = backups.filter((each) => !each.keep);
  return [element("p", {}, element("strong", {}, words.retention.counts(format.count(keeps), format.count(expires), expires))),
    gone.length > 0 && fold(words.retention.going, gone), fold(words.retention.staying, backups.filter((each) => each.keep))];
}

function fold(title, backups) {
  if (backups.length === 0) return null;
  return element("details", { class: "fold" }, element("summary", {}, title(format.count(backups.length))),
    element("ul", { class: "rows decided" }, backups.slice(0, SHOWN).map((backup) => element("li", { class: "row" },
      element("div", { class: "row-main" }, element("a", { href: place(backup) }, backup.name),
        element("span", { class: "row-facts" }, format.exact(backup.createdAt), " · ",
          backup.reasons.map((reason) => words.retention.reasons[reason.code] ?? reason.text).join(", "))),
      backup.status !== "completed" && badge(backup.status)))),
    backups.length > SHOWN && element("p", { class: "soft" }, words.retention.more(format.count(backups.length - SHOWN))));
}
