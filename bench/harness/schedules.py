"""Schedules: a tick that claims the runs of ten thousand tenants, and a preview of retention over ten thousand backups."""

import json
import statistics

from .client import Client
from .measure import Failed
from .service import CATALOG, LIVE, milliseconds

TENANTS = 10_000
BACKUPS = 10_000
PREVIEWS = 20
# Each tenant has rows of its own, of which there are none: what is measured is the claim.
FILL = f"""
    INSERT INTO rovodev_tenants (slug, name, scope_column, scope_value)
    SELECT 'bench-' || n, 'Bench ' || n, 'organization_id', md5(n::text)::uuid::text FROM generate_series(1, {TENANTS}) n;
    INSERT INTO backup_schedules (tenant_id, name, cron_expression, timezone, backup_type, retention, jitter_seconds, next_run_at)
    SELECT t.id, 'Nightly', '0 2 * * *', (ARRAY['UTC', 'Europe/Berlin', 'America/New_York'])[1 + n % 3], 'database',
        '{{"keepDaily": 7, "keepWeekly": 4}}', n % 600, now() + interval '1 day'
    FROM (SELECT id, row_number() OVER () AS n FROM rovodev_tenants WHERE slug LIKE 'bench-%') t;
    ANALYZE rovodev_tenants; ANALYZE backup_schedules"""
DUE = "UPDATE backup_schedules SET next_run_at = now() - interval '1 second' WHERE name = 'Nightly'"
# Whoever works behind an answer finds nothing more to do.
FORGET = "TRUNCATE rovodev_jobs, backups CASCADE; SELECT pgmq.purge_queue('rovodev_jobs')"
HISTORY = f"""
    INSERT INTO backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, created_at, schedule_id, trigger)
    SELECT s.tenant_id, 'backup ' || n, 'x', 'database', 'completed', 'x', now(), now() - n * interval '1 hour', s.id, 'scheduled'
    FROM backup_schedules s, generate_series(1, {BACKUPS}) n WHERE s.id = '{{}}';
    ANALYZE backups"""


def measured(stack, dataset, rounds):
    """What the line for programs says of schedules; each the median of the whole call."""
    dataset.drop(LIVE)
    dataset.create(LIVE, dataset.database)
    client = Client(stack.project)
    stack.psql(CATALOG, FILL, superuser=True)
    answer = {"claim_ms": claim(stack, rounds), "preview_ms": preview(stack, client)}
    dataset.drop(LIVE)
    for title, figure in answer.items():
        print(f"  {title:14} {figure}", flush=True)
    return answer


def claim(stack, rounds):
    """The tick's answer: claims, what is overdue, what expires, what waits."""
    tick = Client.of(stack.project["url"], stack.project["cron"])
    times = []
    for _ in range(rounds):
        stack.psql(CATALOG, FORGET, superuser=True)
        stack.psql(CATALOG, DUE, superuser=True)
        stack.settle()
        status, text, seconds = tick.timed("GET", "/api/cron/tick")
        stack.psql(CATALOG, FORGET, superuser=True)
        if status != 200 or json.loads(text)["claimed"] != TENANTS:
            raise Failed(f"tick: {status} {text[:500]}")
        times.append(seconds)
    return milliseconds(statistics.median(times))


def preview(stack, client):
    wanted = {
        "name": "Hourly", "cron": "0 * * * *", "type": "database",
        "retention": {"keepHourly": 24, "keepDaily": 7, "keepWeekly": 4, "keepMonthly": 12},
    }
    schedule = client.demand("POST", "/api/schedules", wanted)["id"]
    stack.psql(CATALOG, HISTORY.format(schedule), superuser=True)
    times = []
    for _ in range(PREVIEWS):
        status, text, seconds = client.timed("GET", f"/api/schedules?id={schedule}&preview=retention")
        told = json.loads(text)
        if status != 200 or told["keeps"] + told["expires"] != BACKUPS:
            raise Failed(f"preview: {status} {text[:500]}")
        times.append(seconds)
    return milliseconds(statistics.median(times))
