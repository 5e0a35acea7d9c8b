// Who is signed in. The session is the one of Supabase's own client on this origin: whoever is signed in to the host
// app is signed in here, and signing out here ends both.

import { config, home } from "./config.js";

const WAY_BACK = "rovodev-way-back";
const tabs = new BroadcastChannel("rovodev-session");
let client;
let current = null;
let leaving = false;

/** Calls once, when somebody is signed in next, here or in another tab. */
export function onEntered(listener) {
  const { data } = client.onAuthStateChange((event) => {
    if (event !== "SIGNED_IN") return;
    data.subscription.unsubscribe();
    listener();
  });
}

/** {entered, ended, left}: what to do when somebody is signed in, when a session ended by itself, when it was left. */
export function onChange({ entered, ended, left }) {
  tabs.addEventListener("message", left);
  client.onAuthStateChange((event, changed) => {
    current = changed;
    if (event === "SIGNED_IN") entered();
    if (event === "SIGNED_OUT") (leaving ? left : ended)();
  });
}

export const session = () => current;

async function authorization() {
  const { supabaseUrl, publishableKey } = await config();
  const { AuthClient } = await import("../vendor/auth.js");
  const project = new URL(supabaseUrl).hostname.split(".")[0];
  return new AuthClient({
    url: `${supabaseUrl}/auth/v1`,
    headers: { apikey: publishableKey },
    storageKey: `sb-${project}-auth-token`,
    flowType: "pkce",
    detectSessionInUrl: false,
    autoRefreshToken: true,
    persistSession: true,
  });
}

/** Finds the session of this browser, or redeems the link that led here; answers what went wrong with that link. */
export async function begin() {
  client = await authorization();
  const problem = await redeem();
  const { data } = await client.getSession();
  current = data.session;
  return problem;
}

async function redeem() {
  const place = new URL(location.href);
  const code = place.searchParams.get("code");
  // What a provider refused has no code of its own.
  const failed = place.searchParams.get("error_code") ?? (place.searchParams.has("error") ? "provider" : null);
  if (!code && !failed) return null;
  for (const name of ["code", "error", "error_code", "error_description"]) place.searchParams.delete(name);
  // Supabase Auth repeats in the fragment what went wrong.
  place.hash = sessionStorage.getItem(WAY_BACK) ?? (place.hash.startsWith("#/") ? place.hash : "");
  sessionStorage.removeItem(WAY_BACK);
  history.replaceState(null, "", place);
  if (failed) return { code: failed };
  const { error } = await client.exchangeCodeForSession(code);
  return error && { code: error.code ?? "flow_state_not_found" };
}

/** The access token, renewed where it is about to end; null where nobody is signed in. */
export async function token() {
  const { data, error } = await client.getSession();
  if (error && error.name === "AuthRetryableFetchError") throw error;
  current = data?.session ?? null;
  return current?.access_token ?? null;
}

/** A new access token for one that was refused; null where the session has ended. */
export async function renewed() {
  const { data, error } = await client.refreshSession();
  if (error && error.name === "AuthRetryableFetchError") throw error;
  current = data?.session ?? null;
  return current?.access_token ?? null;
}

export async function signInWithPassword(email, password) {
  const { error } = await client.signInWithPassword({ email, password });
  return error;
}

/** Sends a link to somebody who has an account already. */
export async function sendLink(email) {
  sessionStorage.setItem(WAY_BACK, location.hash);
  const options = { shouldCreateUser: false, emailRedirectTo: home().href };
  const { error } = await client.signInWithOtp({ email, options });
  return error;
}

/** Leads to the provider; `elsewhere` in a tab of its own, so that this page stays. */
export async function signInWith(provider, elsewhere) {
  sessionStorage.setItem(WAY_BACK, location.hash);
  const options = { redirectTo: home().href, skipBrowserRedirect: true };
  const { data, error } = await client.signInWithOAuth({ provider, options });
  if (error) return error;
  if (!elsewhere || !open(data.url)) location.assign(data.url);
  return null;
}

/** On every device. */
export async function signOut() {
  leaving = true;
  tabs.postMessage("left");
  const { error } = await client.signOut({ scope: "global" });
  // Without an answer, this device at least forgets the session.
  if (error) await client.signOut({ scope: "local" });
  leaving = false;
}
