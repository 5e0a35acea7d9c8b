// Parts that several pages show.

import { element, replace } from "./dom.js";
import { Problem } from "./api.js";
import { icon } from "./icons.js";
import { words } from "../words/en.js";

const STATUS = {
  completed: ["good", "check"], failed: ["bad", "cross"], cancelled: ["quiet", "minus"], pending: ["busy", "clock"],
  in_progress: ["busy", "busy"], done: ["good", "check"], refused: ["warn", "alert"],
};

/** A state by picture and word. */
export function badge(status, text = words.status[status]) {
  const [tone, picture] = STATUS[status] ?? ["quiet", "info"];
  return element("span", { class: `badge ${tone}` }, icon(picture), text);
}

const PICTURES = { bad: "cross", warn: "alert", info: "info", good: "check" };

/** Something to know, and what can be done about it. */
export function notice(tone, text, ...ways) {
  return element("div", { class: `notice ${tone}`, role: tone === "bad" ? "alert" : null },
    icon(PICTURES[tone]),
    element("div", { class: "notice-text" }, typeof text === "string" ? element("p", {}, text) : text,
      ways.length > 0 && element("div", { class: "actions" }, ways)));
}

/** What went wrong, in words, with the number to quote and a way to try again. */
export function failure(error, again) {
  if (!(error instanceof Problem)) throw error;
  const button = again && element("button", { type: "button", class: "button try-again", onclick: () => again() }, icon("restore"), words.tryAgain);
  if (button && error.retryAfter) waitFor(button, error.retryAfter);
  return notice("bad", element("div", {},
    element("p", {}, element("strong", {}, error.message)),
    error.hint && element("p", {}, error.hint),
    error.requestId && error.status >= 500 && element("p", { class: "soft" }, words.requestId, element("code", {}, error.requestId))),
  button);
}

/** Does `work` while the button that began it is out of use; what goes wrong is told in `box`. */
export async function attempt(pressed, box, work) {
  pressed.disabled = true;
  replace(box);
  try {
    await work();
  } catch (error) {
    replace(box, failure(error));
  }
  pressed.disabled = false;
}

function waitFor(button, seconds) {
  const text = button.lastChild;
  button.disabled = true;
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    text.data = left > 0 ? words.tryAgainIn(left) : words.tryAgain;
    if (left > 0 && (button.isConnected || left > seconds - 2)) setTimeout(tick, 500);
  };
  tick();
}

/** What takes a role that the caller does not have. */
export function notYours(title, needed, own, tenantName) {
  return [element("h1", { tabindex: "-1" }, title),
    notice("info", words.roles.needed(words.roles[needed], words.roles[own] ?? words.roles.none, tenantName),
      element("a", { class: "button", href: "#/" }, words.nowhere.home))];
}

/** Grey lines where something will be, of the size that it will have. */
export function skeleton(kind, times = 1) {
  const one = () => element("div", { class: `skeleton ${kind}` });
  return element("div", { class: "skeletons", "aria-hidden": "true" }, Array.from({ length: times }, one));
}

export function button(text, picture, onclick, { kind = "", ...attributes } = {}) {
  return element("button", { type: "button", class: `button ${kind}`, onclick, ...attributes }, picture && icon(picture), text);
}

export function link(text, picture, href, { kind = "", ...attributes } = {}) {
  return element("a", { class: `button ${kind}`, href, ...attributes }, picture && icon(picture), text);
}

/** A label, its field, and a hint below. */
export function field(text, input, hint) {
  const described = hint && `${input.id}-hint`;
  if (described) input.setAttribute("aria-describedby", described);
  return element("div", { class: "field" },
    element("label", { for: input.id }, text), input, hint && element("p", { class: "hint", id: described }, hint));
}

/** Terms and what they are here. */
export function facts(...rows) {
  return element("dl", { class: "facts" }, rows.filter(Boolean).map(([term, ...told]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, told))));
}

/** A box with a heading. */
export function section(title, ...children) {
  const id = `section-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return element("section", { class: "section", "aria-labelledby": id }, element("h2", { id }, title), children);
}

const SHOWN = { good: 5000, bad: 10_000 };

/** A short word that is read out and goes away. */
export function toast(text, tone = "good") {
  const made = element("div", { class: `toast ${tone}` }, icon(PICTURES[tone]), text,
    element("button", { type: "button", class: "button bare", "aria-label": words.close, onclick: () => made.remove() }, icon("cross")));
  document.querySelector(".rovodev .toasts").append(made);
  setTimeout(() => made.remove(), SHOWN[tone]);
}
