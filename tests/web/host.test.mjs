// The dashboard inside a host's settings: under any path, with the host's session and its theme. The page is the example
// of docs/host, the files of the dashboard are those that a deployment serves.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { before } from "node:test";
import { heading, link, seen, visit } from "./browser.mjs";
import { admin, backedUp, url } from "./stack.mjs";

const HOST = new URL("../../docs/host/", import.meta.url);
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css" };
before(() => backedUp("shown in a host"));

/** What a host does on its server: its own pages, and the dashboard's files below one of its paths. */
async function serve(context) {
  const headers = (await fetch(`${url}/`)).headers;
  const policy = { "content-security-policy": headers.get("content-security-policy") };
  await context.route(/\/(settings|host\.(js|css))$/, (route) => {
    const name = route.request().url().endsWith("/settings") ? "index.html" : new URL(route.request().url()).pathname.slice(1);
    return route.fulfill({ body: readFileSync(new URL(name, HOST)), contentType: TYPES[name.split(".")[1]], headers: policy });
  });
  await context.route("**/settings/backups/**", async (route) => {
    const name = new URL(route.request().url()).pathname.slice("/settings/backups/".length);
    // Which project it is stands in the stack's own.
    if (name === "config.json") return route.fulfill({ response: await route.fetch({ url: `${url}/config.json` }) });
    return route.fulfill({ body: readFileSync(`${process.env.ROVODEV_TEST_SITE}/${name}`), contentType: TYPES[name.split(".").at(-1)] });
  });
}

for (const [scheme, width] of [["light", 1280], ["dark", 360]]) {
  test(`inside a host's settings, ${scheme} at ${width}`, () => visit(admin, async (page, context) => {
    await serve(context);
    await page.goto(`${url}/settings#/backups`);
    await page.getByText("shown in a host").first().waitFor();
    await seen(page, `host-backups-${scheme}-${width}`);
    await page.goto(`${url}/settings#/`);
    await heading(page, "Backup management").waitFor();
    await page.getByText("Healthy").and(page.locator(".badge")).waitFor();
    await seen(page, `host-home-${scheme}-${width}`);
    const accent = await link(page, "Create backup").evaluate((shown) => getComputedStyle(shown).backgroundColor);
    assert.equal(accent, scheme === "light" ? "rgb(138, 59, 18)" : "rgb(255, 180, 136)");
    const own = await page.locator(".host-side").evaluate((shown) => getComputedStyle(shown).fontFamily);
    assert.match(own, /Georgia/);
  }, { scheme, width }));
}
