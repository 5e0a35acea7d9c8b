// Taking backups, finding them, changing them, taking them home.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { beforeEach } from "node:test";
import { button, heading, link, seen, takeBackup, visit } from "./browser.mjs";
import { admin, backedUp, nightly, operator, rested, sql, url } from "./stack.mjs";

beforeEach(rested);

/** Of "1.24 MB". */
const bytes = (text) => {
  const [, number, unit] = text.match(/([\d.]+)\s(\w+)/);
  return number * 1000 ** ["B", "kB", "MB"].indexOf(unit);
};

test("an empty workspace shows the first step", () => {
  sql("UPDATE backups SET deleted_at = now()");
  return visit(admin, async (page) => {
    await link(page, "Take the first backup").waitFor();
    await seen(page, "home-empty");
    await page.goto(`${url}/#/backups`);
    await page.getByText("No backups yet").waitFor();
    await seen(page, "backups-empty");
  });
});

test("a backup is taken, watched, changed, pinned and deleted", () => visit(admin, async (page) => {
  await link(page, "Take the first backup").click();
  await heading(page, "Create a backup").waitFor();
  await seen(page, "create");
  await page.getByLabel("Name (optional)").fill("before the import");
  await button(page, "Create backup").click();
  await page.getByText("Never restored.").waitFor();
  await heading(page, "Backup: before the import").waitFor();
  await seen(page, "backup");
  const whole = bytes(await page.locator("dt", { hasText: "Size" }).locator("+ dd").innerText());
  const parts = (await page.locator(".part > span:not(.soft)").allInnerTexts()).map(bytes).reduce((sum, each) => sum + each);
  assert.ok(Math.abs(whole - parts) < whole / 100, `components of ${parts} bytes make a backup of ${whole}`);
  await button(page, "Edit").click();
  await page.getByLabel("Name", { exact: true }).fill("before the big import");
  await page.getByLabel("Note").fill("All is well");
  await seen(page, "backup-edit");
  await button(page, "Save").click();
  await heading(page, "Backup: before the big import").waitFor();
  await page.getByText("All is well").waitFor();
  await button(page, "Pin").click();
  await button(page, "Unpin").waitFor();
  assert.equal(await button(page, "Delete").count(), 0);
  await button(page, "Unpin").click();
  await button(page, "Delete").click();
  await seen(page, "backup-delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await heading(page, "Backups").waitFor();
  await page.getByText("before the big import is deleted.").waitFor();
}));

test("files come home: everything, one table, one file of the configuration", () => visit(operator, async (page) => {
  await takeBackup(page, "to take home");
  const file = async (start) => {
    const [download] = await Promise.all([page.waitForEvent("download"), start()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  await button(page, "Download").click();
  await seen(page, "backup-download");
  const all = await file(() => page.getByRole("dialog").getByRole("button", { name: "Download" }).click());
  assert.deepEqual([...all.bytes.subarray(0, 4)], [0x28, 0xb5, 0x2f, 0xfd], "zstd");
  const calls = await file(() => button(page, "Download calls").click());
  // Texts of several lines are among them.
  assert.equal(calls.bytes.toString().match(/^[0-9a-f]{8}-[0-9a-f-]{27},/gm).length, Number(sql("SELECT count(*) FROM calls")));
  const config = await file(() => button(page, "Download vercel.json").click());
  assert.match(config.name, /vercel\.json/);
}));

test("the address holds the filter, and the way back leads to it", async () => {
  await backedUp("first of two");
  await backedUp("second of two");
  await visit(admin, async (page) => {
    await page.getByLabel("Search").fill("SECOND");
    await page.getByText("1 backup", { exact: true }).waitFor();
    await page.getByLabel("Order").selectOption("Largest first");
    await page.waitForURL(/q=SECOND.*sort=size/);
    await link(page, "second of two").click();
    await heading(page, "Backup: second of two").waitFor();
    await page.goBack();
    await page.getByText("1 backup", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("Search").inputValue(), "SECOND");
    await page.getByLabel("Search").fill("nowhere");
    await page.getByText("Nothing fits", { exact: true }).waitFor();
    await seen(page, "backups-nothing");
    await link(page, "Clear the filters").click();
    await link(page, "first of two").waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), button(page, "List as CSV").click()]);
    assert.match(readFileSync(await file.path(), "utf8"), /first of two/);
  }, { path: "/backups" });
});

/** So many backups, and no others. */
const many = (number) => {
  sql("UPDATE backups SET deleted_at = now()");
  nightly(number);
};
const none = () => sql("UPDATE backups SET deleted_at = now() WHERE name LIKE 'nightly %'");

for (const [view, row] of [["table", "row"], ["cards", "listitem"]]) {
  test(`ten thousand backups as ${view}: any place is a scroll away, and few are there at once`, () => {
    many(10_000);
    return visit(admin, async (page) => {
      await page.getByText("10,000 backups", { exact: true }).waitFor();
      await link(page, "nightly 1").or(page.locator(".name", { hasText: /^nightly 1$/ })).first().waitFor();
      const few = async () => assert.ok(await page.getByRole(row).count() < 400, "not all at once");
      const at = (place) => page.evaluate((part) => scrollTo(0, part * document.documentElement.scrollHeight), place);
      const shown = (name) => page.locator(`[type=checkbox][aria-label="Choose ${name}"]`).waitFor();
      await few();
      await at(1);
      await shown("nightly 10000");
      await few();
      await at(0.5);
      await shown("nightly 5000");
      await page.screenshot({ path: `${process.env.ROVODEV_TEST_SCREENSHOTS}/backups-middle-${view}.png` });
      // There and back again leads to the same place.
      const before = await page.evaluate(() => scrollY);
      const middle = page.locator("[href^='#/backups/']").filter({ visible: true }).and(page.getByRole("link", { name: view === "table" ? "nightly 5000" : "View: nightly 5000", exact: true }));
      await middle.click();
      await heading(page, "Backup: nightly 5000").waitFor();
      await page.goBack();
      await shown("nightly 5000");
      const after = await page.evaluate(() => scrollY);
      assert.ok(Math.abs(after - before) < 900, `${before} and ${after}`);
      await at(0);
      await shown("nightly 1");
      await few();
    }, { path: `/backups?view=${view}` }).finally(none);
  });
}

test("a window that becomes narrow gets cards at about the same place, and the table again", () => {
  many(1000);
  return visit(admin, async (page) => {
    await page.getByText("1,000 backups", { exact: true }).waitFor();
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
    await page.evaluate(() => scrollTo(0, 0.5 * document.documentElement.scrollHeight));
    await page.getByLabel("Choose nightly 500", { exact: true }).check();
    await page.setViewportSize({ width: 360, height: 780 });
    await page.getByRole("listitem").first().waitFor();
    await page.getByLabel("Choose nightly 500", { exact: true }).waitFor();
    assert.ok(await fits(), "it scrolls sideways");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.getByRole("row").first().waitFor();
    assert.ok(await page.getByLabel("Choose nightly 500", { exact: true }).isChecked());
  }, { path: "/backups" }).finally(none);
});

test("many are chosen and deleted, with what stayed told", () => {
  many(300);
  return visit(admin, async (page) => {
    for (const n of [1, 2, 3]) await page.getByLabel(`Choose nightly ${n}`, { exact: true }).check();
    await page.getByText("3 chosen").waitFor();
    await seen(page, "backups-chosen");
    await button(page, "Delete").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("2 of 3 deleted.").waitFor();
    await page.getByText("nightly 2 The backup is pinned. Unpin it first.").waitFor();
    await seen(page, "backups-partly-deleted");
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.getByText("298 backups", { exact: true }).waitFor();
    await button(page, "Choose up to 200").click();
    await page.getByText("200 chosen").waitFor();
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.getByLabel("Choose nightly 300", { exact: true }).waitFor();
    assert.equal(await page.getByLabel("Choose nightly 300", { exact: true }).isChecked(), false);
    await page.evaluate(() => scrollTo(0, 0));
    assert.equal(await page.getByLabel("Choose nightly 20", { exact: true }).isChecked(), true);
    await button(page, "Choose none").click();
    assert.equal(await page.getByLabel("Choose nightly 20", { exact: true }).isChecked(), false);
  }, { path: "/backups", expected: [/status of 409/] }).finally(none);
});
