// Addresses live in the fragment, so that the dashboard works under any path of any host: #/backups?type=full

import { words } from "../words/en.js";

const TOP = "rovodev-top";

/** Where each page is. A page more is a file more and a line here. */
const ROUTES = [
  { pattern: /^\/$/, load: () => import("../pages/home.js"), name: "home" },
  { pattern: /^\/backups$/, load: () => import("../pages/backups.js"), name: "backups" },
  { pattern: /^\/backups\/(?<id>[0-9a-f-]{36})$/, load: () => import("../pages/backup.js"), name: "backups" },
  { pattern: /^\/create$/, load: () => import("../pages/create.js"), name: "create", within: "backups" },
  { pattern: /^\/restore$/, load: () => import("../pages/restore.js"), name: "restore", within: "backups" },
  { pattern: /^\/schedules$/, load: () => import("../pages/schedules.js"), name: "schedules" },
  { pattern: /^\/schedules\/(?:new|(?<id>[0-9a-f-]{36}))$/, load: () => import("../pages/schedule.js"), name: "schedules" },
  { pattern: /^\/settings$/, load: () => import("../pages/settings.js"), name: "settings" },
  { pattern: /^\/trends$/, load: () => import("../pages/trends.js"), name: "trends", within: "activity" },
  { pattern: /^\/activity$/, load: () => import("../pages/activity.js"), name: "activity" },
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

/** The page of the address: {name, load, params, query}. */
export function find() {
  const { path, query } = here();
  for (const route of ROUTES) {
    const found = route.pattern.exec(path);
    if (found) return { ...route, params: found.groups ?? {}, query };
  }
  return { name: "none", load: () => import("../pages/nowhere.js"), params: {}, query };
}

export const title = (name, app) => [words.titles[name] ?? words.titles.none, app].filter(Boolean).join(" · ");
