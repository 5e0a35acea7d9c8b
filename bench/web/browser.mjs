// What the measurements share: Chromium, somebody who is signed in, a workspace with much in it, and where its pages are.

import { createRequire } from "node:module";
import { createServer } from "node:net";
import { admin, backedUp, call, damage, nightly, person, rested, url } from "../../tests/web/stack.mjs";

const modules = createRequire(`${process.env.ROVODEV_TEST_BROWSER_MODULES}/`);
const { chromium } = modules("playwright-core");
const NAME = "the newest of many";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const open = () => chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** A browser that others speak to as well, by a port; `folder` is its memory. */
export async function openKept(folder) {
  const port = await freePort();
  const context = await chromium.launchPersistentContext(folder, { executablePath, args: ["--no-sandbox", `--remote-debugging-port=${port}`] });
  return { context, port };
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** Ten thousand backups, a real one among them, and rows that a restore would bring back. */
export async function prepare() {
  rested();
  nightly(9999);
  const backup = await backedUp(NAME);
  await call(admin, "POST", "/schedules", { name: "Nightly", cron: "0 2 * * *" });
  damage();
  const session = await person(admin);
  const signedIn = async (browser) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", serviceWorkers: "block" });
    await context.addInitScript(([origin, value]) => location.origin === origin && localStorage.setItem("sb-127-auth-token", value), [url, JSON.stringify(session)]);
    return context;
  };
  return { backup, session, signedIn };
}

/** Each page: its address, when it is ready, and something that people do there. */
export function places({ backup }) {
  const heading = (name) => (page) => page.getByRole("heading", { level: 1, name }).waitFor();
  const at = (path) => `${url}/#${path}`;
  return {
    home: { url: at("/"), ready: (page) => page.locator(".badge", { hasText: "Healthy" }).waitFor(), act: (page) => page.locator(".account-button").click() },
    backups: {
      url: at("/backups"), ready: (page) => page.getByText("10,000 backups").waitFor(), act: async (page) => {
        await page.getByLabel("Choose nightly 3", { exact: true }).check();
        await page.getByLabel("Search").pressSequentially("nightly 99");
        await page.getByText("111 backups").waitFor();
      },
    },
    scrolling: {
      url: at("/backups"), ready: (page) => page.getByText("10,000 backups").waitFor(), act: async (page) => {
        await page.mouse.move(640, 500);
        for (let turn = 0; turn < 60; turn += 1) {
          await page.mouse.wheel(0, 900);
          await page.waitForTimeout(30);
        }
        await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
        await page.getByLabel("Choose nightly 9999", { exact: true }).waitFor();
      },
    },
    backup: { url: at(`/backups/${backup}`), ready: heading(`Backup: ${NAME}`), act: (page) => page.getByRole("button", { name: "Edit" }).click() },
    create: { url: at("/create"), ready: heading("Create a backup"), act: (page) => page.getByLabel("Name (optional)").pressSequentially("before") },
    source: { url: at("/restore"), ready: (page) => page.getByLabel(NAME).waitFor(), act: (page) => page.getByLabel("nightly 2", { exact: false }).first().check() },
    parts: { url: at(`/restore?backup=${backup}`), ready: heading("What do you want to restore?"), act: (page) => page.getByText("Choose tables").click() },
    review: {
      url: at(`/restore?backup=${backup}&mode=exact&step=review`), ready: (page) => page.getByRole("button", { name: "Restore now" }).waitFor(),
      act: (page) => page.getByRole("textbox").pressSequentially(NAME),
    },
    schedules: { url: at("/schedules"), ready: (page) => page.getByText("Next:").waitFor(), act: (page) => page.getByText("Next runs").click() },
    schedule: { url: at("/schedules/new"), ready: (page) => page.locator(".runs li").nth(4).waitFor(), act: (page) => page.getByLabel("Name").pressSequentially("Nightly") },
    trends: { url: at("/trends"), ready: (page) => page.locator(".chart canvas").nth(3).waitFor(), act: (page) => page.getByText("As a table").first().click() },
    settings: { url: at("/settings"), ready: heading("Notifications"), act: (page) => page.getByRole("button", { name: "New channel" }).click() },
    activity: { url: at("/activity"), ready: (page) => page.locator(".row-name").first().waitFor(), act: (page) => page.getByLabel("Search").pressSequentially("admin") },
  };
}

export function medianOf(runs, field) {
  const sorted = runs.map((run) => run[field]).sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)]);
}

export const report = (rows) => console.table(rows);
