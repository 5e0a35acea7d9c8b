// Names are whatever people and strangers write: they stay text, in their place, in one direction.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { heading, link, seen, visit } from "./browser.mjs";
import { admin, backedUp, call, rested, sql } from "./stack.mjs";

const NAMES = {
  script: "<img src=x onerror=alert(1)>",
  markup: "&lt;b&gt; ${7*7} {{7*7}} %3Cscript%3E",
  hebrew: "גיבוי לפני העדכון",
  pictures: "👩‍👩‍👧‍👦🇩🇪 backup 🔥",
  long: "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselanhängerverwaltung",
};
const ids = {};
before(async () => {
  rested();
  for (const name of Object.values(NAMES)) ids[name] = await backedUp(name);
  for (const name of Object.values(NAMES)) await call(admin, "POST", "/schedules", { name, cron: "0 2 * * *" });
});

for (const [scheme, width] of [["light", 1280], ["dark", 360]]) {
  test(`names stay names in ${scheme} at ${width}`, async () => {
    rested();
    await visit(admin, async (page) => {
      for (const [place, title, ready] of [["/", "Backup management", "View all"], ["/backups", "Backups", "backups"], ["/schedules", "Schedules", "Run now"], ["/activity", "Activity", "API"]]) {
        await page.evaluate((to) => (location.hash = to), `#${place}`);
        await heading(page, title).waitFor();
        await page.getByText(ready).first().waitFor();
        await page.getByText(NAMES.script).first().waitFor();
        await seen(page, `names-${title.replaceAll(" ", "-")}-${scheme}-${width}`);
      }
      for (const name of Object.values(NAMES)) {
        await page.evaluate((to) => (location.hash = to), `#/backups/${ids[name]}`);
        await heading(page, `Backup: ${name}`).waitFor();
      }
      await seen(page, `names-backup-${scheme}-${width}`);
      assert.equal(await page.locator("img").count(), 0, "no name became an element");
      assert.equal(await page.title(), "Backups · AI Call Center");
      await link(page, /Restore this backup/).click();
      await heading(page, "What do you want to restore?").waitFor();
      await seen(page, `names-restore-${scheme}-${width}`);
    }, { scheme, width });
  });
}

test.after(() => sql("DELETE FROM backup_schedules"));
