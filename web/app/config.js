// What this deployment is: written by the build from its environment.

const PLACE = new URL("../config.json", import.meta.url);
const KEPT = `rovodev-config ${PLACE.pathname}`;
/** When a page is there and has what it asked for, in milliseconds: what is not urgent waits for it. */
export const SETTLED = 1000;
let read;

/** {supabaseUrl, publishableKey, appName, api, providers}; at once where an earlier visit has read it. */
export function config() {
  read ??= known() ?? fresh();
  return read.catch((error) => {
    read = undefined;
    throw error;
  });
}

function known() {
  const kept = localStorage.getItem(KEPT);
  if (!kept) return null;
  // Another deployment may be another project. Without a network the kept one is as good as any.
  const compare = () => fresh().then(() => localStorage.getItem(KEPT) === kept || location.reload()).catch(() => {});
  setTimeout(compare, SETTLED);
  return Promise.resolve(JSON.parse(kept));
}

async function fresh() {
  const told = await fetch(PLACE, { signal: AbortSignal.timeout(10_000) });
  if (!told.ok) throw new Error(`config.json: HTTP ${told.status}`);
  const { supabaseUrl, publishableKey, ...rest } = await told.json();
  if (!supabaseUrl || !publishableKey) throw new Error("config.json names no Supabase project");
  const config = { supabaseUrl: supabaseUrl.replace(/\/+$/, ""), publishableKey, appName: "", providers: [], ...rest };
  localStorage.setItem(KEPT, JSON.stringify(config));
  return config;
}

/** Where the functions are. */
export async function api(path) {
  const { api: place = "/api" } = await config();
  return new URL(`${place.replace(/\/+$/, "")}${path}`, location.origin);
}

/** This page without its fragment: where mails and providers lead back to. */
export function home() {
  const place = new URL(location.href);
  place.hash = "";
  place.search = "";
  return place;
}
