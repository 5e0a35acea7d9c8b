// What a role may not do is not offered, and says why where somebody goes there all the same.

import assert from "node:assert/strict";
import test, { before, beforeEach } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { backedUp, customer, operator, rested, sql, url, viewer } from "./stack.mjs";

let backup;
before(async () => {
  backup = await backedUp("seen by everybody");
});
beforeEach(rested);

test("a viewer looks, and nothing more", () => visit(viewer, async (page) => {
  await link(page, "View: seen by everybody").waitFor();
  for (const name of [/Create/, /Restore/]) assert.equal(await link(page, name).count(), 0, name);
  assert.equal(await button(page, /Download/).count(), 0);
  await seen(page, "home-viewer");
  await page.goto(`${url}/#/backups/${backup}`);
  await page.getByText("Never restored.").waitFor();
  for (const name of ["Edit", "Pin", "Delete", "Download"]) assert.equal(await button(page, name).count(), 0, name);
  await page.goto(`${url}/#/create`);
  await page.getByText("This takes the role operator; yours is viewer. An admin of AI Call Center can change it.").waitFor();
  await seen(page, "create-viewer");
  await page.goto(`${url}/#/restore?backup=${backup}`);
  await page.getByText(/This takes the role admin/).waitFor();
}));

test("an operator takes backups, and restores none", () => visit(operator, async (page) => {
  await link(page, "Create backup").waitFor();
  assert.equal(await link(page, /Restore/).count(), 0);
  await page.goto(`${url}/#/backups/${backup}`);
  await button(page, "Pin").waitFor();
  assert.equal(await button(page, "Delete").count(), 0);
}));

test("a customer sees its own rows and nothing of the project", () => visit(customer, async (page) => {
  await page.getByText("Northwind Dental").first().waitFor();
  await page.getByText("Connected").waitFor();
  assert.equal(await page.getByText("Deployment").count(), 0);
  await page.goto(`${url}/#/backups/${backup}`);
  await heading(page, "No such backup").waitFor();
  await seen(page, "backup-gone");
  await page.goto(`${url}/#/create`);
  await page.getByText("A consistent copy of all records of Northwind Dental.", { exact: false }).waitFor();
}, { expected: [/status of 404/] }));

test("who belongs to several tenants goes from one to the other", () => {
  sql(`INSERT INTO rovodev_members (tenant_id, user_id, role, email) SELECT t.id, u.id, 'viewer', u.email
    FROM rovodev_tenants t, auth.users u WHERE t.slug = 'northwind-dental' AND u.email = '${operator}'`);
  return visit(operator, async (page) => {
    await page.locator(".account-button").click();
    await page.getByLabel("Show the backups of").selectOption("Northwind Dental");
    await page.getByText("As soon as somebody of Northwind Dental takes a backup, it is here.").waitFor();
    await page.reload();
    await page.getByText("As soon as somebody of Northwind Dental takes a backup, it is here.").waitFor();
    await seen(page, "home-other-tenant");
  }).finally(() => sql("DELETE FROM rovodev_members WHERE role = 'viewer' AND email = '" + operator + "'"));
});
