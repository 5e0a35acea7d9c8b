// Largest paint, layout shift and the answer to an interaction, per page, in Chromium with a processor four times slower:
// on a first visit with nothing kept, and on the next one with what the browser keeps by the deployment's own headers.

import { url } from "../../tests/web/stack.mjs";
import { medianOf, open, places, prepare, report } from "./browser.mjs";

const SLOWER = 4;
const ROUNDS = Number(process.env.ROUNDS ?? 5);

const observe = () => {
  window.seen = { paint: 0, what: "", shift: 0, slowest: 0, busy: 0 };
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) window.seen.busy = Math.max(window.seen.busy, each.duration);
  }).observe({ type: "longtask" });
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) Object.assign(window.seen, { paint: each.startTime, what: `${each.element?.localName}.${each.element?.className}` });
  }).observe({ type: "largest-contentful-paint", buffered: true });
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.seen.shift += each.value;
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (each.interactionId) window.seen.slowest = Math.max(window.seen.slowest, each.duration);
  }).observe({ type: "event", buffered: true, durationThreshold: 16 });
};

/** In milliseconds. A look by Playwright brings a script into the page that costs it a tenth of a second: it comes later. */
const UNSEEN = 2500;

async function visit(context, place) {
  const page = await context.newPage();
  const client = await context.newCDPSession(page);
  await client.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  await page.addInitScript(observe);
  await page.goto(place.url);
  await new Promise((done) => setTimeout(done, UNSEEN));
  await place.ready(page);
  // The browser reports a paint a moment after it.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300))));
  const painted = await page.evaluate(() => ({ ...window.seen }));
  if (place.act) {
    await page.evaluate(() => Object.assign(window.seen, { busy: 0 }));
    await place.act(page);
    await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  }
  const { slowest, shift, busy } = await page.evaluate(() => ({ ...window.seen }));
  await page.close();
  return { ...painted, shift, slowest, busy };
}

const browser = await open();
const known = await prepare();
const rows = [];
const all = { "a text alone": { url: `${url}/nowhere`, ready: (page) => page.getByRole("heading").waitFor() }, ...places(known) };
for (const [name, place] of Object.entries(all)) {
  const runs = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const context = await known.signedIn(browser);
    const first = await visit(context, { ...place, act: undefined });
    runs.push({ ...(await visit(context, place)), first: first.paint });
    await context.close();
  }
  rows.push({
    page: name, "first visit: largest paint ms": medianOf(runs, "first"), "next visits": medianOf(runs, "paint"), what: runs[0].what, longest: Math.round(Math.max(...runs.map((run) => run.paint))),
    "layout shift": Math.max(...runs.map((run) => run.shift)).toFixed(4), "interaction ms": place.act ? medianOf(runs, "slowest") : "",
    "longest task meanwhile ms": place.act ? medianOf(runs, "busy") : "",
  });
}
await browser.close();
report(rows);
