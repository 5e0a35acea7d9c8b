// The restore wizard, from the first click to the undo.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { before, beforeEach } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { heard } from "./heard.mjs";
import { admin, backedUp, call, damage, operator, rested, sql, url } from "./stack.mjs";

const NAME = `worth restoring ${Date.now()}`;
const calls = () => Number(sql("SELECT count(*) FROM calls"));
const events = () => Number(sql("SELECT count(*) FROM call_events"));
const idle = () => sql("SELECT count(*) FROM restore_operations WHERE status IN ('pending', 'in_progress') AND NOT preview") === "0";
let backup;
let whole;

before(async () => {
  backup = await backedUp(NAME);
  whole = calls();
});
beforeEach(rested);

async function confirmed(page) {
  await page.getByLabel(`Type ${NAME} to confirm`).fill(NAME);
  await button(page, "Restore now").click();
}

test("what is missing comes back with three clicks from home, and the undo takes it away again", () => {
  sql("DELETE FROM call_events; DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT 7)");
  return visit(admin, async (page) => {
    await link(page, `Restore: ${NAME}`).click();
    await page.getByLabel(/Bring back what is missing/).waitFor();
    assert.ok(await page.getByLabel(/Bring back what is missing/).isChecked());
    await seen(page, "restore-what");
    await button(page, "Preview what changes").click();
    await page.getByText(/records come back/).waitFor();
    assert.ok(await button(page, "Restore now").isDisabled());
    await seen(page, "restore-review");
    await confirmed(page);
    await page.getByText("Restore completed successfully.").waitFor();
    assert.equal(calls(), whole);
    await seen(page, "restore-done");
    await button(page, "Undo").click();
    await seen(page, "restore-undo");
    await button(page, "Undo the restore").click();
    await page.getByText("The restore is undone.").waitFor();
    assert.equal(calls(), whole - 7);
    await link(page, "Done").click();
    await page.getByText("Undone", { exact: true }).waitFor();
    await seen(page, "backup-history");
  });
});

test("the whole wizard by keyboard, exactly as it was, with what goes told in numbers and dates", () => {
  damage();
  return visit(admin, async (page) => {
    const keys = async (...all) => {
      for (const key of all) await page.keyboard.press(key);
    };
    // Tab until the focus is where it is needed: whoever cannot see it hears the same names.
    const reach = async (locator) => {
      for (let presses = 0; presses < 60; presses += 1) {
        if (await locator.evaluate((wanted) => wanted === document.activeElement)) return;
        await keys("Tab");
      }
      assert.fail(`the keyboard does not reach ${locator}`);
    };
    await link(page, `Restore: ${NAME}`).waitFor();
    await reach(link(page, "Restore a backup"));
    await keys("Enter");
    await page.getByRole("radio", { name: NAME }).waitFor();
    await seen(page, "restore-source");
    await reach(page.getByLabel("Search"));
    await page.keyboard.type(NAME);
    await page.waitForFunction(() => document.querySelectorAll("input[type=radio]").length === 1);
    await heard(page, "wizard-1", [NAME]);
    await reach(button(page, "Next"));
    await keys("Enter");
    await page.getByLabel(/Bring back what is missing/).waitFor();
    await heard(page, "wizard-2", [NAME]);
    await reach(page.getByLabel(/Bring back what is missing/));
    await keys("ArrowDown", "ArrowDown");
    assert.ok(await page.getByLabel(/Exactly as it was/).isChecked());
    await reach(button(page, "Preview what changes"));
    await keys("Enter");
    await page.getByText(/records are removed/).waitFor();
    await page.getByText(/To be removed: made/).first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the focus is where the step begins");
    await heard(page, "wizard-3", [NAME]);
    await reach(page.getByLabel(`Type ${NAME} to confirm`));
    await page.keyboard.type(NAME);
    await keys("Enter");
    await page.getByText("Restore completed successfully.").waitFor();
    await heard(page, "wizard-5", [NAME]);
    assert.equal(calls(), whole);
  });
});

test("a tab that was closed comes back to a restore that goes on, another one sees it, and it is cancelled", async () => {
  damage();
  const left = events();
  // The merge waits for this lock; the restore cannot end before it is told to.
  const lock = await import("node:child_process").then(({ spawn }) => spawn(`${process.env.ROVODEV_TEST_PG_BIN}/psql`,
    ["-Xq", process.env.ROVODEV_TEST_SUPERUSER_URL], { stdio: ["pipe", "pipe", "inherit"] }));
  lock.stdin.write("BEGIN; LOCK TABLE calls IN ROW EXCLUSIVE MODE; SELECT 'held';\n");
  await new Promise((resolve) => lock.stdout.once("data", resolve));
  try {
    await visit(admin, async (page, context) => {
      await page.goto(`${url}/#/restore?backup=${backup}`);
      await button(page, "Preview what changes").click();
      await confirmed(page);
      await heading(page, "Restoring backup…").waitFor();
      await page.getByText("Another session holds a lock on these tables; waiting for it.").waitFor();
      await page.getByText("Restoring the database (now)").waitFor();
      await seen(page, "restore-watching");
      await heard(page, "wizard-4", [NAME]);
      await visit(operator, async (colleague) => {
        await colleague.getByText(`A restore of ${NAME} is under way, begun by ${admin}.`).waitFor();
        assert.equal(await link(colleague, "Watch").count(), 0);
        await seen(colleague, "home-restore-under-way");
      });
      const other = await context.newPage();
      await page.close();
      await other.goto(`${url}/`);
      await link(other, "Watch").click();
      await heading(other, "Restoring backup…").waitFor();
      await button(other, "Cancel restore").click();
      // Where it waits for a lock, it hears of it when that wait ends.
      await other.getByText("The restore was cancelled.").waitFor({ timeout: 60_000 });
      await seen(other, "restore-cancelled");
      assert.equal(events(), left, "nothing was changed");
    });
  } finally {
    lock.stdin.end("ROLLBACK;\n");
    while (!idle()) await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

test("one restore at a time: a second one is told so", async () => {
  sql(`INSERT INTO restore_operations (tenant_id, backup_id, restore_type, status)
    SELECT tenant_id, id, 'database', 'pending' FROM backups WHERE id = '${backup}'`);
  try {
    await visit(admin, async (page) => {
      await page.goto(`${url}/#/restore?backup=${backup}&mode=exact`);
      await button(page, "Preview what changes").click();
      await confirmed(page);
      await page.getByText("Another restore is running.").waitFor();
      await seen(page, "restore-refused");
    }, { expected: [/status of 409/] });
  } finally {
    sql("UPDATE restore_operations SET status = 'cancelled' WHERE status = 'pending' AND NOT preview");
  }
});

test("nothing to restore is told before anything is asked", async () => {
  await call(admin, "POST", `/backups/${backup}/restore`, { mode: "exact" });
  while (!idle()) await new Promise((resolve) => setTimeout(resolve, 100));
  await visit(admin, async (page) => {
    await page.goto(`${url}/#/restore?backup=${backup}`);
    await button(page, "Preview what changes").click();
    await page.getByText("Nothing would change").waitFor();
    assert.equal(await button(page, "Restore now").count(), 0);
    await seen(page, "restore-nothing");
  });
});

test("the steps of the safety backup are not taken for the restore's own", () => visit(admin, async (page) => {
  // The module by itself, which a deployment has inside another one.
  await page.route("**/source/**", (route) => route.fulfill({
    body: readFileSync(new URL(`../../web/${route.request().url().split("/source/")[1]}`, import.meta.url)), contentType: "text/javascript",
  }));
  const shown = await page.evaluate(async () => {
    const { Progress } = await import(new URL("source/app/progress.js", location.href));
    const progress = new Progress("restore");
    return ["connect", "rows", "finish", "stage", "merge", "finish"].map((stage) => {
      progress.show({ status: "in_progress", progress: { current: 0, total: 0, step: "", stage } });
      return progress.view.querySelector(".now").innerText;
    });
  });
  assert.deepEqual(shown, ["Connecting (now)", "Taking a safety backup (now)", "Taking a safety backup (now)", "Reading the backup's records (now)",
    "Restoring the database (now)", "Finishing (now)"]);
}));
