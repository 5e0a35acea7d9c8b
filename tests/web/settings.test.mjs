// Channels: made, tested against a receiver that is really there, looked at, and deleted.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { button, heading, link, seen, visit } from "./browser.mjs";
import { admin, call, operator, rested, sql, url, viewer } from "./stack.mjs";

const received = [];
let answer = 200;
let server;
let place;
before(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part)).on("end", () => {
      received.push({ headers: request.headers, body });
      response.writeHead(answer).end(answer === 200 ? "thanks" : "the disk is full");
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  place = `http://127.0.0.1:${server.address().port}/hook`;
});
after(() => server.close());
beforeEach(() => {
  rested();
  sql("DELETE FROM rovodev_notification_channels");
  answer = 200;
});

async function make(name, rest = {}) {
  const made = await call(admin, "POST", "/workspace/channels", { kind: "webhook", name, target: place, events: ["backup.failed"], ...rest });
  assert.ok(made.channel, JSON.stringify(made));
}

test("a webhook is made, shows its secret once, and its test arrives signed by it", async () => {
  await visit(admin, async (page) => {
    await page.getByText("Nobody is told yet").waitFor();
    await seen(page, "channels-none");
    await button(page, "Make the first channel").click();
    const dialog = page.getByRole("dialog");
    await seen(page, "channel-new");
    await dialog.getByRole("radio", { name: /^Webhook/ }).check();
    await dialog.getByLabel("Name").fill("On call");
    await dialog.getByLabel("Address", { exact: true }).fill(place);
    await dialog.getByLabel("A backup succeeded").check();
    await dialog.getByRole("button", { name: "Make the channel" }).click();
    await page.getByText("It is shown this once.").waitFor();
    const secret = await page.locator(".secret").innerText();
    assert.match(secret, /^whsec_/);
    await seen(page, "channel-secret");
    await button(page, "Done").click();
    await button(page, "Send a test: On call").click();
    await page.getByText("The test arrived: On call.").waitFor();
    const { headers, body } = received.at(-1);
    const signed = createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
      .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
    assert.equal(headers["webhook-signature"], `v1,${signed}`);
    await page.getByText("127.0.0.1").waitFor();
    assert.equal(await page.getByText("/hook").count(), 0, "where it leads to is not shown again");
    await page.getByText("What was sent").click();
    await page.getByText("Delivered").waitFor();
    await seen(page, "channels");
  }, { path: "/settings" });
});

test("a receiver that fails is told with what it said; a failed backup reaches it when it is well again", async () => {
  await make("On call");
  answer = 500;
  await visit(admin, async (page) => {
    await button(page, "Send a test: On call").click();
    await page.getByText("The test did not arrive.").waitFor();
    await page.getByText("It said: the disk is full").waitFor();
    await seen(page, "channel-test-failed");
    await button(page, "Switch off: On call").click();
    await button(page, "Switch on: On call").waitFor();
    await link(page, "Home").click();
    await heading(page, "Backup management").waitFor();
    await page.evaluate(() => (location.hash = "#/settings"));
    await button(page, "Delete: On call").click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("On call is deleted.").waitFor();
    await page.getByText("Nobody is told yet").waitFor();
  }, { path: "/settings" });
});

test("what cannot be a target is refused where it was typed, and nothing typed is lost", async () => {
  await visit(admin, async (page) => {
    await button(page, "New channel").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("radio", { name: /^Webhook/ }).check();
    await dialog.getByLabel("Name").fill("Elsewhere");
    await dialog.getByLabel("Address", { exact: true }).fill("ftp://example.com/x");
    await dialog.getByRole("button", { name: "Make the channel" }).click();
    await dialog.getByRole("alert").waitFor();
    assert.equal(await dialog.getByLabel("Name").inputValue(), "Elsewhere");
    await seen(page, "channel-refused");
  }, { path: "/settings", expected: [/400/] });
});

test("operators see channels and change none; viewers are told why", async () => {
  await make("On call");
  await visit(operator, async (page) => {
    await page.getByText("On call").waitFor();
    for (const name of [/Send a test/, /New channel/, /Delete/]) assert.equal(await page.getByRole("button", { name }).count(), 0);
    await page.locator(".account-button").click();
    await page.getByRole("link", { name: "Notifications" }).waitFor();
  }, { path: "/settings" });
  await visit(viewer, async (page) => {
    await page.getByText("This takes the role operator").waitFor();
  }, { path: "/settings" });
});

test("a message that is pushed is shown, and leads into the dashboard alone", async () => {
  await visit(admin, async (page, context) => {
    await context.grantPermissions(["notifications"], { origin: url });
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
    await worker.evaluate(() => new Promise((done) => (self.registration.active ? done() : self.addEventListener("activate", done))));
    const client = await context.newCDPSession(page);
    const registrations = [];
    client.on("ServiceWorker.workerRegistrationUpdated", (event) => registrations.push(...event.registrations));
    await client.send("ServiceWorker.enable");
    while (registrations.length === 0) await new Promise((done) => setTimeout(done, 20));
    const data = JSON.stringify({ id: "7", title: "Backup failed: Nightly", body: "The disk is full", url: "https://elsewhere.example/" });
    await client.send("ServiceWorker.deliverPushMessage", { origin: url, registrationId: registrations[0].registrationId, data });
    const told = await worker.evaluate(async () => {
      for (;;) {
        const [shown] = await self.registration.getNotifications();
        if (shown) return { title: shown.title, body: shown.body, tag: shown.tag };
        await new Promise((done) => setTimeout(done, 20));
      }
    });
    assert.deepEqual(told, { title: "Backup failed: Nightly", body: "The disk is full", tag: "7" });
    await page.evaluate(() => (location.hash = "#/settings"));
    await page.getByRole("heading", { name: "This browser" }).waitFor();
    await button(page, /Tell this browser/).waitFor();
    await seen(page, "channels-push");
  }, { serviceWorkers: "allow" });
});

for (const [scheme, width] of [["dark", 1280], ["light", 360], ["dark", 360]]) {
  test(`channels in ${scheme} at ${width}`, async () => {
    await make("On call");
    await make("Somebody who wants to know of everything that happens", { events: ["backup.succeeded", "backup.failed", "backup.overdue", "restore.done"] });
    await make("Monitor", { kind: "ping", events: ["backup.succeeded"] });
    await visit(admin, async (page) => {
      await page.getByText("Monitor").waitFor();
      await button(page, "Send a test: On call").click();
      await page.getByText("The test arrived").waitFor();
      await page.getByText("What was sent").first().click();
      await page.getByText("Delivered").waitFor();
      await seen(page, `channels-${scheme}-${width}`);
      await button(page, "Edit: On call").click();
      await page.getByRole("dialog").waitFor();
      await seen(page, `channel-${scheme}-${width}`);
    }, { path: "/settings", scheme, width });
  });
}
