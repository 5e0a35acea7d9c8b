// Calls of the functions: with the caller's token, a limit in time, and problems (RFC 9457) as errors.

import { begun, request } from "./ahead.js";
import { config } from "./config.js";
import { renewed, token } from "./session.js";
import { words } from "../words/en.js";

const PATIENCE = 30_000;
let signInAgain;
let reached = () => {};

/** How to ask for a sign-in when the session has ended; resolves when somebody is signed in again. */
export function onSessionEnd(ask) {
  signInAgain = ask;
}

/** Hears after every call whether the service could be reached. */
export function onReached(listener) {
  reached = listener;
}

export class Problem extends Error {
  constructor({ status = 0, code, detail, title, hint, requestId, retryAfter }) {
    super(detail ?? words.problems[code] ?? title ?? words.problems.broke);
    Object.assign(this, { status, code, hint, requestId, retryAfter });
  }
}

async function problem(answer) {
  const told = await answer.json().catch(() => ({}));
  const wait = Number(answer.headers.get("retry-after"));
  return new Problem({
    ...told, status: answer.status, code: told.code ?? "internal", requestId: answer.headers.get("x-request-id"),
    retryAfter: wait > 0 ? wait : undefined,
  });
}

/** The answer itself, of any success. `open` streams have no limit in time. */
export async function ask(method, path, { query, body, headers = {}, signal, open = false } = {}) {
  const made = await request(path, query);
  Object.assign(made.headers, headers, body !== undefined && { "content-type": "application/json" });
  return authorized(made.place, { ...made, method, body: body === undefined ? undefined : JSON.stringify(body) }, signal, open);
}

async function authorized(place, request, signal, open) {
  const ahead = begun({ place, ...request });
  let held = await guarded(token, signal);
  for (let tries = 0; ; tries += 1) {
    if (!held) {
      await signInAgain();
      held = await guarded(token, signal);
      if (!held) throw new Problem({ code: "token_missing", status: 401 });
    }
    const headers = { ...request.headers, authorization: `Bearer ${held}` };
    const answer = (tries === 0 && await ahead?.catch(() => null)) || await send(place, { ...request, headers }, signal, open);
    signal?.throwIfAborted();
    if (answer.status !== 401 || tries === 2) {
      if (answer.ok) return answer;
      throw await problem(answer);
    }
    held = tries === 0 ? await guarded(renewed, signal) : null;
  }
}

/** Supabase Auth may be silent too. */
async function guarded(work, signal) {
  try {
    return await work();
  } catch {
    signal?.throwIfAborted();
    reached(false);
    throw new Problem({ code: "auth_unreachable" });
  }
}

async function send(place, request, signal, open) {
  const limit = new AbortController();
  // It also ends a body that does not come to its end.
  const timer = setTimeout(() => limit.abort(), PATIENCE);
  try {
    const answer = await fetch(place, { ...request, signal: AbortSignal.any([limit.signal, ...(signal ? [signal] : [])]) });
    reached(true);
    if (open) clearTimeout(timer);
    return answer;
  } catch {
    clearTimeout(timer);
    signal?.throwIfAborted();
    reached(false);
    throw new Problem({ code: limit.signal.aborted ? "timeout" : "unreachable" });
  }
}

/** The JSON of the answer to one of questions.js. */
export const get = ([path, query], signal) => call("GET", path, { query, signal });

/** The JSON of an answer. */
export async function call(method, path, options) {
  const answer = await ask(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

/** A function of the catalog, through the project's own PostgREST. */
export async function catalog(name) {
  const { supabaseUrl, publishableKey } = await config();
  const request = {
    method: "POST", body: "{}", cache: "no-store",
    headers: { apikey: publishableKey, "content-type": "application/json" },
  };
  return (await authorized(new URL(`${supabaseUrl}/rest/v1/rpc/${name}`), request)).json();
}

/** Saves what an answer holds under the name that it names. */
export async function save(path, query) {
  const answer = await ask("GET", path, { query, open: true });
  const [, name] = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "") ?? [];
  const place = URL.createObjectURL(await answer.blob());
  follow(place, name ?? "download");
  setTimeout(() => URL.revokeObjectURL(place), 60_000);
}

/** Has the browser fetch an address as a file. */
export function follow(place, name = "") {
  const link = document.createElement("a");
  link.href = place;
  link.download = name;
  link.click();
}
