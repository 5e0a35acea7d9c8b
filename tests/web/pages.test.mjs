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

const PAGES = {
  home: ["/", (page) => page.getByText("Healthy").and(page.locator(".badge")).waitFor().then(() => link(page, `View: ${NAME}`).waitFor())],
  backups: ["/backups", (page) => page.getByText(NAME).first().waitFor()],
  cards: ["/backups?view=cards", (page) => page.getByText(NAME).first().waitFor()],
  backup: [() => `/backups/${backup}`, (page) => page.getByRole("heading", { name: "Restore history" }).waitFor()],
  create: ["/create", (page) => heading(page, "Create a backup").waitFor()],
  "restore-1": ["/restore", (page) => page.getByLabel(NAME).waitFor()],
  "restore-2": [() => `/restore?backup=${backup}`, async (page) => {
    await page.getByText("Choose tables").click();
    await page.getByText("call_events").waitFor();
  }],
  "restore-3": [() => `/restore?backup=${backup}&mode=exact&step=review`, (page) => button(page, "Restore now").waitFor()],
  activity: ["/activity", (page) => page.getByText("Asked for a backup").and(page.locator(".row-name")).first().waitFor()],
  nowhere: ["/nowhere", (page) => heading(page, "Nothing here").waitFor()],
};

for (const [scheme, width] of [["light", 1280], ["dark", 1280], ["light", 360], ["dark", 360]]) {
  test(`every page in ${scheme} at ${width}`, () => {
    rested();
    return visit(admin, async (page) => {
      for (const [name, [place, ready]] of Object.entries(PAGES)) {
        await page.goto(`${url}/#${typeof place === "string" ? place : place()}`);
        await ready(page);
        await seen(page, `page-${name}-${scheme}-${width}`);
      }
    }, { scheme, width, height: width === 360 ? 780 : 900 });
  });
}

test("no page takes more than 60 KB of script and style", async () => {
  for (const [name, [place, ready]] of Object.entries(PAGES)) {
    await visit(admin, async (page) => {
      await ready(page);
      const files = await page.evaluate(() => performance.getEntriesByType("resource").map((each) => new URL(each.name).pathname).filter((name) => /\.(js|css)$/.test(name)));
      // As a deployment serves them.
      const bytes = [...new Set(files)].reduce((sum, file) => sum + gzipSync(readFileSync(`${process.env.ROVODEV_TEST_SITE}${file}`)).length, 0);
      assert.ok(files.length > 10 && bytes < LIGHTEST, `${name}: ${bytes} bytes in ${files.length} files`);
      console.log(`${name}: ${bytes} bytes of script and style, gzipped`);
    }, { path: typeof place === "string" ? place : place() });
  }
});
