// In which tenant the caller works, and what the caller may do there.

const KEPT = "rovodev-tenant";
const KNOWN = "rovodev-who";
const RANKS = { viewer: 1, operator: 2, admin: 3 };
let who = { tenants: [] };
let chosen;

export const chosenTenant = () => tenant()?.slug;
export const tenants = () => who.tenants;
export const person = () => who.email;

/** What the catalog told of `user`; kept for the next visit. */
export function know(user, told) {
  who = told;
  localStorage.setItem(KNOWN, JSON.stringify({ user, told }));
}

/** Shows what the catalog told of `user` at another visit, until it is asked again; answers whether there was any. */
export function recall(user) {
  try {
    const kept = JSON.parse(localStorage.getItem(KNOWN));
    if (kept?.user !== user) return null;
    who = kept.told;
    return who;
  } catch {
    return null;
  }
}

export const forget = () => localStorage.removeItem(KNOWN);

export function tenant() {
  if (chosen === undefined) chosen = localStorage.getItem(KEPT);
  return who.tenants.find((each) => each.slug === chosen) ?? who.tenants[0];
}

/** For this tab and those to come: another tab must not change what this one is about. */
export function choose(slug) {
  chosen = slug;
  localStorage.setItem(KEPT, slug);
}

/** Whether the caller's role is this one or a higher one. */
export function may(role) {
  return RANKS[tenant()?.role] >= RANKS[role];
}
