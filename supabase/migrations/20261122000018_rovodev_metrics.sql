-- What happened day by day, for charts; and how the service does now, for a scraper.

CREATE INDEX restore_operations_day ON public.restore_operations (tenant_id, created_at) WHERE NOT preview;
CREATE INDEX rovodev_audit_log_day ON public.rovodev_audit_log (tenant_id, at);

-- Days end at midnight of `zone`; rights are the caller's own (RLS). A backup belongs to the day on which it was asked
-- for. Of what still runs nothing is counted but that it began. Durations are milliseconds. {days, schedules, doors}.
CREATE FUNCTION public.rovodev_read_metrics(
    tenant text DEFAULT NULL, days integer DEFAULT 90, zone text DEFAULT 'UTC', schedule uuid DEFAULT NULL,
    at timestamptz DEFAULT now()
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = '' SET jit = off AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    first date;
    last date;
    since timestamptz;
    until timestamptz;
    by_day jsonb;
    by_schedule jsonb;
    by_door jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    last := (at AT TIME ZONE zone)::date;
    first := last - (least(greatest(days, 1), 366) - 1);
    since := first::timestamp AT TIME ZONE zone;
    until := (last + 1)::timestamp AT TIME ZONE zone;
    WITH runs AS MATERIALIZED (
        SELECT (b.created_at AT TIME ZONE zone)::date AS day, b.schedule_id, b.status, b.size_bytes, b.new_bytes,
            CASE WHEN b.status = 'completed' THEN 1000 * extract(epoch FROM b.finished_at - b.started_at)::float8 END AS took
        FROM public.backups b
        WHERE b.tenant_id = owner.id AND b.created_at >= since AND b.created_at < until
            AND (rovodev_read_metrics.schedule IS NULL OR b.schedule_id = rovodev_read_metrics.schedule)
    ), taken AS (
        SELECT day, count(*) AS runs, count(*) FILTER (WHERE status = 'completed') AS succeeded,
            count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took,
            coalesce(sum(size_bytes), 0)::bigint AS size, coalesce(sum(new_bytes), 0)::bigint AS new_bytes
        FROM runs GROUP BY day
    ), restored AS (
        SELECT (o.created_at AT TIME ZONE zone)::date AS day, count(*) AS restores,
            count(*) FILTER (WHERE o.status = 'failed') AS failed,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY CASE WHEN o.status = 'completed'
                THEN 1000 * extract(epoch FROM o.completed_at - o.started_at)::float8 END) AS took
        FROM public.restore_operations o
        WHERE o.tenant_id = owner.id AND NOT o.preview AND o.created_at >= since AND o.created_at < until
            AND (rovodev_read_metrics.schedule IS NULL OR EXISTS (SELECT FROM public.backups b
                WHERE b.id = o.backup_id AND b.schedule_id = rovodev_read_metrics.schedule))
        GROUP BY 1
    )
    SELECT jsonb_agg(jsonb_build_object(
        'day', d.day, 'runs', coalesce(t.runs, 0), 'succeeded', coalesce(t.succeeded, 0), 'failed', coalesce(t.failed, 0),
        'cancelled', coalesce(t.cancelled, 0), 'durationP50Ms', round(t.took[1])::bigint, 'durationP95Ms', round(t.took[2])::bigint,
        'size', coalesce(t.size, 0), 'newBytes', coalesce(t.new_bytes, 0), 'restores', coalesce(r.restores, 0),
        'restoresFailed', coalesce(r.failed, 0), 'restoreP50Ms', round(r.took[1])::bigint, 'restoreP95Ms', round(r.took[2])::bigint
    ) ORDER BY d.day), (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'schedule', g.schedule_id, 'name', s.name, 'runs', g.runs, 'succeeded', g.succeeded, 'failed', g.failed,
            'cancelled', g.cancelled, 'durationP50Ms', round(g.took[1])::bigint, 'durationP95Ms', round(g.took[2])::bigint, 'size', g.size,
            'newBytes', g.new_bytes
        ) ORDER BY g.runs DESC, g.schedule_id), '[]')
        FROM (
            SELECT schedule_id, count(*) AS runs, count(*) FILTER (WHERE status = 'completed') AS succeeded,
                count(*) FILTER (WHERE status = 'failed') AS failed,
                count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
                percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took,
                coalesce(sum(size_bytes), 0)::bigint AS size, coalesce(sum(new_bytes), 0)::bigint AS new_bytes
            FROM runs GROUP BY schedule_id
        ) g LEFT JOIN public.backup_schedules s ON s.id = g.schedule_id
    )
    INTO by_day, by_schedule
    FROM (SELECT first + step AS day FROM generate_series(0, last - first) step) d
    LEFT JOIN taken t USING (day) LEFT JOIN restored r USING (day);
    -- What was asked for, not how jobs ended. What schedules wanted stands in no log: it is the backups that nobody asked for.
    SELECT coalesce(jsonb_agg(jsonb_build_object('day', e.day, 'door', e.door, 'operations', e.operations)
        ORDER BY e.day, e.door), '[]') INTO by_door
    FROM (
        SELECT (o.at AT TIME ZONE zone)::date AS day, o.door, count(*) AS operations
        FROM (
            SELECT a.at, a.door FROM public.rovodev_audit_log a
            WHERE a.tenant_id = owner.id AND a.at >= since AND a.at < until AND a.door <> 'job' AND a.outcome = 'done'
            UNION ALL
            SELECT b.created_at, 'cron' FROM public.backups b
            WHERE b.tenant_id = owner.id AND b.created_at >= since AND b.created_at < until
                AND b.trigger = 'scheduled' AND b.created_by LIKE 'schedule %'
        ) o
        GROUP BY 1, 2
    ) e;
    RETURN jsonb_build_object('outcome', 'done', 'from', first, 'to', last, 'days', by_day, 'schedules', by_schedule,
        'doors', by_door);
END $$;
COMMENT ON FUNCTION public.rovodev_read_metrics IS 'rovodev:catalog What happened day by day.';

-- How the service does now, of all tenants: {backups, schedules, jobs, checks}.
CREATE FUNCTION public.rovodev_read_gauges() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET jit = off AS $$
    SELECT jsonb_build_object(
        'backups', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('tenant', t.slug, 'status', k.status, 'count', k.held,
                'bytes', k.bytes, 'newest', extract(epoch FROM k.newest)::float8)), '[]')
            FROM (
                SELECT b.tenant_id, b.status, count(*) AS held, coalesce(sum(b.size_bytes), 0)::bigint AS bytes,
                    max(b.finished_at) AS newest
                FROM public.backups b WHERE b.deleted_at IS NULL GROUP BY 1, 2
            ) k JOIN public.rovodev_tenants t ON t.id = k.tenant_id
        ),
        'schedules', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('tenant', t.slug, 'id', s.id, 'name', s.name,
                'failures', s.failures_in_a_row, 'overdue', CASE WHEN s.enabled AND s.next_run_at < now()
                    THEN extract(epoch FROM now() - s.next_run_at)::float8 ELSE 0 END)), '[]')
            FROM public.backup_schedules s JOIN public.rovodev_tenants t ON t.id = s.tenant_id
        ),
        'jobs', (
            SELECT jsonb_build_object('queued', count(*) FILTER (WHERE j.state = 'queued'),
                'running', count(*) FILTER (WHERE j.state = 'running'),
                'oldest', coalesce(extract(epoch FROM now() - min(j.created_at) FILTER (WHERE j.state = 'queued')), 0)::float8)
            FROM public.rovodev_jobs j WHERE j.state IN ('queued', 'running')
        ),
        'checks', (SELECT count(*) FROM public.rovodev_deploy_checks c WHERE c.ended_at IS NULL)
    )
$$;
COMMENT ON FUNCTION public.rovodev_read_gauges IS 'rovodev:catalog How the service does now.';

REVOKE ALL ON FUNCTION
    public.rovodev_read_metrics(text, integer, text, uuid, timestamptz), public.rovodev_read_gauges()
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION public.rovodev_read_metrics(text, integer, text, uuid, timestamptz) TO authenticated;
GRANT EXECUTE ON FUNCTION public.rovodev_read_gauges() TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000018');
