// What a screen reader is told of a page: its accessibility tree, held against the one that was read and approved in
// tests/web/heard. With HEARD=write the trees are written instead; read them before they are committed.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const FOLDER = new URL("./heard/", import.meta.url);

/** `names` are texts that differ from run to run. */
export async function heard(page, step, names = []) {
  const told = names.reduce((text, name) => text.replaceAll(name, "NAME"), await page.locator("main").ariaSnapshot());
  const lasting = told
    .replace(/\d{1,2} \w{3,9} \d{4}(, | at )\d{2}:\d{2}(:\d{2} \w+)?/g, "DATE").replace(/\b(\w+day), DATE/g, "DATE")
    .replace(/until \w+day,? \d{1,2} \w{3,9} \d{4}/g, "until DAY")
    .replace(/(just now|\d+ (second|minute)s? ago)/g, "AGO").replace(/(less than a second|\d+ s\b)/g, "TIME")
    // Which tables differ is the data's; one of them speaks for all.
    .replace(/ {6}- '?row "(?!Table|calls)[^\n]*\n(?: {8}[^\n]*\n)+/g, "")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, "ID").replace(/(?<!level=)\d[\d,.]*/g, "N");
  const file = new URL(`${step}.yaml`, FOLDER);
  if (process.env.HEARD === "write") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, `${lasting}\n`);
    return;
  }
  assert.equal(`${lasting}\n`, readFileSync(file, "utf8"), `what is heard of ${step}`);
}
