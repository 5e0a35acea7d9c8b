// Signing in: with a password, by a link in a mail, or with a provider that the project has.

import { element, replace } from "./dom.js";
import { config } from "./config.js";
import { dialog } from "./dialog.js";
import { field, notice } from "./parts.js";
import * as session from "./session.js";
import { words } from "../words/en.js";

export async function signInPage(frame, app, problem) {
  const { providers } = await config();
  frame.show(element("div", { class: "sign-in" },
    element("h1", { tabindex: "-1" }, words.signIn.title),
    element("p", { class: "soft" }, words.signIn.text(app)),
    problem && notice("bad", words.signIn.problems[problem.code] ?? words.signIn.problems.link),
    signInForm(providers, () => {})));
  frame.main.querySelector("input").focus();
}

/** Over the page, which stays as it is; cannot be dismissed, for nothing goes on without it. */
export async function signInDialog() {
  const { providers } = await config();
  return dialog(words.signIn.again, (close) => {
    // A mailed link or a provider signs in by another tab.
    session.onEntered(close);
    return element("div", {}, element("p", {}, words.signIn.againText), signInForm(providers, close, true));
  }, { dismissible: false, kind: "opaque" });
}

function signInForm(providers, done, stays = false) {
  const email = element("input", { id: "sign-in-email", type: "email", autocomplete: "username", required: true });
  const password = element("input", { id: "sign-in-password", type: "password", autocomplete: "current-password" });
  const told = element("div", { "aria-live": "polite" });
  const buttons = [];
  const attempt = (work, well) => async () => {
    buttons.forEach((each) => (each.disabled = true));
    replace(told);
    const error = await work().catch((thrown) => thrown);
    buttons.forEach((each) => (each.disabled = false));
    if (error) replace(told, notice("bad", explain(error)));
    else well();
  };
  const byPassword = attempt(() => session.signInWithPassword(email.value, password.value), done);
  const byLink = attempt(() => session.sendLink(email.value), () => replace(told, notice("good", words.signIn.sent(email.value))));
  const submitted = (event) => {
    event.preventDefault();
    if (password.value) return byPassword();
    replace(told, notice("bad", words.signIn.noPassword));
    password.focus();
  };
  const asked = () => (email.reportValidity() ? byLink() : email.focus());
  buttons.push(
    element("button", { class: "button primary wide" }, words.signIn.go),
    element("button", { type: "button", class: "button wide", onclick: asked }, words.signIn.link),
    ...providers.map((name) => element("button", { type: "button", class: "button wide", onclick: attempt(() => session.signInWith(name, stays), () => {}) },
      words.signIn.provider(name.charAt(0).toUpperCase() + name.slice(1)))));
  return element("form", { class: "stack", onsubmit: submitted },
    field(words.signIn.email, email), field(words.signIn.password, password), told, buttons);
}

function explain(error) {
  if (error.name === "AuthRetryableFetchError") return words.problems.auth_unreachable;
  return words.signIn.problems[error.code] ?? words.signIn.problems.other;
}
