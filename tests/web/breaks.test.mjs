// Sessions that end, a service that goes and comes back, a slow network, a line that breaks.

import assert from "node:assert/strict";
import test, { before, beforeEach } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { admin, backedUp, call, password, rested, sql, url } from "./stack.mjs";

const NETWORK = [/Failed to load resource/, /net::ERR/];
const LONG = "01a00000-0000-7000-8000-000000000001";
before(async () => {
  await backedUp("through thick and thin");
});
beforeEach(rested);

test("a session that ends in the middle loses nothing that was typed", () => visit(admin, async (page) => {
  await page.goto(`${url}/#/create`);
  await page.getByLabel("Name (optional)").fill("typed before the end");
  await page.getByLabel(/Configuration/).check();
  // Neither the token nor what renews it is worth anything any more.
  await page.route("**/api/backups/create", async (route) => {
    const headers = { ...route.request().headers(), authorization: "Bearer worth.nothing.more" };
    await route.continue({ headers });
  }, { times: 1 });
  await page.route("**/auth/v1/token?grant_type=refresh_token", (route) => route.fulfill({
    status: 400, json: { code: 400, error_code: "refresh_token_not_found", msg: "Invalid Refresh Token" },
  }), { times: 1 });
  await button(page, "Create backup").click();
  const dialog = page.getByRole("dialog", { name: "Sign in again" });
  await dialog.waitFor();
  await seen(page, "session-ended");
  await page.keyboard.press("Escape");
  await dialog.getByLabel("Email").fill(admin);
  await dialog.getByLabel("Password").fill(password);
  await dialog.getByRole("button", { name: "Sign in", exact: true }).click();
  await heading(page, "Backup: typed before the end").waitFor();
}, { expected: [/status of 40[01]/] }));

test("a link or an account elsewhere signs in again by another tab, and the page goes on", () => visit(admin, async (page, context) => {
  const ends = async () => {
    await context.route("**/api/backups/create", (route) => route.fulfill({ status: 401, json: { code: "token_expired", title: "Unauthorized", status: 401 } }), { times: 1 });
    await context.route("**/auth/v1/token?grant_type=refresh_token", (route) => route.fulfill({
      status: 400, json: { code: 400, error_code: "refresh_token_not_found", msg: "Invalid Refresh Token" },
    }), { times: 1 });
    await button(page, "Create backup").click();
    return page.getByRole("dialog", { name: "Sign in again" });
  };
  await page.getByLabel("Name (optional)").fill("signed in by a mail");
  const byMail = await ends();
  await byMail.getByLabel("Email").fill(admin);
  await byMail.getByRole("button", { name: "Email me a link instead" }).click();
  await byMail.getByText("We sent a link").waitFor();
  const mails = await (await fetch(`${url}/auth/v1/mails`)).json();
  const tab = await context.newPage();
  await tab.goto(mails.findLast((mail) => mail.to === admin).link);
  await heading(page, "Backup: signed in by a mail").waitFor();
  await tab.close();
  await page.goto(`${url}/#/create`);
  await page.getByLabel("Name (optional)").fill("signed in elsewhere");
  const elsewhere = await ends();
  const [other] = await Promise.all([context.waitForEvent("page"), elsewhere.getByRole("button", { name: "Continue with Demo" }).click()]);
  await other.getByLabel("Account").fill(admin);
  await other.getByRole("button", { name: "Agree" }).click();
  await heading(page, "Backup: signed in elsewhere").waitFor();
}, { path: "/create", expected: [/status of 40[01]/] }));

test("offline is said, and the page is brought up to date when the network is back", () => visit(admin, async (page, context) => {
  await link(page, "View: through thick and thin").waitFor();
  await context.setOffline(true);
  await page.getByText("You are offline.", { exact: false }).waitFor();
  await seen(page, "offline");
  await link(page, "Activity").click();
  await page.getByText("The service cannot be reached. Check your network.").waitFor();
  await context.setOffline(false);
  await page.locator(".row-name", { hasText: "Backup ended" }).first().waitFor();
  assert.equal(await page.getByText("You are offline.", { exact: false }).count(), 0);
}, { expected: NETWORK }));

test("a service that is gone is told with a number to quote, and tried again", () => visit(admin, async (page) => {
  await page.route("**/api/backups/list?*", (route) => route.fulfill({
    status: 503, contentType: "application/problem+json", headers: { "retry-after": "2", "x-request-id": "0199f3a0-5f3e-7c3e-9d9e-2a1c7c1b5d10" },
    json: { code: "catalog_unreachable", title: "Service Unavailable", status: 503 },
  }), { times: 1 });
  await page.goto(`${url}/#/backups`);
  await page.getByText("The list of backups cannot be read right now. Try again in a moment.").waitFor();
  await page.getByText("0199f3a0-5f3e-7c3e-9d9e-2a1c7c1b5d10").waitFor();
  assert.ok(await button(page, /Try again in/).isDisabled());
  await seen(page, "backups-unreachable");
  await button(page, "Try again").click();
  await link(page, "through thick and thin").waitFor();
}, { expected: NETWORK, path: "/activity" }));

test("a slow network shows where things will be, and nothing jumps", () => visit(admin, async (page) => {
  await page.evaluate(() => {
    window.shifts = [];
    new PerformanceObserver((list) => window.shifts.push(...list.getEntries().filter((each) => !each.hadRecentInput).map((each) =>
      `${each.value}: ${each.sources.map((source) => source.node?.outerHTML?.slice(0, 120))}`))).observe({ type: "layout-shift", buffered: true });
  });
  let let_through;
  const held = new Promise((resolve) => (let_through = resolve));
  await page.route("**/api/**", async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  await page.locator(".skeleton.widget").first().waitFor();
  await seen(page, "home-slow");
  let_through();
  await link(page, "View: through thick and thin").waitFor();
  await page.getByText("Healthy").waitFor();
  const shift = await page.evaluate(() => new Promise((resolve) => new PerformanceObserver((list, observer) => {
    observer.disconnect();
    resolve(list.getEntries().filter((each) => !each.hadRecentInput).reduce((sum, each) => sum + each.value, 0));
  }).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => resolve(0), 500)));
  assert.ok(shift < 0.1, `layout shift ${shift}`);
}));

test("a line that breaks is told, taken up where it broke, and asked for where nothing streams", async () => {
  sql(`INSERT INTO backups (id, tenant_id, name, backup_path, backup_type, status, created_by)
    SELECT '${LONG}', id, 'a long one', 'x', 'database', 'pending', 'x' FROM rovodev_tenants WHERE slug = 'default'`);
  const say = (progress) => sql(`UPDATE backups SET status = 'in_progress', started_at = now(), progress = '${JSON.stringify(progress)}'
    WHERE name = 'a long one'`);
  const at = (current) => say({ current, total: 1000, step: "rows", stage: "rows", bytes: current, totalBytes: 1000, bytesPerSecond: 2_450_000, secondsLeft: 75, table: "public.calls", rows: 1145 });
  at(100);
  await visit(admin, async (page) => {
    const asked = [];
    page.on("request", (request) => request.url().includes("/restore/status") && asked.push(request.headers()));
    await page.goto(`${url}/#/backups/${LONG}`);
    await page.getByText("10 %", { exact: true }).waitFor();
    await page.getByText("public.calls · 1,145 records · 2.45 MB/s · 1 min 15 s left").waitFor();
    await seen(page, "backup-watching");
    // The stream ends after one event, and the next ones do not come about.
    at(200);
    const state = await call(admin, "GET", `/backups/${LONG}/restore/status`);
    let tries = 0;
    await page.route("**/restore/status*", (route) => {
      tries += 1;
      return tries > 1 ? route.abort() : route.fulfill({ contentType: "text/event-stream", body: `event: status\nid: 00000000000000aa\ndata: ${JSON.stringify(state)}\n\n` });
    });
    await page.reload();
    await page.getByText("Reconnecting. The work goes on meanwhile.", { exact: false }).waitFor();
    await page.getByText("20 %", { exact: true }).waitFor();
    await seen(page, "backup-reconnecting");
    at(500);
    await page.unroute("**/restore/status*");
    await page.getByText("50 %", { exact: true }).waitFor();
    assert.equal(await page.getByText("Reconnecting.", { exact: false }).isVisible(), false);
    assert.ok(asked.some((headers) => headers["last-event-id"] === "00000000000000aa"), "taken up where it broke");
    // A proxy that lets no stream through.
    await page.route("**/restore/status*", (route) => (route.request().headers().accept.includes("event-stream")
      ? route.fulfill({ status: 200, contentType: "text/event-stream", body: "" }) : route.continue()));
    at(700);
    await page.reload();
    await page.getByText("70 %", { exact: true }).waitFor();
    sql("UPDATE backups SET status = 'failed', error_message = 'The disk is full.', finished_at = now() WHERE name = 'a long one'");
    await page.getByText("The disk is full.").waitFor();
    await seen(page, "backup-failed");
    await page.goto(`${url}/#/`);
    await page.getByText("The last backup failed: a long one").waitFor();
    await seen(page, "home-failed");
  }, { expected: NETWORK }).finally(() => sql("UPDATE backups SET deleted_at = now() WHERE name = 'a long one'"));
});

test("a phone may install it", () => visit(admin, async (page, context) => {
  await heading(page, "Backup management").waitFor();
  const browser = await context.newCDPSession(page);
  const { errors } = await browser.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const { installabilityErrors } = await browser.send("Page.getInstallabilityErrors");
  // The tests' browser forgets everything, and offers nothing to be installed for that reason alone.
  assert.deepEqual(installabilityErrors.map((each) => each.errorId).filter((id) => id !== "in-incognito"), []);
}));

test("without a network the dashboard opens and says so", () => visit(admin, async (page, context) => {
  await link(page, "View: through thick and thin").waitFor();
  await page.evaluate(async () => (await navigator.serviceWorker.ready) && !navigator.serviceWorker.controller
    && new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve)));
  await page.reload();
  await link(page, "View: through thick and thin").waitFor();
  await context.setOffline(true);
  await page.reload();
  await page.getByText("You are offline.", { exact: false }).waitFor();
  await seen(page, "offline-opened");
  // Also pages that nobody looked at before.
  await page.goto(`${url}/#/activity`);
  await heading(page, "Activity").waitFor();
  await page.getByText("The service cannot be reached. Check your network.").waitFor();
}, { expected: NETWORK, serviceWorkers: "allow" }));
