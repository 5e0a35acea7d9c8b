// What this deployment is: written by the build from its environment.

let read;

/** {supabaseUrl, publishableKey, appName, api, providers} */
export function config() {
  read ??= fetch(new URL("../config.json", import.meta.url), { signal: AbortSignal.timeout(10_000) }).then(async (told) => {
    if (!told.ok) throw new Error(`config.json: HTTP ${told.status}`);
    const { supabaseUrl, publishableKey, ...rest } = await told.json();
    if (!supabaseUrl || !publishableKey) throw new Error("config.json names no Supabase project");
    return { supabaseUrl: supabaseUrl.replace(/\/+$/, ""), publishableKey, appName: "", providers: [], ...rest };
  });
  return read.catch((error) => {
    read = undefined;
    throw error;
  });
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
