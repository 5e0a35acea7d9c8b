// Addresses live in the fragment, so that the dashboard works under any path of any host: #/backups?type=full

import * as asks from "./questions.js";

const TOP = "rovodev-top";

/** Where each page is, what it asks for first, and who may ask for that where not everybody may. A page more is a file more
 * and a line here. */
const ROUTES = [
  {
    pattern: /^\/$/, load: () => import("../pages/home.js"), name: "home",
    first: () => [asks.recent, asks.lastGood, asks.restoresUnderWay, asks.health, asks.schedules, asks.storage],
  },
  { pattern: /^\/backups$/, load: () => import("../pages/backups.js"), name: "backups", first: ({ query }) => [asks.backups(query)] },
  {
    pattern: /^\/backups\/(?<id>[0-9a-f-]{36})$/, load: () => import("../pages/backup.js"), name: "backups",
    first: ({ params }) => [asks.details(params.id)],
  },
  { pattern: /^\/create$/, load: () => import("../pages/create.js"), name: "create", within: "backups" },
  {
    pattern: /^\/restore$/, load: () => import("../pages/restore.js"), name: "restore", within: "backups", role: "admin",
    first: ({ query: { backup, operation } }) => (operation ? [] : [backup ? asks.details(backup) : asks.restorable("")]),
  },
  { pattern: /^\/schedules$/, load: () => import("../pages/schedules.js"), name: "schedules", first: () => [asks.schedules] },
  {
    pattern: /^\/schedules\/(?:new|(?<id>[0-9a-f-]{36}))$/, load: () => import("../pages/schedule.js"), name: "schedules", role: "admin",
    first: ({ params: { id } }) => (id ? [asks.schedule(id)] : []),
  },
  {
    pattern: /^\/settings$/, load: () => import("../pages/settings.js"), name: "settings", role: "operator",
    first: () => [asks.channels, asks.schedules],
  },
  {
    pattern: /^\/trends$/, load: () => import("../pages/trends.js"), name: "trends", within: "activity",
    first: ({ query }) => [asks.metrics(query), asks.schedules],
  },
  { pattern: /^\/activity$/, load: () => import("../pages/activity.js"), name: "activity", first: ({ query }) => [asks.activity(query)] },
];

/** The fragment that leads to a page. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#${path}${text && `?${text}`}`;
}

export function here() {
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  return { path, query: Object.fromEntries(new URLSearchParams(query)) };
}

export function go(path, query) {
  location.hash = address(path, query);
}

/** Says in the address what the page shows, without another visit. */
export function note(query) {
  history.replaceState({ ...history.state, [TOP]: 0 }, "", address(here().path, query));
}

/** Where this visit is scrolled to, for the way back. What a host keeps with the address stays. */
export function keepTop() {
  history.replaceState({ ...history.state, [TOP]: scrollY }, "");
}

export const keptTop = () => history.state?.[TOP] ?? 0;

/** The page of the address: {name, load, within, role, first, params, query}. */
export function find() {
  const { path, query } = here();
  for (const route of ROUTES) {
    const found = route.pattern.exec(path);
    if (found) return { ...route, params: found.groups ?? {}, query };
  }
  return { name: "none", load: () => import("../pages/nowhere.js"), params: {}, query };
}
