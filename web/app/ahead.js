// What the page of this address shows first is asked for while the files of the page are still on their way. The page asks as
// it always does, and is given what was begun.

import { SETTLED, api } from "./config.js";
import { find } from "./router.js";
import { lasting } from "./session.js";
import { chosenTenant, may, recall } from "./workspace.js";

const PATIENCE = 30_000;
const asked = new Map();

/** {place, headers, cache}: how the functions are asked for `path` by whoever sends a token with it. */
export async function request(path, query = {}) {
  const place = await api(path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") place.searchParams.set(name, value);
  }
  const headers = { "x-rovodev-door": "dashboard" };
  if (chosenTenant()) headers["x-rovodev-tenant"] = chosenTenant();
  return { place, headers, cache: "no-store" };
}

/** Asks, where the session needs no renewal and an earlier visit told who this is and what that person may do. */
export async function ask() {
  const page = find();
  page.load().catch(() => {});
  const session = await lasting();
  if (!session || !recall(session.user.id) || (page.role && !may(page.role))) return;
  for (const [path, query] of page.first?.(page) ?? []) {
    const { place, headers, ...rest } = await request(path, query);
    const answer = fetch(place, { ...rest, headers: { ...headers, authorization: `Bearer ${session.access_token}` }, signal: AbortSignal.timeout(PATIENCE) });
    answer.catch(() => {});
    asked.set(key(place, headers), answer);
  }
  // What the page did not ask for would be old when somebody does.
  setTimeout(() => asked.clear(), SETTLED);
}

/** The answer to this question that was asked ahead, once. */
export function begun({ place, headers }) {
  const name = key(place, headers);
  const answer = asked.get(name);
  asked.delete(name);
  return answer;
}

const key = (place, headers) => `${headers["x-rovodev-tenant"]} ${place}`;
