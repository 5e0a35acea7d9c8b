// Who is signed in. The session is the one of Supabase's own client on this origin: whoever is signed in to the host
// app is signed in here, and signing out here ends both.

import { config, home } from "./config.js";

const WAY_BACK = "rovodev-way-back";
/** The client renews tokens that end within this, in milliseconds; others serve without it. */
const LASTS = 100_000;
/** A browser may sleep meanwhile, so that the clock is looked at again. */
const LOOK = 60_000;
const tabs = new BroadcastChannel("rovodev-session");
let loading;
let heard;
let current = null;
let leaving = false;

/** Calls once, when somebody is signed in next, here or in another tab. */
export async function onEntered(listener) {
  const { data } = (await client()).onAuthStateChange((event) => {
    if (event !== "SIGNED_IN") return;
    data.subscription.unsubscribe();
    listener();
  });
}

/** {entered, ended, left}: what to do when somebody is signed in, when a session ended by itself, when it was left. */
export function onChange(listeners) {
  heard = listeners;
  tabs.addEventListener("message", heard.left);
}

/** From now on the session is renewed before it ends, and other tabs are heard. Supabase's client comes when it is time to renew. */
export async function keep() {
  const name = await key();
  addEventListener("storage", (event) => event.key === name && !loading && changedElsewhere(event.newValue));
  const renew = () => {
    if (loading) return;
    const rest = current ? current.expires_at * 1000 - LASTS - Date.now() : LOOK;
    if (rest <= 0) client().catch(() => setTimeout(renew, LOOK));
    else setTimeout(renew, Math.min(rest, LOOK));
  };
  renew();
}

function changedElsewhere(text) {
  const before = current;
  current = parsed(text);
  // What is on the screen is not for somebody else.
  if (before && current && before.user.id !== current.user.id) location.reload();
  if (!before && current) heard?.entered();
  if (before && !current) heard?.ended();
}

export const session = () => current;

async function key() {
  const { supabaseUrl } = await config();
  return `sb-${new URL(supabaseUrl).hostname.split(".")[0]}-auth-token`;
}

/** Supabase's own client. It is large, so that what can go on without it does. */
function client() {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load() {
  const { supabaseUrl, publishableKey } = await config();
  const { AuthClient } = await import("../vendor/auth.js");
  const made = new AuthClient({
    url: `${supabaseUrl}/auth/v1`,
    headers: { apikey: publishableKey },
    storageKey: await key(),
    flowType: "pkce",
    detectSessionInUrl: false,
    autoRefreshToken: true,
    persistSession: true,
  });
  made.onAuthStateChange((event, changed) => {
    current = changed;
    if (event === "SIGNED_IN") heard?.entered();
    if (event === "SIGNED_OUT") (leaving ? heard?.left : heard?.ended)?.();
  });
  return made;
}

/** The session as the client keeps it in this browser. */
const kept = async () => parsed(localStorage.getItem(await key()));

function parsed(text) {
  try {
    const session = JSON.parse(text);
    return session?.access_token && session.user ? session : null;
  } catch {
    return null;
  }
}

/** The session of this browser, if it serves as it is. */
export async function lasting() {
  const held = await kept();
  return lasts(held) ? held : null;
}

const lasts = (held) => Boolean(held) && held.expires_at * 1000 - Date.now() > LASTS;

/** Finds the session of this browser, or redeems the link that led here; answers what went wrong with that link. */
export async function begin() {
  const problem = await redeem();
  current = await kept();
  if (current && !lasts(current)) await token();
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
  history.replaceState(history.state, "", place);
  if (failed) return { code: failed };
  const { error } = await (await client()).exchangeCodeForSession(code);
  return error && { code: error.code ?? "flow_state_not_found" };
}

/** The access token, renewed where it is about to end; null where nobody is signed in. */
export async function token() {
  if (lasts(current)) return current.access_token;
  const { data, error } = await (await client()).getSession();
  if (error && error.name === "AuthRetryableFetchError") throw error;
  current = data?.session ?? null;
  return current?.access_token ?? null;
}

/** A new access token for one that was refused; null where the session has ended. */
export async function renewed() {
  const { data, error } = await (await client()).refreshSession();
  if (error && error.name === "AuthRetryableFetchError") throw error;
  current = data?.session ?? null;
  return current?.access_token ?? null;
}

export async function signInWithPassword(email, password) {
  const { error } = await (await client()).signInWithPassword({ email, password });
  return error;
}

/** Sends a link to somebody who has an account already. */
export async function sendLink(email) {
  sessionStorage.setItem(WAY_BACK, location.hash);
  const options = { shouldCreateUser: false, emailRedirectTo: home().href };
  const { error } = await (await client()).signInWithOtp({ email, options });
  return error;
}

/** Leads to the provider; `elsewhere` in a tab of its own, so that this page stays. */
export async function signInWith(provider, elsewhere) {
  sessionStorage.setItem(WAY_BACK, location.hash);
  const options = { redirectTo: home().href, skipBrowserRedirect: true };
  const { data, error } = await (await client()).signInWithOAuth({ provider, options });
  if (error) return error;
  if (!elsewhere || !open(data.url)) location.assign(data.url);
  return null;
}

/** On every device. */
export async function signOut() {
  leaving = true;
  tabs.postMessage("left");
  const { error } = await (await client()).signOut({ scope: "global" });
  // Without an answer, this device at least forgets the session.
  if (error) await (await client()).signOut({ scope: "local" });
  leaving = false;
}
