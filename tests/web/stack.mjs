// The local stack that the tests run in: addresses, people, and what is done behind the dashboard's back.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export const url = process.env.ROVODEV_TEST_PROJECT_URL;
export const admin = "admin@callcenter.example";
export const operator = "operator@callcenter.example";
export const viewer = "viewer@callcenter.example";
export const customer = "olga.petrova@northwind-dental.example";
export const stranger = "sofia.garcia@harbor-homes.example";
export const password = "demo-password";

export function sql(text) {
  const psql = `${process.env.ROVODEV_TEST_PG_BIN}/psql`;
  const database = process.env.ROVODEV_TEST_SUPERUSER_URL;
  return execFileSync(psql, ["-XqAt", "-v", "ON_ERROR_STOP=1", database], { input: text, encoding: "utf8" }).trim();
}

/** Deletes, garbles and adds rows all over the app; at least some events go each time. */
export const damage = () => sql(`${readFileSync(new URL("../../local/sql/demo/damage.sql", import.meta.url), "utf8")}
  DELETE FROM call_events WHERE id IN (SELECT id FROM call_events ORDER BY id LIMIT 3)`);

/** Everybody may ask again. */
export const rested = () => sql("DELETE FROM rovodev_rate_limits");

/** A session as Supabase Auth gives it. */
export async function person(email) {
  const told = await fetch(`${url}/auth/v1/token?grant_type=password`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ email, password }),
  });
  if (!told.ok) throw new Error(`${email}: ${told.status}`);
  return told.json();
}

/** A call of the functions as somebody. */
export async function call(email, method, path, body) {
  const { access_token: token } = await person(email);
  const told = await fetch(`${url}/api${path}`, {
    method, headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  return told.status === 204 ? null : told.json();
}

/** So many completed backups, a minute apart, none of which has a file; the second newest is pinned. */
export const nightly = (number) => sql(`
  INSERT INTO backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, created_at, pinned, size_bytes, components, tables, records, files)
  SELECT t.id, 'nightly ' || n, 'x', 'database', 'completed', 'x', now(), now() - make_interval(mins => n), n = 2, n * 1000, '["database"]', 6, n, 0
  FROM rovodev_tenants t, generate_series(1, ${number}) n WHERE slug = 'default'`);

/** A completed backup; its id. */
export async function backedUp(name, email = admin) {
  const { id } = await call(email, "POST", "/backups/create", { name, type: "full" });
  for (;;) {
    const { status, error } = await call(email, "GET", `/backups/${id}/restore/status`);
    if (status === "completed") return id;
    if (!["pending", "in_progress"].includes(status)) throw new Error(`${name}: ${status} ${error}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
