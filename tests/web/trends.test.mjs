// How backups went, on screen: charts, their tables, a year.

import assert from "node:assert/strict";
import { before, beforeEach, test } from "node:test";
import { heading, link, seen, visit } from "./browser.mjs";
import { admin, call, customer, rested, sql } from "./stack.mjs";

let schedule;
before(async () => {
  rested();
  ({ id: schedule } = await call(admin, "POST", "/schedules", { name: "Nightly", cron: "0 2 * * *" }));
  // A year of nights, every 29th of which failed, and four without any.
  sql(`INSERT INTO backups (tenant_id, schedule_id, trigger, name, backup_path, backup_type, status, manifest_key, error_message, created_at, started_at, finished_at, size_bytes, new_bytes, components, tables, records, files)
    SELECT t.id, '${schedule}', 'scheduled', 'night ' || n, 'x', 'database', CASE WHEN n % 29 = 0 THEN 'failed' ELSE 'completed' END,
      CASE WHEN n % 29 = 0 THEN NULL ELSE 'x' END, CASE WHEN n % 29 = 0 THEN 'the disk is full' END, at, at, at + make_interval(secs => 30 + n % 17),
      CASE WHEN n % 29 = 0 THEN NULL ELSE 50000000 + (365 - n) * 100000 END, CASE WHEN n % 29 = 0 THEN NULL ELSE 900000 + n % 13 * 70000 END, '["database"]', 6, n, 0
    FROM rovodev_tenants t, generate_series(1, 364) n, LATERAL (SELECT now() - make_interval(days => n) AS at) x
    WHERE slug = 'default' AND n NOT BETWEEN 100 AND 103`);
});
beforeEach(rested);

test("a period and a schedule are chosen; the address holds them; a table stands behind each chart", async () => {
  await visit(admin, async (page) => {
    await link(page, "Trends").click();
    await heading(page, "Trends").waitFor();
    await page.locator(".chart canvas").nth(3).waitFor();
    await page.getByText(/34\d days with good backups alone/).waitFor();
    assert.equal(await page.locator(".heatmap .square").count(), 365);
    assert.ok(await page.locator(".heatmap .square.bad").count() >= 12);
    const size = page.getByRole("region", { name: "Size of a backup" });
    await size.getByText("As a table").click();
    await size.locator("tbody tr").nth(80).waitFor();
    await page.getByLabel("Period").selectOption("30 days");
    await page.waitForFunction(() => location.hash.includes("days=30"));
    // It stays open.
    await size.locator("tbody tr").nth(31).waitFor({ state: "detached" });
    await size.locator("tbody tr").nth(25).waitFor();
    assert.ok(await size.locator("tbody tr").count() <= 30);
    await page.getByLabel("Of which schedule").selectOption("Nightly");
    await page.waitForFunction((id) => location.hash.includes(id), schedule);
    await page.getByRole("link", { name: "Nightly", exact: true }).waitFor();
    await seen(page, "trends-table");
    // What the pointer is on is told above the chart.
    const canvas = size.locator(".u-over");
    const told = size.locator(".readout");
    const last = await told.innerText();
    await canvas.hover({ position: { x: 40, y: 40 } });
    await page.waitForFunction((before) => document.querySelectorAll(".readout")[1].innerText !== before, last);
  }, { path: "/activity" });
});

test("who has no backups is told that there is nothing yet", async () => {
  sql("DELETE FROM restore_operations WHERE tenant_id = (SELECT id FROM rovodev_tenants WHERE slug = 'northwind-dental')");
  sql("DELETE FROM backups WHERE tenant_id = (SELECT id FROM rovodev_tenants WHERE slug = 'northwind-dental')");
  await visit(customer, async (page) => {
    await page.getByText("Nothing to show yet").waitFor();
    await seen(page, "trends-none");
  }, { path: "/trends" });
});

for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 360], ["dark", 360]]) {
  test(`trends in ${scheme} at ${width}`, async () => {
    await visit(admin, async (page) => {
      await page.locator(".chart canvas").nth(3).waitFor();
      await seen(page, `trends-${scheme}-${width}`);
    }, { path: "/trends?days=365", scheme, width });
  });
}
