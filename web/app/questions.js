// What each page asks for first, as [path below the API, query]: the page asks it, or before the page is there ahead.js does.

/** Backups on home, and how many of what is under way. */
const RECENT = 5;
/** Backups that one answer of the list brings, entries of the log, backups to restore from. */
export const PAGE = 96;
const ENTRIES = 50;
const FEW = 10;
export const YEAR = 365;

export const health = ["/status/health"];
export const recent = ["/backups/list", { limit: RECENT }];
/** Several, since the newest may be damaged. */
export const lastGood = ["/backups/list", { limit: RECENT, status: "completed", trigger: "manual,scheduled,deploy" }];
export const restoresUnderWay = ["/workspace/restores", { status: "pending,in_progress", limit: RECENT }];
export const schedules = ["/schedules"];
/** How much is stored, and how much may be. */
export const storage = ["/workspace/metrics", { days: 1 }];
export const channels = ["/workspace/channels"];
export const schedule = (id) => ["/schedules", { id }];
export const details = (id) => [`/backups/${id}/details`];
export const backups = (query, offset = 0, limit = PAGE) => ["/backups/list", { ...filtered(query), limit, offset }];
export const restorable = (q) => ["/backups/list", { q, status: "completed", type: "full,database", limit: FEW }];
export const activity = (query, cursor) => ["/workspace/activity", { ...logged(query), limit: ENTRIES, cursor }];
/** All charts of a year: a shorter period is its end. */
export const metrics = ({ schedule }) => ["/workspace/metrics", { days: YEAR, timezone: zone(), schedule }];

const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The address's query as the functions read it: days are the reader's own. */
export function filtered({ q, type, status, trigger, from, to, sort, order }) {
  const day = (text, later) => {
    const [year, month, date] = text.split("-").map(Number);
    return new Date(year, month - 1, date + later).toISOString();
  };
  return { q, type, status, trigger, sort, order, from: from && day(from, 0), to: to && day(to, 1) };
}

export function logged({ action, outcome, ...query }) {
  const { q, from, to } = filtered(query);
  return { q, from, to, action, outcome };
}
