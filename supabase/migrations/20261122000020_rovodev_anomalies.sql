-- What is told besides: backups that differ from those before them, and tenants that store more than they shall. And how
-- long reading back and restoring take.

-- Of one tenant, schedule, type and choice, the newest before `b`; deleted ones too, for a policy may keep fewer than tell
-- what is usual.
CREATE FUNCTION rovodev.backups_before(b public.backups, most integer) RETURNS SETOF public.backups
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT e.* FROM public.backups e
    WHERE e.tenant_id = b.tenant_id AND e.schedule_id IS NOT DISTINCT FROM b.schedule_id AND e.backup_type = b.backup_type
        AND e.selection = b.selection AND e.status = 'completed' AND e.trigger <> 'safety'
        AND (e.created_at, e.id) < (b.created_at, b.id)
    ORDER BY e.created_at DESC, e.id DESC LIMIT most
$$;
CREATE INDEX backups_series ON public.backups (tenant_id, created_at DESC, id DESC) WHERE status = 'completed';

-- What a backup is compared with, the newest first: [{rows, bytes, tables}]; `tables`, rows by name, of the first
-- `with_tables` alone.
CREATE FUNCTION public.rovodev_earlier_backups(backup uuid, most integer, with_tables integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('rows', coalesce(e.records, 0), 'bytes', coalesce(e.raw_bytes, 0),
        'tables', CASE WHEN e.at <= with_tables THEN coalesce((
            SELECT jsonb_object_agg(format('%s.%s', t ->> 'schema', t ->> 'name'), t -> 'records')
            FROM jsonb_array_elements(e.contents -> 'tables') t), '{}') ELSE '{}' END
    ) ORDER BY e.at), '[]')
    FROM (
        SELECT e.records, e.raw_bytes, e.contents, row_number() OVER (ORDER BY e.created_at DESC, e.id DESC) AS at
        FROM public.backups b CROSS JOIN LATERAL rovodev.backups_before(b, most) e WHERE b.id = backup
    ) e
$$;
COMMENT ON FUNCTION public.rovodev_earlier_backups IS 'rovodev:catalog What a backup is compared with.';

-- The row that a job works on takes the state of the job. `fields` are columns of that row.
CREATE OR REPLACE FUNCTION rovodev.tell_object(job public.rovodev_jobs, new_status text, fields jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    CASE job.kind
    WHEN 'backup' THEN
        UPDATE public.backups b SET
            status = new_status, attempt = job.token,
            started_at = coalesce(b.started_at, f.started_at), finished_at = coalesce(f.finished_at, b.finished_at),
            progress = f.progress, error_code = f.error_code, error_message = f.error_message,
            parent_id = coalesce(f.parent_id, b.parent_id), components = coalesce(f.components, b.components),
            size_bytes = f.size_bytes, raw_bytes = f.raw_bytes, new_bytes = f.new_bytes, tables = f.tables,
            records = f.records, files = f.files, contents = coalesce(f.contents, '{}'),
            metadata = coalesce(f.metadata, '{}'), anomalies = coalesce(f.anomalies, '[]'), warnings = coalesce(f.warnings, '[]'),
            manifest_key = f.manifest_key, manifest_hash = f.manifest_hash, cancelled_by = f.cancelled_by
        FROM jsonb_populate_record(NULL::public.backups, fields) f
        WHERE b.id = job.backup_id;
    WHEN 'restore' THEN
        UPDATE public.restore_operations o SET
            status = new_status, attempt = job.token,
            started_at = coalesce(o.started_at, f.started_at), completed_at = coalesce(f.completed_at, o.completed_at),
            progress = f.progress, error_code = f.error_code, error_message = f.error_message,
            plan = coalesce(f.plan, o.plan), result = coalesce(f.result, o.result),
            undo_until = coalesce(f.undo_until, o.undo_until),
            warnings = coalesce(f.warnings, '[]'), cancelled_by = f.cancelled_by
        FROM jsonb_populate_record(NULL::public.restore_operations, fields) f
        WHERE o.id = job.operation_id;
        IF new_status = 'completed' THEN
            -- What an undo had taken back is there again once that undo is undone.
            UPDATE public.restore_operations r SET undone_at = CASE WHEN r.id = o.undo_of THEN now() END
            FROM public.restore_operations o LEFT JOIN public.restore_operations u ON u.id = o.undo_of
            WHERE o.id = job.operation_id AND NOT o.preview AND r.id IN (o.undo_of, u.undo_of);
        END IF;
    WHEN 'export' THEN
        UPDATE public.rovodev_exports e SET
            status = new_status, attempt = job.token,
            started_at = coalesce(e.started_at, f.started_at), finished_at = coalesce(f.finished_at, e.finished_at),
            progress = f.progress, error_code = f.error_code, error_message = f.error_message,
            size_bytes = f.size_bytes,
            expires_at = CASE WHEN new_status = 'completed' THEN now() + interval '24 hours' END
        FROM jsonb_populate_record(NULL::public.rovodev_exports, fields) f
        WHERE e.id = job.export_id;
    ELSE
        -- A deletion: the row left every list when it was asked for.
        NULL;
    END CASE;
END $$;

-- What tells anomalies of one kind from others.
CREATE FUNCTION rovodev.anomaly_keys(anomalies jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT coalesce(array_agg(concat_ws(' ', a ->> 'kind', a ->> 'table') ORDER BY a ->> 'kind', a ->> 'table'), '{}')
    FROM jsonb_array_elements(anomalies) a
$$;

-- An anomaly that the backup before had as well was told then.
CREATE FUNCTION rovodev.tell_anomaly() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    keys text[] := rovodev.anomaly_keys(NEW.anomalies);
BEGIN
    IF keys <@ (SELECT rovodev.anomaly_keys(e.anomalies) FROM rovodev.backups_before(NEW, 1) e) THEN
        RETURN NEW;
    END IF;
    PERFORM rovodev.tell(NEW.tenant_id, 'backup.anomaly', NEW.schedule_id, md5(keys::text), jsonb_build_object(
        'backup', rovodev.backup_told(NEW), 'schedule', rovodev.schedule_told(NEW.schedule_id),
        'anomalies', (SELECT jsonb_agg(a -> 'text') FROM jsonb_array_elements(NEW.anomalies) a)));
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_tell_anomaly AFTER UPDATE OF status ON public.backups
    FOR EACH ROW WHEN (NEW.status = 'completed' AND OLD.status <> 'completed' AND NEW.anomalies <> '[]'
        AND NEW.trigger <> 'safety' AND NOT NEW.outside_scope AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION rovodev.tell_anomaly();

-- What tenants shall not store more of. Told, and never a reason to take no backup: a refused one is worse.
CREATE TABLE public.rovodev_quotas (
    tenant_id uuid PRIMARY KEY REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    bytes bigint NOT NULL CHECK (bytes > 0),
    -- What was told last: 0 nothing, 1 that it is near, 2 that it is exceeded.
    told integer NOT NULL DEFAULT 0 CHECK (told BETWEEN 0 AND 2)
);
COMMENT ON TABLE public.rovodev_quotas IS 'rovodev:catalog How much tenants may store.';
ALTER TABLE public.rovodev_quotas ENABLE ROW LEVEL SECURITY;

-- What a tenant's backups take in the store: what each added, and never less than the largest of them, whose rows another
-- one may have added that is gone.
CREATE FUNCTION rovodev.stored_bytes(owner uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(greatest(sum(b.new_bytes), max(b.size_bytes)), 0)::bigint
    FROM public.backups b WHERE b.tenant_id = owner AND b.deleted_at IS NULL AND b.status = 'completed'
$$;

-- {stored, quota} of one of the caller's tenants.
CREATE FUNCTION rovodev.my_storage(owner uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('stored', rovodev.stored_bytes(owner), 'quota',
        (SELECT q.bytes FROM public.rovodev_quotas q WHERE q.tenant_id = owner))
    WHERE owner IN (SELECT rovodev.my_tenants())
$$;

-- Tells that a quota is near (80 %) or exceeded, once: again only when it was five points below meanwhile.
CREATE FUNCTION rovodev.weigh(owner uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    quota public.rovodev_quotas;
    stored bigint;
    percent numeric;
    level integer;
BEGIN
    SELECT * INTO quota FROM public.rovodev_quotas q WHERE q.tenant_id = owner FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    stored := rovodev.stored_bytes(owner);
    percent := 100.0 * stored / quota.bytes;
    level := CASE WHEN percent >= 100 THEN 2 WHEN percent >= 80 THEN 1 ELSE 0 END;
    IF level < quota.told AND percent >= (CASE quota.told WHEN 2 THEN 95 ELSE 75 END) THEN
        RETURN;
    END IF;
    UPDATE public.rovodev_quotas q SET told = level WHERE q.tenant_id = owner AND q.told <> level;
    IF level > quota.told THEN
        PERFORM rovodev.tell(owner, CASE level WHEN 2 THEN 'quota.exceeded' ELSE 'quota.near' END, NULL, NULL,
            jsonb_build_object('quota', jsonb_build_object('stored', stored, 'limit', quota.bytes)));
    END IF;
END $$;

CREATE FUNCTION rovodev.weigh_backup() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM rovodev.weigh(NEW.tenant_id);
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_weigh AFTER UPDATE OF status, deleted_at ON public.backups
    FOR EACH ROW WHEN (NEW.status = 'completed'
        AND (OLD.status <> 'completed' OR (NEW.deleted_at IS NULL) <> (OLD.deleted_at IS NULL)))
    EXECUTE FUNCTION rovodev.weigh_backup();

-- {tenants: [{id, slug, name, scoped, backups, stored, quota}]}, for operators.
CREATE FUNCTION public.rovodev_operators_list_tenants() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('outcome', 'done', 'tenants', coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'slug', t.slug,
        'name', t.name, 'scoped', t.scope_column IS NOT NULL, 'stored', rovodev.stored_bytes(t.id), 'quota', q.bytes,
        'backups', (SELECT count(*) FROM public.backups b
            WHERE b.tenant_id = t.id AND b.deleted_at IS NULL AND b.status = 'completed')
    ) ORDER BY t.slug), '[]'))
    FROM public.rovodev_tenants t LEFT JOIN public.rovodev_quotas q ON q.tenant_id = t.id
$$;
COMMENT ON FUNCTION public.rovodev_operators_list_tenants IS 'rovodev:catalog Tenants and what they store, for operators.';

-- Sets what a tenant may store, or takes that away.
CREATE FUNCTION public.rovodev_operators_set_quota(tenant text, actor text, bytes bigint DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF bytes <= 0 THEN
        RETURN rovodev.refusal('bad_request', 'A quota is a number of bytes.');
    ELSIF bytes IS NULL THEN
        DELETE FROM public.rovodev_quotas q WHERE q.tenant_id = owner.id;
    ELSE
        INSERT INTO public.rovodev_quotas AS q (tenant_id, bytes) VALUES (owner.id, rovodev_operators_set_quota.bytes)
        ON CONFLICT (tenant_id) DO UPDATE SET bytes = excluded.bytes, told = 0;
        PERFORM rovodev.weigh(owner.id);
    END IF;
    PERFORM rovodev.audit_operator(owner.id, actor, 'tenant.quota', 'tenant', owner.id, NULL,
        jsonb_build_object('name', owner.name, 'bytes', bytes));
    RETURN jsonb_build_object('outcome', 'done', 'stored', rovodev.stored_bytes(owner.id), 'quota', bytes);
END $$;
COMMENT ON FUNCTION public.rovodev_operators_set_quota IS 'rovodev:catalog How much a tenant may store, for operators.';

CREATE OR REPLACE FUNCTION rovodev.events() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue', 'restore.done', 'restore.failed', 'verification.failed',
        'backup.anomaly', 'quota.near', 'quota.exceeded']
$$;

-- Days end at midnight of `zone`; rights are the caller's own (RLS). A backup belongs to the day on which it was asked
-- for, what was read back to the day on which that ended. Of what still runs nothing is counted but that it began.
-- Durations are milliseconds. {days, schedules, doors, storage}.
CREATE OR REPLACE FUNCTION public.rovodev_read_metrics(
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
    ), restores AS MATERIALIZED (
        SELECT (o.created_at AT TIME ZONE zone)::date AS day, b.schedule_id, o.status,
            CASE WHEN o.status = 'completed'
                THEN 1000 * extract(epoch FROM o.completed_at - o.started_at)::float8 END AS took
        FROM public.restore_operations o LEFT JOIN public.backups b ON b.id = o.backup_id
        WHERE o.tenant_id = owner.id AND NOT o.preview AND o.created_at >= since AND o.created_at < until
            AND (rovodev_read_metrics.schedule IS NULL OR b.schedule_id = rovodev_read_metrics.schedule)
    ), restored AS (
        SELECT day, count(*) AS restores, count(*) FILTER (WHERE status = 'failed') AS failed,
            percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took
        FROM restores GROUP BY day
    ), read_backs AS MATERIALIZED (
        SELECT (r.ended_at AT TIME ZONE zone)::date AS day, b.schedule_id, r.milliseconds::float8 AS took
        FROM public.rovodev_read_backs r JOIN public.backups b ON b.id = r.backup_id
        WHERE r.tenant_id = owner.id AND r.ended_at >= since AND r.ended_at < until
            AND (rovodev_read_metrics.schedule IS NULL OR b.schedule_id = rovodev_read_metrics.schedule)
    ), read_back AS (
        SELECT day, count(*) AS read_backs, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took
        FROM read_backs GROUP BY day
    )
    SELECT jsonb_agg(jsonb_build_object(
        'day', d.day, 'runs', coalesce(t.runs, 0), 'succeeded', coalesce(t.succeeded, 0), 'failed', coalesce(t.failed, 0),
        'cancelled', coalesce(t.cancelled, 0), 'durationP50Ms', round(t.took[1])::bigint, 'durationP95Ms', round(t.took[2])::bigint,
        'size', coalesce(t.size, 0), 'newBytes', coalesce(t.new_bytes, 0), 'restores', coalesce(r.restores, 0),
        'restoresFailed', coalesce(r.failed, 0), 'restoreP50Ms', round(r.took[1])::bigint, 'restoreP95Ms', round(r.took[2])::bigint,
        'readBacks', coalesce(k.read_backs, 0), 'readBackP50Ms', round(k.took[1])::bigint, 'readBackP95Ms', round(k.took[2])::bigint
    ) ORDER BY d.day), (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'schedule', g.schedule_id, 'name', s.name, 'runs', g.runs, 'succeeded', g.succeeded, 'failed', g.failed,
            'cancelled', g.cancelled, 'durationP50Ms', round(g.took[1])::bigint, 'durationP95Ms', round(g.took[2])::bigint, 'size', g.size,
            'newBytes', g.new_bytes, 'restores', coalesce(r.restores, 0), 'restoreP50Ms', round(r.took[1])::bigint,
            'restoreP95Ms', round(r.took[2])::bigint, 'readBacks', coalesce(k.read_backs, 0),
            'readBackP50Ms', round(k.took[1])::bigint, 'readBackP95Ms', round(k.took[2])::bigint
        ) ORDER BY g.runs DESC, g.schedule_id), '[]')
        FROM (
            SELECT schedule_id, count(*) AS runs, count(*) FILTER (WHERE status = 'completed') AS succeeded,
                count(*) FILTER (WHERE status = 'failed') AS failed,
                count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
                percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took,
                coalesce(sum(size_bytes), 0)::bigint AS size, coalesce(sum(new_bytes), 0)::bigint AS new_bytes
            FROM runs GROUP BY schedule_id
        ) g LEFT JOIN public.backup_schedules s ON s.id = g.schedule_id
        LEFT JOIN (
            SELECT schedule_id, count(*) AS restores, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took
            FROM restores GROUP BY schedule_id
        ) r ON r.schedule_id IS NOT DISTINCT FROM g.schedule_id
        LEFT JOIN (
            SELECT schedule_id, count(*) AS read_backs, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took
            FROM read_backs GROUP BY schedule_id
        ) k ON k.schedule_id IS NOT DISTINCT FROM g.schedule_id
    )
    INTO by_day, by_schedule
    FROM (SELECT first + step AS day FROM generate_series(0, last - first) step) d
    LEFT JOIN taken t USING (day) LEFT JOIN restored r USING (day) LEFT JOIN read_back k USING (day);
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
        'doors', by_door,
        'storage', rovodev.my_storage(owner.id));
END $$;

-- How the service does now, of all tenants: {backups, schedules, jobs, storage, lasted, checks}; `lasted` in seconds, of the
-- last day.
CREATE OR REPLACE FUNCTION public.rovodev_read_gauges() RETURNS jsonb
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
        'storage', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('tenant', t.slug, 'stored', rovodev.stored_bytes(t.id),
                'quota', q.bytes, 'damaged', (SELECT count(*) FROM public.backups b WHERE b.tenant_id = t.id
                    AND b.status = 'completed' AND b.deleted_at IS NULL AND b.damage IS NOT NULL))), '[]')
            FROM public.rovodev_tenants t LEFT JOIN public.rovodev_quotas q ON q.tenant_id = t.id
        ),
        'lasted', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('tenant', t.slug, 'work', w.work, 'p50', w.took[1], 'p95', w.took[2])), '[]')
            FROM (
                SELECT tenant_id, work, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY took) AS took
                FROM (
                    SELECT r.tenant_id, 'read_back' AS work, r.milliseconds / 1000.0::float8 AS took
                    FROM public.rovodev_read_backs r WHERE r.ended_at > now() - interval '1 day'
                    UNION ALL
                    SELECT o.tenant_id, 'restore', extract(epoch FROM o.completed_at - o.started_at)::float8
                    FROM public.restore_operations o
                    WHERE NOT o.preview AND o.status = 'completed' AND o.created_at > now() - interval '1 day'
                ) l GROUP BY 1, 2
            ) w JOIN public.rovodev_tenants t ON t.id = w.tenant_id
        ),
        'checks', (SELECT count(*) FROM public.rovodev_deploy_checks c WHERE c.ended_at IS NULL)
    )
$$;

-- Drops what was told more than 30 days ago, and what was read back before the year that metrics tell of. How many messages.
CREATE OR REPLACE FUNCTION public.rovodev_prune_notifications() RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM public.rovodev_notification_folds f WHERE f.told_at < now() - interval '30 days';
    DELETE FROM public.rovodev_missed_runs m WHERE m.told_at < now() - interval '30 days'
        AND NOT EXISTS (
            SELECT FROM public.backup_schedules s WHERE s.id = m.schedule_id AND s.next_run_at = m.due_at);
    DELETE FROM public.rovodev_notification_deliveries d WHERE d.created_at < now() - interval '30 days';
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM public.rovodev_read_backs r WHERE r.ended_at < now() - interval '400 days';
    RETURN gone;
END $$;

REVOKE ALL ON public.rovodev_quotas FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION
    rovodev.backups_before(public.backups, integer), rovodev.anomaly_keys(jsonb), rovodev.tell_anomaly(),
    rovodev.stored_bytes(uuid), rovodev.my_storage(uuid), rovodev.weigh(uuid), rovodev.weigh_backup(),
    public.rovodev_earlier_backups(uuid, integer, integer), public.rovodev_operators_list_tenants(),
    public.rovodev_operators_set_quota(text, text, bigint)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION rovodev.my_storage(uuid) TO authenticated;
GRANT EXECUTE ON FUNCTION
    public.rovodev_earlier_backups(uuid, integer, integer),
    public.rovodev_operators_list_tenants(),
    public.rovodev_operators_set_quota(text, text, bigint)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000020');
