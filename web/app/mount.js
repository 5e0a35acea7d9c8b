// Brings the dashboard up inside an element: session, frame, pages. A host page may call mount() with an element of its
// own.

import { element } from "./dom.js";
import { Problem, catalog, onReached, onSessionEnd } from "./api.js";
import { SETTLED, config } from "./config.js";
import { Frame } from "./frame.js";
import { Line } from "./line.js";
import { refresh } from "./backups.js";
import { failure, notice, skeleton } from "./parts.js";
import { find } from "./router.js";
import { forget, know, person, recall, tenants } from "./workspace.js";
import * as session from "./session.js";
import { signInDialog, signInPage } from "./signin.js";
import { installShell } from "./shell.js";
import { words } from "../words/en.js";

let frame;
let app = "";
let visit = new AbortController();
let asking;
let stale = false;

export async function mount(root) {
  frame = new Frame(root, { out: session.signOut, chosen: open });
  const line = new Line(frame.banner, back);
  if (!root.hasChildNodes()) frame.show(skeleton("title"), skeleton("line", 4));
  onReached((well) => line.tell(well));
  onSessionEnd(askAgain);
  addEventListener("hashchange", () => session.session() && open());
  // Nobody waits for it.
  setTimeout(installShell, SETTLED);
  await attempt(begin);
}

/** The service answers again: what failed is tried again, and what may be old is read; what was typed stays. */
function back() {
  if (stale) return location.reload();
  for (const failed of frame.main.querySelectorAll(".try-again")) failed.click();
  return refresh();
}

/** Files that do not come: no network, or a deployment that is not complete. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    console.info(error);
    const told = error instanceof Problem ? error : new Problem({ code: navigator.onLine ? "setup" : "unreachable" });
    frame.show(heading(words.titles.none), failure(told, () => attempt(work)));
  }
}

async function begin() {
  // The page's files come meanwhile.
  find().load().catch(() => {});
  app = (await config()).appName;
  frame.named(app);
  const problem = await session.begin();
  session.onChange({ entered: () => frame.isOut && attempt(enter), ended: () => frame.isOut || askAgain(), left });
  session.keep();
  await (session.session() ? enter() : signIn(problem));
}

async function enter() {
  const user = session.session().user.id;
  const before = recall(user);
  if (before) {
    frame.signedIn();
    open();
    await new Promise((resolve) => setTimeout(resolve, SETTLED));
    if (session.session()?.user.id !== user) return;
  }
  const told = await catalog("rovodev_whoami").catch((error) => {
    // What the page itself asked for has the same fate, and tells it.
    if (!before) throw error;
    return before;
  });
  if (before && JSON.stringify(told) === JSON.stringify(before)) return;
  know(user, told);
  frame.signedIn();
  await open();
}

async function signIn(problem) {
  frame.signedOut();
  document.title = title("signIn");
  await signInPage(frame, app, problem?.code && problem);
}

/** In another tab, or by the menu here: what is on the screen is nobody's any more. */
function left() {
  forget();
  visit.abort();
  for (const dialog of document.querySelectorAll(".rovodev dialog")) dialog.close();
  attempt(signIn);
}

/** The page stays as it is, with all that was typed, until somebody is signed in again. */
function askAgain() {
  asking ??= signInDialog().finally(() => {
    asking = undefined;
    const now = session.session();
    // Somebody else must not see what is below.
    if (now && now.user.email !== person()) location.reload();
  });
  return asking;
}

async function open() {
  visit.abort();
  visit = new AbortController();
  const { signal } = visit;
  const { load, ...found } = find();
  frame.current(found.within ?? found.name);
  document.title = title(found.name);
  const show = (...shown) => {
    if (signal.aborted) return;
    frame.show(...shown);
    frame.arrived();
  };
  if (tenants().length === 0) {
    show(heading(words.stranger.title), notice("info", words.stranger.text(person())));
    return;
  }
  try {
    const { default: page } = await loaded(load);
    if (!signal.aborted) await page({ ...found, signal, show, again: open });
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) console.error(error);
    const told = error instanceof Problem ? error : new Problem({ code: "broke" });
    show(heading(words.titles[found.name]), failure(told, stale ? () => location.reload() : open));
  }
}

/** A file that did not come is not asked for again by a browser, until the page is. */
async function loaded(load) {
  try {
    return await load();
  } catch {
    stale = true;
    throw new Problem({ code: "unreachable" });
  }
}

const title = (name) => [words.titles[name] ?? words.titles.none, app].filter(Boolean).join(" · ");
const heading = (text) => element("h1", { tabindex: "-1" }, text);
