// Every page in light and dark, wide and on a phone: nothing scrolls sideways, nothing hides from assistive technology,
// and nothing is heavy.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import test, { before } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { admin, backedUp, damage, rested, sql, url } from "./stack.mjs";

const LIGHTEST = 60 * 1024;
const NAME = `a name as long as people make them ${"x".repeat(60)}`;
let backup;
before(async () => {
  rested();
  backup = await backedUp(NAME);
  sql("UPDATE backups SET note = 'A note that says quite a lot about why this one should be kept.', pinned = true WHERE id = '" + backup + "'");
  damage();
});

/** Where it is, its heading, and what is there when it is ready. */
const PAGES = {
  home: ["/", "Backup management", (page) => link(page, `View: ${NAME}`).waitFor().then(() => page.locator(".badge", { hasText: "Healthy" }).waitFor())],
  backups: ["/backups", "Backups", (page) => page.getByText(NAME).first().waitFor()],
  cards: ["/backups?view=cards", "Backups", (page) => page.locator(".cards", { hasText: NAME }).waitFor()],
  backup: [() => `/backups/${backup}`, `Backup: ${NAME}`, (page) => page.getByRole("heading", { name: "Restore history" }).waitFor()],
  create: ["/create", "Create a backup", (page) => button(page, "Create backup").waitFor()],
  "restore-1": ["/restore", "Select a backup to restore", (page) => page.getByLabel(NAME).waitFor()],
  "restore-2": [() => `/restore?backup=${backup}`, "What do you want to restore?", async (page) => {
    await page.getByText("Choose tables").click();
    await page.getByText("call_events").waitFor();
  }],
  "restore-3": [() => `/restore?backup=${backup}&mode=exact&step=review`, "Review your restore", (page) => button(page, "Restore now").waitFor()],
  activity: ["/activity", "Activity", (page) => page.locator(".row-name", { hasText: "Asked for a backup" }).first().waitFor()],
  schedules: ["/schedules", "Schedules", (page) => page.getByText("No schedule yet").or(page.getByText("Run now")).first().waitFor()],
  schedule: ["/schedules/new", "New schedule", (page) => page.locator(".runs li").nth(4).waitFor()],
  trends: ["/trends", "Trends", (page) => page.locator(".chart canvas").nth(3).waitFor()],
  settings: ["/settings", "Notifications", (page) => page.getByRole("heading", { name: "This browser" }).waitFor()],
  nowhere: ["/nowhere", "Nothing here", () => {}],
};

for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 840], ["light", 360], ["dark", 360]]) {
  test(`every page in ${scheme} at ${width}`, () => {
    rested();
    return visit(admin, async (page) => {
      for (const [name, [place, title, ready]] of Object.entries(PAGES)) {
        await page.goto(`${url}/#${typeof place === "string" ? place : place()}`);
        await heading(page, title).waitFor();
        await ready(page);
        await seen(page, `page-${name}-${scheme}-${width}`);
      }
    }, { scheme, width, height: width === 360 ? 780 : 900 });
  });
}

test("no page takes more than 60 KB of script and style, and none asks for anything twice", async () => {
  for (const [name, [place, title, ready]] of Object.entries(PAGES)) {
    await visit(admin, async (page) => {
      await heading(page, title).waitFor();
      await ready(page);
      // What is not urgent comes a second after the beginning.
      await page.waitForFunction(() => performance.now() > 2500);
      const files = await page.evaluate(() => performance.getEntriesByType("resource").map((each) => new URL(each.name).pathname).filter((name) => /\.(js|css)$/.test(name)));
      // As a deployment serves them.
      const bytes = [...new Set(files)].reduce((sum, file) => sum + gzipSync(readFileSync(`${process.env.ROVODEV_TEST_SITE}${file}`)).length, 0);
      assert.ok(files.length > 4 && bytes < LIGHTEST, `${name}: ${bytes} bytes in ${files.length} files`);
      console.log(`${name}: ${bytes} bytes of script and style, gzipped`);
      // Who reads this is known from the visit before, so that answers are asked for ahead of the page.
      await page.reload();
      await heading(page, title).waitFor();
      await ready(page);
      const asked = await page.evaluate(() => performance.getEntriesByType("resource").filter((each) => /\/api\//.test(each.name)).map((each) => each.name));
      assert.deepEqual(asked, [...new Set(asked)], name);
    }, { path: typeof place === "string" ? place : place() });
  }
});
