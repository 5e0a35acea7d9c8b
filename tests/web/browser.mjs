// Chromium, its pages, and what no page may do: whatever the console holds against a page fails its test.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before } from "node:test";
import { person, url } from "./stack.mjs";

const modules = createRequire(`${process.env.ROVODEV_TEST_BROWSER_MODULES}/`);
const { chromium } = modules("playwright-core");
const AXE = modules.resolve("axe-core/axe.min.js");
const SCREENSHOTS = process.env.ROVODEV_TEST_SCREENSHOTS;
const PATIENCE = 15_000;
/** Playwright's own word where service workers are switched off for a test. */
const HARNESS = /^Service Worker registration blocked by Playwright$/;

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(() => browser.close());

/** A browser of somebody who is signed in (or of nobody), given to `use`; `expected` are console errors that belong to the test. */
export async function visit(email, use, { width = 1280, height = 900, scheme = "light", expected = [], path = "/", ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, locale: "en-GB", timezoneId: "Europe/Berlin", acceptDownloads: true,
    // A test that cuts the network off must not be answered by what is kept.
    serviceWorkers: "block", ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const wrong = [];
  context.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  context.on("weberror", (error) => wrong.push(String(error.error().stack)));
  if (email) await signIn(context, email);
  const page = await context.newPage();
  try {
    await page.goto(`${url}/#${path}`);
    await use(page, context);
    const unexpected = wrong.filter((text) => ![HARNESS, ...expected].some((pattern) => pattern.test(text)));
    assert.deepEqual(unexpected, [], "the console");
  } catch (error) {
    await page.screenshot({ path: `${SCREENSHOTS}/failed-${Date.now()}.png` }).catch(() => {});
    throw error;
  } finally {
    await context.close();
  }
}

/** As the host's own Supabase client leaves its session on this origin. */
async function signIn(context, email) {
  const session = await person(email);
  await context.addInitScript(([origin, key, value]) => {
    // A tab begins with an empty page.
    if (location.origin === origin && !sessionStorage.getItem("signed-in")) {
      sessionStorage.setItem("signed-in", "once");
      localStorage.setItem(key, value);
    }
  }, [url, "sb-127-auth-token", JSON.stringify(session)]);
}

/** A picture of the page as it is, and its whole accessibility held against WCAG 2.2 AA. */
export async function seen(page, name) {
  // No picture is as tall as a list of thousands.
  const fullPage = await page.evaluate(() => document.documentElement.scrollHeight < 15_000);
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage, animations: "disabled" });
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(needed <= there, `${name} scrolls sideways: ${needed} of ${there}`);
  const outgrown = await page.evaluate(() => [...document.querySelectorAll(".table-wrap, .section, .card, .notice")]
    .filter((each) => each.scrollWidth > each.clientWidth).map((each) => `${each.className}: ${each.scrollWidth} of ${each.clientWidth}`));
  assert.deepEqual(outgrown, [], `${name} stands out of its frame`);
  // Trusted Types let no text become a script; the debugger's own evaluation is none.
  if (!(await page.evaluate(() => Boolean(window.axe)))) await page.evaluate((await import("node:fs")).readFileSync(AXE, "utf8"));
  const { violations } = await page.evaluate(async (runOnly) => {
    // What lies half below the header is no smaller for that.
    const [left, top] = [scrollX, scrollY];
    scrollTo({ top: 0, behavior: "instant" });
    try { return await window.axe.run(document, { runOnly }); } finally { scrollTo({ left, top, behavior: "instant" }); }
  }, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  const told = violations.map((each) => `${each.id}: ${each.help}\n${each.nodes.map((node) => `  ${node.html}`).join("\n")}`);
  assert.deepEqual(told, [], `axe on ${name}`);
}

export const heading = (page, name) => page.getByRole("heading", { level: 1, name });
export const button = (page, name) => page.getByRole("button", { name, exact: typeof name === "string" });
export const link = (page, name) => page.getByRole("link", { name, exact: typeof name === "string" });

/** A completed backup, taken by clicks; its name. */
export async function takeBackup(page, name) {
  await page.goto(`${url}/#/create`);
  await page.getByLabel("Name (optional)").fill(name);
  await button(page, "Create backup").click();
  await page.getByText("Never restored.").waitFor();
}
