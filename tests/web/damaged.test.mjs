// Backups that are damaged or unlike those before them, and a limit that is near: told where people look.

import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { admin, backedUp, rested, sql, url } from "./stack.mjs";

beforeEach(rested);

const DAMAGE = JSON.stringify({
  objects: 2, concerns: ["public.calls", "public.agents"],
  examples: [{ object: "segments/ab", code: "object_missing", message: "A stored object is gone.", concerns: ["public.calls"] }],
});
const UNLIKE = JSON.stringify([{ kind: "emptyTable", table: "public.calls", usual: 1145, now: 0, text: "calls: 1,145 rows in the backups before, 0 now" }]);

test("damage is told on home, in the list and with what to do; the wizard prefers another backup", async () => {
  const whole = await backedUp("whole");
  const damaged = await backedUp("rotten");
  sql(`UPDATE backups SET checked_at = now(), check_ms = 1200, check_bytes = size_bytes WHERE id = '${whole}'`);
  sql(`UPDATE backups SET checked_at = now(), check_ms = 1200, check_bytes = size_bytes, damage = '${DAMAGE}' WHERE id = '${damaged}'`);
  await visit(admin, async (page) => {
    await page.getByText("A backup is damaged: rotten").waitFor();
    await seen(page, "home-damaged");
    await page.goto(`${url}/#/backups`);
    await page.getByText("Damaged", { exact: true }).first().waitFor();
    await seen(page, "backups-damaged");
    await page.goto(`${url}/#/backups/${damaged}`);
    await heading(page, "Backup: rotten").waitFor();
    await page.getByText("2 stored objects are gone or changed. Concerned: public.calls, public.agents.").waitFor();
    await page.getByText(/^Take a new backup now/).waitFor();
    await page.getByText("Read back", { exact: true }).waitFor();
    await seen(page, "backup-damaged");
    await page.goto(`${url}/#/restore`);
    await page.getByRole("radio", { name: /whole/ }).waitFor();
    assert.ok(await page.getByRole("radio", { name: /whole/ }).isChecked());
    assert.ok(!(await page.getByRole("radio", { name: /rotten.*Damaged/ }).isChecked()));
    await seen(page, "restore-source-damaged");
  });
});

test("what a backup is unlike in is told with numbers", async () => {
  const id = await backedUp("odd");
  sql(`UPDATE backups SET anomalies = '${UNLIKE}' WHERE id = '${id}'`);
  await visit(admin, async (page) => {
    await page.goto(`${url}/#/backups/${id}`);
    await page.getByText("calls: 1,145 rows in the backups before, 0 now").waitFor();
    await page.getByText("Unusual").first().waitFor();
    await seen(page, "backup-unlike");
  });
});

test("a limit that is near is told on home and with the trends, and channels can ask for it", async () => {
  await backedUp("large");
  sql(`INSERT INTO rovodev_quotas (tenant_id, bytes)
    SELECT id, rovodev.stored_bytes(id) * 10 / 9 FROM rovodev_tenants WHERE slug = 'default' ON CONFLICT (tenant_id) DO UPDATE SET bytes = excluded.bytes`);
  sql(`INSERT INTO rovodev_read_backs (tenant_id, backup_id, held, leased_until, ended_at, milliseconds, bytes)
    SELECT tenant_id, id, false, now(), now(), 1500, 7 FROM backups WHERE name = 'large'`);
  sql(`INSERT INTO restore_operations (tenant_id, backup_id, restore_type, status, started_at, completed_at)
    SELECT tenant_id, id, 'database', 'completed', now() - interval '3 seconds', now() FROM backups WHERE name = 'large'`);
  await visit(admin, async (page) => {
    await page.getByText(/^The backups take .* of .*\. They go on being taken/).waitFor();
    await seen(page, "home-quota");
    await page.goto(`${url}/#/trends`);
    await page.getByRole("heading", { name: "Reading a backup back" }).waitFor();
    await page.getByRole("heading", { name: "Duration of a restore" }).waitFor();
    await page.getByText(/ of .* kept$/).waitFor();
    await seen(page, "trends-proofs");
    await page.goto(`${url}/#/settings`);
    await button(page, "Make the first channel").or(button(page, "New channel")).first().click();
    for (const name of ["A backup is damaged", "A backup is unlike the ones before", "Backups near their limit", "Backups over their limit"]) {
      await page.getByLabel(name, { exact: true }).waitFor();
    }
    await seen(page, "channel-events");
  });
});
