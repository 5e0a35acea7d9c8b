// Coming in and going out.

import assert from "node:assert/strict";
import test from "node:test";
import { button, heading, seen, visit } from "./browser.mjs";
import { admin, customer, password, stranger, url } from "./stack.mjs";

async function typed(page, email, secret) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(secret);
  await button(page, "Sign in").click();
}

test("a password signs in, a wrong one is told, and where one wanted to go is kept", () => visit(null, async (page) => {
  await heading(page, "Sign in").waitFor();
  await seen(page, "sign-in");
  await typed(page, admin, "wrong");
  await page.getByText("This email and password do not fit together.").waitFor();
  await seen(page, "sign-in-wrong");
  assert.equal(await page.getByLabel("Email").inputValue(), admin);
  await typed(page, admin, password);
  await heading(page, "Activity").waitFor();
}, { path: "/activity", expected: [/status of 400/] }));

test("a link in a mail signs in once", () => visit(null, async (page, context) => {
  await page.getByLabel("Email").fill(customer);
  await button(page, "Email me a link instead").click();
  await page.getByText(`We sent a link to ${customer}`).waitFor();
  await seen(page, "sign-in-link");
  const mails = await (await fetch(`${url}/auth/v1/mails`)).json();
  const { link: sent } = mails.findLast((mail) => mail.to === customer);
  await page.goto(sent);
  await heading(page, "Backups").waitFor();
  assert.equal(new URL(page.url()).search, "");
  const other = await context.newPage();
  await other.goto(sent);
  // The session of this browser is there all the same.
  await heading(other, "Backup management").waitFor();
}, { path: "/backups" }));

test("an account elsewhere signs in, and may refuse", () => visit(null, async (page) => {
  await button(page, "Continue with Demo").click();
  await button(page, "Refuse").click();
  await page.getByText("You were not signed in there.").waitFor();
  await seen(page, "sign-in-refused");
  assert.doesNotMatch(page.url(), /error/);
  await button(page, "Continue with Demo").click();
  await page.getByLabel("Account").fill(admin);
  await button(page, "Agree").click();
  await heading(page, "Activity").waitFor();
  assert.equal(new URL(page.url()).search, "");
}, { path: "/activity" }));

test("a link that was used before says so", () => visit(null, async (page) => {
  await page.goto(`${url}/auth/v1/verify?token=used&type=magiclink`);
  await page.getByText("This link has expired or was used before.").waitFor();
  await page.getByLabel("Email").fill("nobody@example.com");
  await button(page, "Email me a link instead").click();
  await page.getByText("There is no account with this email.").waitFor();
}, { expected: [/status of 422/] }));

test("signing out ends every tab, and what they showed is gone", () => visit(admin, async (page, context) => {
  await heading(page, "Backups").waitFor();
  const other = await context.newPage();
  await other.goto(`${url}/#/create`);
  await other.getByLabel("Name (optional)").waitFor();
  await page.locator(".account-button").click();
  await seen(page, "account");
  await button(page, "Sign out").click();
  await heading(page, "Sign in").waitFor();
  await heading(other, "Sign in").waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem("sb-127-auth-token")), null);
}, { path: "/backups" }));

test("who belongs to no tenant is told so", () => visit(stranger, async (page) => {
  await heading(page, "No backups for you here").waitFor();
  await seen(page, "stranger");
}));

test("light and dark are chosen, and kept", () => visit(null, async (page) => {
  await button(page, "Dark colours").click();
  await seen(page, "sign-in-chosen-dark");
  await page.reload();
  await button(page, "Light colours").waitFor();
  const ground = await page.evaluate(() => getComputedStyle(document.querySelector(".rovodev")).backgroundColor);
  assert.equal(ground, "rgb(17, 20, 24)");
}));
