// Lighthouse's scores of every page, as it takes a phone: a processor four times slower and a slow mobile network, simulated.

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { openKept, places, prepare, report } from "./browser.mjs";
import { url } from "../../tests/web/stack.mjs";

const CATEGORIES = ["performance", "accessibility", "best-practices"];
const modules = createRequire(`${process.env.ROVODEV_LIGHTHOUSE_MODULES}/`);
const { default: lighthouse } = await import(pathToFileURL(modules.resolve("lighthouse")));

/** In a browser of its own, so that nothing is kept of the page before. */
async function scores(place, session) {
  const folder = mkdtempSync(`${tmpdir()}/rovodev-lighthouse-`);
  const { context, port } = await openKept(folder);
  try {
    const page = await context.newPage();
    await page.goto(`${url}/config.json`);
    if (session) await page.evaluate((value) => localStorage.setItem("sb-127-auth-token", value), JSON.stringify(session));
    const lhr = await audited(place, port);
    const failed = Object.values(lhr.categories).flatMap(({ id, auditRefs }) => auditRefs
      .filter((ref) => ref.weight > 0 && lhr.audits[ref.id].score !== null && lhr.audits[ref.id].score < 0.9).map((ref) => `${id}: ${ref.id}`));
    const told = (name) => Math.round(lhr.audits[name].numericValue);
    return {
      ...Object.fromEntries(CATEGORIES.map((name) => [name, Math.round(lhr.categories[name].score * 100)])),
      "largest paint ms": told("largest-contentful-paint"), "blocked ms": told("total-blocking-time"), below: failed.join(", "),
    };
  } finally {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Chromium loses the begin of a recording at times. */
async function audited(place, port) {
  for (let tries = 3; ; tries -= 1) {
    const { lhr } = await lighthouse(place, { port, onlyCategories: CATEGORIES, disableStorageReset: true, logLevel: "error" });
    if (!lhr.runtimeError) return lhr;
    if (tries === 1) throw new Error(lhr.runtimeError.message);
  }
}

const known = await prepare();
const rows = [{ page: "sign-in", ...(await scores(`${url}/`, null)) }];
const { scrolling, ...all } = places(known);
for (const [name, place] of Object.entries(all)) rows.push({ page: name, ...(await scores(place.url, known.session)) });
report(rows);
