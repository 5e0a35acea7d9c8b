// Schedules: made, looked at, changed, run and deleted, as people do it.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { admin, call, customer, rested, sql, viewer } from "./stack.mjs";

beforeEach(() => {
  rested();
  sql("DELETE FROM backup_schedules");
});

const make = (name, rest = {}) => call(admin, "POST", "/schedules", { name, cron: "0 2 * * *", timezone: "Europe/Berlin", ...rest });

test("a first schedule is made by the simple form, and says when it runs before it is saved", async () => {
  await visit(admin, async (page) => {
    await page.getByText("No schedule yet").waitFor();
    await seen(page, "schedules-none");
    await link(page, /Make the first schedule/).click();
    await heading(page, "New schedule").waitFor();
    await page.getByText("Next runs (Europe/Berlin)").waitFor();
    assert.equal(await page.locator(".runs li").count(), 5);
    await page.getByLabel("Name").fill("Daily Backup");
    await page.getByLabel("How often").selectOption("Every week");
    await page.getByLabel("Wednesday").check();
    await page.getByLabel("At", { exact: true }).fill("03:30");
    await page.locator(".runs li").filter({ hasText: "Wed" }).first().waitFor();
    await page.getByLabel("Time zone").fill("Mars/Olympus");
    await page.getByText("no time zone").waitFor();
    await seen(page, "schedule-new-wrong");
    await page.getByLabel("Time zone").fill("America/New_York");
    await page.getByText("Next runs (America/New_York)").waitFor();
    await page.getByLabel("How often").selectOption("By cron text");
    assert.equal(await page.getByLabel("Cron text").inputValue(), "30 3 * * 1,3");
    await seen(page, "schedule-new");
    await button(page, "Make the schedule").click();
    await page.getByText("Daily Backup is made.").waitFor();
    await page.getByText("Monday, Wednesday at 03:30").waitFor();
    await page.getByText("keeps 7 daily, 4 weekly, 12 monthly").waitFor();
    await seen(page, "schedules");
  }, { path: "/schedules", expected: [/400/] });
  const { schedules } = await call(admin, "GET", "/schedules");
  assert.deepEqual(schedules.map(({ name, cron, timezone, trigger, type, compress }) => ({ name, cron, timezone, trigger, type, compress })),
    [{ name: "Daily Backup", cron: "30 3 * * 1,3", timezone: "America/New_York", trigger: "cron", type: "full", compress: true }]);
});

test("run now leads to the backup; the schedule tells how it went, is switched off and on, and is deleted", async () => {
  await make("Nightly");
  await visit(admin, async (page) => {
    await button(page, "Run now: Nightly").click();
    await heading(page, /^Backup: Nightly/).waitFor();
    await page.getByText("Never restored.").waitFor();
    await link(page, "Schedules").click();
    await link(page, "Last run").waitFor();
    await button(page, "Switch off: Nightly").click();
    await page.getByText("Nightly is off.").waitFor();
    await button(page, "Switch on: Nightly").waitFor();
    assert.equal(await page.getByText("Next:").count(), 0);
    await seen(page, "schedules-off");
    await button(page, "Switch on: Nightly").click();
    await page.getByText("Next:").waitFor();
    await link(page, "Edit: Nightly").click();
    await heading(page, "Schedule: Nightly").waitFor();
    await button(page, "Delete").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Nightly is deleted.").waitFor();
    await page.getByText("No schedule yet").waitFor();
  }, { path: "/schedules" });
});

test("what a policy would let expire is told before it is saved, with reasons", async () => {
  const { id } = await make("Kept", { retention: { keepLast: 40 } });
  sql(`INSERT INTO backups (tenant_id, schedule_id, trigger, name, backup_path, backup_type, status, manifest_key, finished_at, created_at, size_bytes, components, tables, records, files)
    SELECT t.id, '${id}', 'scheduled', 'kept ' || n, 'x', 'database', 'completed', 'x', now(), now() - make_interval(days => n), n * 1000, '["database"]', 6, n, 0
    FROM rovodev_tenants t, generate_series(1, 30) n WHERE slug = 'default'`);
  await visit(admin, async (page) => {
    await page.getByText("All 30 backups stay.").waitFor();
    await page.getByLabel("The last").fill("5");
    await page.getByText("5 stay, 25 would expire.").waitFor();
    await page.getByText("Would expire (25)").click();
    await page.getByRole("link", { name: "kept 6", exact: true }).waitFor();
    await page.getByText("no rule keeps it").first().waitFor();
    await page.getByText("Stay (5)").click();
    await page.getByText("one of the last, the last good one").or(page.getByText("the last good one, one of the last")).waitFor();
    await seen(page, "schedule-expires");
    await button(page, "Save").click();
    await page.getByText("Kept is saved.").waitFor();
  }, { path: `/schedules/${id}` });
  assert.deepEqual((await call(admin, "GET", `/schedules?id=${id}`)).retention, { keepLast: 5 });
  sql(`DELETE FROM backups WHERE schedule_id = '${id}'`);
});

test("home tells what is scheduled, what is due first, and what runs by hand alone", async () => {
  await make("Daily Backup");
  await make("Pre-Deploy Backup", { cron: undefined, trigger: "manual" });
  await visit(admin, async (page) => {
    const panel = page.getByRole("region", { name: "Scheduled backups" });
    await panel.getByText("Daily Backup (02:00) • Next: in").waitFor();
    await panel.getByText("Pre-Deploy Backup • Manual trigger only").waitFor();
    assert.match(await panel.getByRole("listitem").first().innerText(), /Daily/);
    await seen(page, "home-scheduled");
  });
});

test("who may not change schedules is not offered it, and told why on a direct visit", async () => {
  const { id } = await make("Nightly");
  await visit(viewer, async (page) => {
    await page.getByText("Every day at 02:00").waitFor();
    for (const name of [/Run now/, /Switch off/]) assert.equal(await page.getByRole("button", { name }).count(), 0);
    for (const name of [/Edit/, /New schedule/]) assert.equal(await page.getByRole("link", { name }).count(), 0);
    await seen(page, "schedules-viewer");
    await page.evaluate((place) => (location.hash = place), `#/schedules/${id}`);
    await page.getByText("This takes the role admin").waitFor();
  }, { path: "/schedules" });
  // Another tenant's schedule is none.
  await visit(customer, async (page) => {
    await heading(page, "No such schedule").waitFor();
  }, { path: `/schedules/${id}`, expected: [/404/] });
  await visit(customer, async (page) => {
    await page.getByText("Next runs").first().waitFor();
    assert.deepEqual(await page.getByLabel("What to back up").locator("option").allInnerTexts(), ["Database"]);
    assert.equal(await page.getByText("Before each deployment").count(), 0);
  }, { path: "/schedules/new" });
});

for (const [scheme, width] of [["dark", 1280], ["light", 360], ["dark", 360]]) {
  test(`schedules in ${scheme} at ${width}`, async () => {
    await make("Nightly", { retention: { keepDaily: 7, keepDays: 3 } });
    await make("A long name that somebody gave to what runs every hour of every day", { cron: "7 * * * *", enabled: false });
    await make("Odd hours", { cron: "*/20 1-5 * * 1-5" });
    await visit(admin, async (page) => {
      await page.getByText("Every hour, at minute 7").waitFor();
      await page.getByText("By the cron text").waitFor();
      await page.getByText("Next runs").first().click();
      await seen(page, `schedules-${scheme}-${width}`);
      await link(page, "Edit: Nightly").click();
      await page.getByText("Next runs (Europe/Berlin)").waitFor();
      await seen(page, `schedule-${scheme}-${width}`);
    }, { path: "/schedules", scheme, width });
  });
}

test("a schedule of deployments says what they wait for, and its hook's secret starts it", async () => {
  const { id } = await make("Pre-Deploy", { cron: undefined, trigger: "deploy" });
  await visit(admin, async (page) => {
    await page.getByLabel("What a deployment waits for").selectOption("Its backup, read back and compared");
    await page.getByLabel("Without it").selectOption("The deployment goes on");
    await page.getByLabel("Waits at most, in minutes").fill("12");
    await button(page, "Make a secret").click();
    await page.getByText("It is shown this once").waitFor();
    const told = await page.locator(".secret").innerText();
    const [, secret] = /Bearer (rovodev_hook_[0-9a-f]{64})/.exec(told);
    await seen(page, "hook-secret");
    await button(page, "Done").click();
    await page.getByText("It has a secret, made").waitFor();
    await seen(page, "schedule-deploy");
    const call_ = () => fetch(/https?:\S+/.exec(told)[0], { method: "POST", headers: { authorization: `Bearer ${secret}` } });
    assert.equal((await call_()).status, 202);
    await button(page, "Remove the secret").click();
    await page.getByText("The hook has no secret any more.").waitFor();
    assert.equal((await call_()).status, 401);
    await button(page, "Save").click();
    await page.getByText("Pre-Deploy is saved.").waitFor();
  }, { path: `/schedules/${id}` });
  const { gate, onFailure, waitAtMost } = await call(admin, "GET", `/schedules?id=${id}`);
  assert.deepEqual({ gate, onFailure, waitAtMost }, { gate: "checked", onFailure: "allow", waitAtMost: 12 });
});
