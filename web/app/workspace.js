// In which tenant the caller works, and what the caller may do there.

const KEPT = "rovodev-tenant";
const RANKS = { viewer: 1, operator: 2, admin: 3 };
let who = { tenants: [] };

export const chosenTenant = () => tenant()?.slug;
export const tenants = () => who.tenants;
export const person = () => who.email;

export function know(told) {
  who = told;
}

export function tenant() {
  const wanted = localStorage.getItem(KEPT);
  return who.tenants.find((each) => each.slug === wanted) ?? who.tenants[0];
}

export function choose(slug) {
  localStorage.setItem(KEPT, slug);
}

/** Whether the caller's role is this one or a higher one. */
export function may(role) {
  return RANKS[tenant()?.role] >= RANKS[role];
}
