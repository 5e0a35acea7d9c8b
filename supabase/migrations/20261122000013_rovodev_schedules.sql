-- Schedules: when backups are taken by themselves, and how long they are kept. The database knows no cron: whoever
-- makes, changes or claims a schedule computes its next run.

ALTER TABLE public.backup_schedules
    -- Only `cron` has an expression; the others run when somebody says so.
    ALTER COLUMN cron_expression DROP NOT NULL,
    -- That of the policy (keepDays).
    ALTER COLUMN retention_days DROP DEFAULT,
    ADD CHECK ((trigger = 'cron') = (cron_expression IS NOT NULL)),
    ADD CHECK (rovodev.is_name(name)),
    -- By so much its runs come later than the expression says.
    ADD COLUMN jitter_seconds integer NOT NULL DEFAULT 0 CHECK (jitter_seconds BETWEEN 0 AND 600),
    ADD COLUMN last_backup_id uuid,
    ADD COLUMN created_by varchar(255),
    -- What a deployment waits for, where deployments run it: nothing, its backup, or a backup that was read back from the
    -- store and verified.
    ADD COLUMN gate text NOT NULL DEFAULT 'none' CHECK (gate IN ('none', 'backup', 'checked')),
    -- Whether a deployment goes live without it.
    ADD COLUMN on_failure text NOT NULL DEFAULT 'block' CHECK (on_failure IN ('block', 'allow')),
    -- Minutes after which what is not there counts as failed.
    ADD COLUMN wait_at_most integer NOT NULL DEFAULT 30 CHECK (wait_at_most BETWEEN 1 AND 1440),
    -- Of the secret that runs it from outside.
    ADD COLUMN hook_hash text UNIQUE,
    ADD COLUMN hook_made_at timestamptz,
    -- When its policy is looked at again: at once after each of its backups, else once a day.
    ADD COLUMN retention_due_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX backup_schedules_tenant ON public.backup_schedules (tenant_id, created_at);
CREATE INDEX backup_schedules_retention ON public.backup_schedules (retention_due_at, id) WHERE retention <> '{}';
CREATE INDEX backups_schedule ON public.backups (schedule_id) WHERE schedule_id IS NOT NULL;
GRANT SELECT (jitter_seconds, last_backup_id, created_by, gate, on_failure, wait_at_most, hook_made_at)
    ON public.backup_schedules TO authenticated;

-- What became of the last run, and how often it failed since one was good.
CREATE FUNCTION rovodev.note_run() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.backup_schedules s SET
        last_result = NEW.status, last_backup_id = NEW.id, retention_due_at = now(),
        failures_in_a_row = CASE NEW.status WHEN 'completed' THEN 0 WHEN 'failed' THEN s.failures_in_a_row + 1
            ELSE s.failures_in_a_row END
    WHERE s.id = NEW.schedule_id;
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_note_run AFTER UPDATE OF status ON public.backups
    FOR EACH ROW WHEN (NEW.schedule_id IS NOT NULL AND NEW.status IS DISTINCT FROM OLD.status
        AND NEW.status IN ('completed', 'failed', 'cancelled'))
    EXECUTE FUNCTION rovodev.note_run();

-- A schedule as everybody is shown it.
CREATE FUNCTION rovodev.schedule_as_json(s public.backup_schedules) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT jsonb_build_object(
        'id', s.id, 'name', s.name, 'cron', s.cron_expression, 'timezone', s.timezone, 'trigger', s.trigger,
        'type', s.backup_type, 'components', s.components, 'compress', s.compress, 'retention', s.retention,
        'enabled', s.enabled, 'jitterSeconds', s.jitter_seconds, 'nextRunAt', s.next_run_at, 'lastRunAt', s.last_run_at,
        'lastResult', s.last_result, 'lastBackupId', s.last_backup_id, 'failuresInARow', s.failures_in_a_row,
        'createdAt', s.created_at, 'createdBy', s.created_by, 'gate', s.gate, 'onFailure', s.on_failure,
        'waitAtMost', s.wait_at_most, 'hookMadeAt', s.hook_made_at
    )
$$;

CREATE FUNCTION public.rovodev_list_schedules(tenant text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'schedules', rovodev.schedules_of(owner.id));
END $$;
COMMENT ON FUNCTION public.rovodev_list_schedules IS 'rovodev:catalog Schedules of a tenant.';

CREATE FUNCTION rovodev.schedules_of(owner uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(rovodev.schedule_as_json(s) ORDER BY s.created_at, s.id), '[]')
    FROM public.backup_schedules s WHERE s.tenant_id = owner
$$;

-- What a policy decides over: backups of a schedule as retention sees them. What its tenant may not see any more is not
-- among them, and does not expire.
CREATE FUNCTION rovodev.scheduled_backups(schedule uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', b.id, 'name', b.name, 'createdAt', b.created_at, 'status', b.status, 'trigger', b.trigger,
        'pinned', b.pinned, 'verifiedAt', b.verified_at, 'size', b.size_bytes,
        'guardsUndo', b.trigger = 'safety' AND EXISTS (
            SELECT FROM public.restore_operations o
            WHERE o.safety_backup_id = b.id AND rovodev.undo_refusal(o) IS NULL)
    ) ORDER BY b.created_at DESC, b.id DESC), '[]')
    FROM public.backups b WHERE b.schedule_id = schedule AND b.deleted_at IS NULL AND NOT b.outside_scope
$$;

-- A schedule of one of the caller's tenants; NULL for a foreign one, as for none.
CREATE FUNCTION rovodev.my_schedule(schedule uuid) RETURNS public.backup_schedules
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT s FROM public.backup_schedules s WHERE s.id = schedule AND s.tenant_id IN (SELECT rovodev.my_tenants())
$$;

-- {schedule, backups}: one schedule, and on demand what its policy decides over.
CREATE FUNCTION public.rovodev_show_schedule(schedule uuid, with_backups boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.backup_schedules := rovodev.my_schedule(schedule);
BEGIN
    IF found.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'schedule', rovodev.schedule_as_json(found),
        'backups', CASE WHEN with_backups THEN rovodev.scheduled_backups(found.id) ELSE '[]' END);
END $$;
COMMENT ON FUNCTION public.rovodev_show_schedule IS 'rovodev:catalog One schedule, with its backups.';

-- Whether a field holds a retention policy; so does none.
CREATE FUNCTION rovodev.is_policy(field jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE jsonb_typeof(field) WHEN 'object' THEN NOT EXISTS (
        SELECT FROM jsonb_each(field) AS rule (name, kept)
        WHERE name NOT IN ('keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly', 'keepDays')
            OR CASE jsonb_typeof(kept) WHEN 'number' THEN kept::text !~ '^[1-9][0-9]{0,4}$' ELSE true END
    ) ELSE field IS NULL END
$$;

-- Why a schedule cannot be as asked for; NULL where it can. `request` as in rovodev_create_schedule.
CREATE FUNCTION rovodev.schedule_refusal(owner public.rovodev_tenants, request jsonb) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN NOT rovodev.is_request(request) OR NOT coalesce(rovodev.is_name(request -> 'name'), true)
            OR NOT rovodev.is_policy(request -> 'retention') OR length(request ->> 'timezone') > 100
            OR length(request ->> 'cron') > 100
            OR NOT coalesce((request -> 'components') <@ '["database", "config"]', true)
            OR NOT coalesce(request ->> 'type', 'full') IN ('full', 'database', 'config')
            OR NOT coalesce(request ->> 'trigger', 'cron') IN ('cron', 'deploy', 'manual')
            OR NOT coalesce(request ->> 'gate', 'none') IN ('none', 'backup', 'checked')
            OR NOT coalesce(request ->> 'onFailure', 'block') IN ('block', 'allow')
            OR NOT coalesce(request ->> 'waitAtMost', '30') ~ '^([1-9][0-9]{0,2}|1[0-3][0-9]{2}|14[0-3][0-9]|1440)$' THEN
            rovodev.refusal('bad_request', 'A schedule holds name, cron, timezone, trigger, type, components, compress, '
                'retention, enabled, gate, onFailure and waitAtMost.')
        WHEN owner.scope_column IS NOT NULL AND request ->> 'type' = 'config' THEN
            rovodev.refusal('scoped', 'Configuration is not part of this tenant.')
    END
$$;

-- The row as a request wants it: what is absent stays. A scope takes rows alone.
CREATE FUNCTION rovodev.changed_schedule(
    owner public.rovodev_tenants, old public.backup_schedules, request jsonb
) RETURNS public.backup_schedules LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    old.name := coalesce(request ->> 'name', old.name);
    old.timezone := coalesce(request ->> 'timezone', old.timezone);
    old.trigger := coalesce(request ->> 'trigger', old.trigger);
    old.cron_expression := CASE WHEN old.trigger = 'cron' THEN coalesce(request ->> 'cron', old.cron_expression) END;
    old.backup_type := CASE WHEN owner.scope_column IS NULL THEN coalesce(request ->> 'type', old.backup_type) ELSE 'database' END;
    old.components := CASE WHEN owner.scope_column IS NULL THEN coalesce(request -> 'components', old.components)
        ELSE '["database"]' END;
    old.compress := coalesce((request ->> 'compress')::boolean, old.compress);
    old.enabled := coalesce((request ->> 'enabled')::boolean, old.enabled);
    old.gate := coalesce(request ->> 'gate', old.gate);
    old.on_failure := coalesce(request ->> 'onFailure', old.on_failure);
    old.wait_at_most := coalesce((request ->> 'waitAtMost')::integer, old.wait_at_most);
    old.retention := coalesce(request -> 'retention', old.retention);
    old.retention_days := (old.retention ->> 'keepDays')::integer;
    old.retention_due_at := now();
    old.jitter_seconds := coalesce((request ->> 'jitterSeconds')::integer, old.jitter_seconds);
    -- One that is off, or has no time, has no next run.
    old.next_run_at := CASE WHEN old.enabled AND old.trigger = 'cron'
        THEN coalesce((request ->> 'nextRunAt')::timestamptz, old.next_run_at) END;
    RETURN old;
END $$;

-- `schedule`: {id, name, cron, timezone, trigger, type, components, compress, retention, enabled, jitterSeconds, nextRunAt}.
-- The id is chosen by who asks; a second request with it changes nothing.
CREATE FUNCTION public.rovodev_create_schedule(
    request jsonb, tenant text DEFAULT NULL, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_create_schedule.request);
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    made public.backup_schedules;
    refused jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    refused := rovodev.refuse_unless(owner.id, 'admin', 'schedule.create', 'schedule', NULL, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    refused := rovodev.make_schedule(owner, request, coalesce(rovodev.caller_email(), rovodev.caller()::text));
    PERFORM rovodev.audit(owner.id, door, 'schedule.create', 'schedule', (refused -> 'schedule' ->> 'id')::uuid,
        refused ->> 'outcome', refused ->> 'code', address, jsonb_build_object('name', request ->> 'name'));
    RETURN refused;
END $$;
COMMENT ON FUNCTION public.rovodev_create_schedule IS 'rovodev:catalog Makes a schedule.';

-- {outcome, schedule}, or why not; whoever asks.
CREATE FUNCTION rovodev.make_schedule(owner public.rovodev_tenants, request jsonb, maker text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    made public.backup_schedules;
    why jsonb := rovodev.schedule_refusal(owner, request);
BEGIN
    IF why IS NOT NULL THEN
        RETURN why;
    ELSIF request ->> 'id' IS NULL OR request ->> 'name' IS NULL
        OR (coalesce(request ->> 'trigger', 'cron') = 'cron') <> (request ->> 'cron' IS NOT NULL) THEN
        RETURN rovodev.refusal('bad_request', 'A schedule needs an id and a name, and an expression where its trigger is cron.');
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev schedules ' || owner.id, 0));
    IF (SELECT count(*) FROM public.backup_schedules s WHERE s.tenant_id = owner.id) >= 100 THEN
        RETURN rovodev.refusal('too_many_schedules', 'A tenant has 100 schedules at most. Delete one that is not needed.');
    END IF;
    made.id := (request ->> 'id')::uuid;
    made.tenant_id := owner.id;
    made.created_at := now();
    made.created_by := left(maker, 255);
    made.failures_in_a_row := 0;
    made.timezone := 'UTC';
    made.trigger := 'cron';
    made.backup_type := 'full';
    made.components := '[]';
    made.compress := true;
    made.enabled := true;
    made.retention := '{}';
    made.jitter_seconds := 0;
    made.gate := 'none';
    made.on_failure := 'block';
    made.wait_at_most := 30;
    made := rovodev.changed_schedule(owner, made, request);
    INSERT INTO public.backup_schedules SELECT (made).* ON CONFLICT (id) DO NOTHING;
    SELECT * INTO made FROM public.backup_schedules s WHERE s.id = made.id AND s.tenant_id = owner.id;
    RETURN jsonb_build_object('outcome', 'done', 'schedule', rovodev.schedule_as_json(made));
END $$;

CREATE FUNCTION public.rovodev_change_schedule(
    schedule uuid, change jsonb, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    change jsonb := rovodev.unwrapped(rovodev_change_schedule.change);
    old public.backup_schedules := rovodev.my_schedule(schedule);
    answer jsonb;
BEGIN
    IF old.id IS NULL THEN
        RETURN rovodev.refuse_unknown('schedule.change', schedule, door, address, 'schedule');
    END IF;
    answer := rovodev.refuse_unless(old.tenant_id, 'admin', 'schedule.change', 'schedule', schedule, door, address);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    answer := rovodev.alter_schedule(old.tenant_id, schedule, change);
    PERFORM rovodev.audit(old.tenant_id, door, 'schedule.change', 'schedule', schedule, answer ->> 'outcome',
        answer ->> 'code', address, CASE WHEN rovodev.is_request(change) THEN change - 'nextRunAt' ELSE '{}' END
            || jsonb_build_object('name', old.name));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_change_schedule IS 'rovodev:catalog Changes a schedule.';

-- {outcome, schedule}, or why not. A claim at the same time waits, and finds another next run.
CREATE FUNCTION rovodev.alter_schedule(tenant uuid, schedule uuid, change jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants;
    new public.backup_schedules;
    why jsonb;
BEGIN
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = tenant;
    SELECT * INTO new FROM public.backup_schedules s WHERE s.id = schedule AND s.tenant_id = owner.id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    why := rovodev.schedule_refusal(owner, change);
    IF why IS NULL THEN
        new := rovodev.changed_schedule(owner, new, change);
        IF new.trigger = 'cron' AND new.cron_expression IS NULL THEN
            why := rovodev.refusal('bad_request', 'A schedule whose trigger is cron needs an expression.');
        END IF;
    END IF;
    IF why IS NOT NULL THEN
        RETURN why;
    END IF;
    UPDATE public.backup_schedules s SET (
        name, timezone, trigger, cron_expression, backup_type, components, compress, enabled, retention, retention_days,
        retention_due_at, jitter_seconds, next_run_at, gate, on_failure, wait_at_most
    ) = (
        new.name, new.timezone, new.trigger, new.cron_expression, new.backup_type, new.components, new.compress,
        new.enabled, new.retention, new.retention_days, new.retention_due_at, new.jitter_seconds, new.next_run_at,
        new.gate, new.on_failure, new.wait_at_most
    ) WHERE s.id = schedule;
    RETURN jsonb_build_object('outcome', 'done', 'schedule', rovodev.schedule_as_json(new));
END $$;

CREATE FUNCTION public.rovodev_delete_schedule(schedule uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    old public.backup_schedules := rovodev.my_schedule(schedule);
    refused jsonb;
BEGIN
    IF old.id IS NULL THEN
        RETURN rovodev.refuse_unknown('schedule.delete', schedule, door, address, 'schedule');
    END IF;
    refused := rovodev.refuse_unless(old.tenant_id, 'admin', 'schedule.delete', 'schedule', schedule, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    PERFORM rovodev.drop_schedule(schedule);
    PERFORM rovodev.audit(old.tenant_id, door, 'schedule.delete', 'schedule', schedule, 'done', NULL, address,
        jsonb_build_object('name', old.name));
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_delete_schedule IS 'rovodev:catalog Deletes a schedule and keeps its backups.';

-- Its backups stay. Those that end now lock their row before the schedule's, and so does this.
CREATE FUNCTION rovodev.drop_schedule(schedule uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM FROM public.backups b WHERE b.schedule_id = schedule ORDER BY b.id FOR UPDATE;
    DELETE FROM public.backup_schedules s WHERE s.id = schedule;
END $$;

-- Takes a backup now, whatever the schedule's time; it counts as one of the schedule's. {id, jobId}.
CREATE FUNCTION public.rovodev_run_schedule(schedule uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.backup_schedules := rovodev.my_schedule(schedule);
    answer jsonb;
BEGIN
    IF found.id IS NULL THEN
        RETURN rovodev.refuse_unknown('schedule.run', schedule, door, address, 'schedule');
    END IF;
    answer := rovodev.refuse_unless(found.tenant_id, 'operator', 'schedule.run', 'schedule', schedule, door, address, 20);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    answer := rovodev.run_schedule(found, coalesce(rovodev.caller_email(), rovodev.caller()::text), rovodev.caller());
    PERFORM rovodev.audit(found.tenant_id, door, 'schedule.run', 'backup', (answer ->> 'id')::uuid, 'done', NULL, address,
        jsonb_build_object('schedule', schedule, 'name', found.name));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_run_schedule IS 'rovodev:catalog Runs a schedule now.';

-- The name of a backup that a schedule takes.
CREATE FUNCTION rovodev.scheduled_name(schedule text, at timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT rtrim(left(schedule, 175)) || to_char(at AT TIME ZONE 'UTC', '"_"YYYY-MM-DD_HH24-MI-SS')
$$;

CREATE FUNCTION rovodev.run_schedule(schedule public.backup_schedules, who text, person uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants;
    backup uuid := rovodev.new_id();
BEGIN
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = schedule.tenant_id;
    INSERT INTO public.backups (
        id, tenant_id, name, backup_path, created_by, created_by_id, backup_type, trigger, schedule_id, compressed,
        codec, selection, estimated_seconds
    ) VALUES (
        backup, owner.id, rovodev.scheduled_name(schedule.name, now()), format('backups/%s/%s', owner.slug, backup),
        left(who, 255), person, schedule.backup_type, 'manual', schedule.id, schedule.compress,
        CASE WHEN schedule.compress THEN 'zstd' ELSE 'none' END, rovodev.selection(owner, '{}'),
        rovodev.backup_seconds(owner.id, schedule.backup_type, rovodev.selection(owner, '{}'))
    );
    UPDATE public.backup_schedules s SET last_run_at = now() WHERE s.id = schedule.id;
    RETURN jsonb_build_object('outcome', 'done', 'id', backup, 'status', 'pending',
        'jobId', rovodev.enqueue('backup', owner.id, backup => backup));
END $$;

-- What is due at a moment, the longest overdue first: [{id, cron, timezone, jitterSeconds, nextRunAt}].
CREATE FUNCTION public.rovodev_due_schedules(at timestamptz, most integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', due.id, 'cron', due.cron_expression, 'timezone', due.timezone, 'jitterSeconds', due.jitter_seconds,
        'nextRunAt', due.next_run_at
    ) ORDER BY due.next_run_at, due.id), '[]')
    FROM (
        SELECT s.* FROM public.backup_schedules s
        WHERE s.enabled AND s.trigger = 'cron' AND s.next_run_at <= at
        ORDER BY s.next_run_at, s.id LIMIT most
    ) due
$$;
COMMENT ON FUNCTION public.rovodev_due_schedules IS 'rovodev:catalog Schedules that are due.';

-- Claims runs: [{schedule, expected, next}]. Of several that claim one run, the one counts that finds `expected` as the
-- next run and sets it to `next`; what somebody else is at is passed over. Each run that is claimed is a backup and its
-- job, in this transaction. Without `next` the schedule can have none, and is switched off. Answers how many runs were claimed.
CREATE FUNCTION public.rovodev_claim_schedules(claims jsonb, at timestamptz) RETURNS integer
-- Compiling costs more than it saves with a statement of this kind.
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET jit = off AS $$
DECLARE
    claims jsonb := rovodev.unwrapped(rovodev_claim_schedules.claims);
    tenants uuid[];
    made uuid[];
    jobs uuid[];
    messages bigint[];
    -- The same for all of them.
    stamp text := rovodev.scheduled_name('', at);
BEGIN
    PERFORM rovodev.switch_off(s.id) FROM public.backup_schedules s
        JOIN jsonb_to_recordset(claims) AS w(schedule uuid, expected timestamptz, next timestamptz) ON w.schedule = s.id
        WHERE w.next IS NULL AND s.next_run_at = w.expected AND s.enabled;
    WITH due AS MATERIALIZED (
        SELECT s.id, w.expected, w.next
        FROM public.backup_schedules s
        JOIN jsonb_to_recordset(claims) AS w(schedule uuid, expected timestamptz, next timestamptz) ON w.schedule = s.id
        WHERE s.next_run_at = w.expected AND s.enabled AND s.trigger = 'cron' AND w.expected <= at
            AND w.next > w.expected
        FOR UPDATE OF s SKIP LOCKED
    ), moved AS (
        UPDATE public.backup_schedules s SET next_run_at = due.next, last_run_at = at FROM due WHERE s.id = due.id
        RETURNING s.id AS schedule, s.tenant_id, s.name, s.backup_type, s.compress, due.expected,
            rovodev.new_id() AS backup, rovodev.new_id() AS job
    ), inserted AS (
        INSERT INTO public.backups (
            id, tenant_id, name, backup_path, created_at, created_by, backup_type, trigger, schedule_id, compressed, codec,
            selection
        )
        SELECT m.backup, t.id, rtrim(left(m.name, 175)) || stamp, format('backups/%s/%s', t.slug, m.backup), at,
            left('schedule ' || m.name, 255), m.backup_type, 'scheduled', m.schedule, m.compress,
            CASE WHEN m.compress THEN 'zstd' ELSE 'none' END,
            CASE WHEN t.scope_column IS NULL THEN '{}' ELSE jsonb_build_object('scope', rovodev.scope(t)) END
        FROM moved m JOIN public.rovodev_tenants t ON t.id = m.tenant_id
    )
    SELECT array_agg(tenant_id ORDER BY expected, job), array_agg(backup ORDER BY expected, job),
        array_agg(job ORDER BY expected, job)
    INTO tenants, made, jobs FROM moved;
    IF jobs IS NULL THEN
        RETURN 0;
    END IF;
    SELECT array_agg(sent.id ORDER BY sent.place) INTO messages
    FROM pgmq.send_batch('rovodev_jobs', ARRAY(
        SELECT jsonb_build_object('job', j.id, 'kind', 'backup')
        FROM unnest(jobs) WITH ORDINALITY AS j(id, place) ORDER BY j.place
    )) WITH ORDINALITY AS sent(id, place);
    INSERT INTO public.rovodev_jobs (id, kind, tenant_id, backup_id, message_id)
    SELECT claimed.job, 'backup', claimed.tenant, claimed.backup, claimed.message
    FROM unnest(jobs, tenants, made, messages) AS claimed(job, tenant, backup, message);
    RETURN cardinality(jobs);
END $$;
COMMENT ON FUNCTION public.rovodev_claim_schedules IS 'rovodev:catalog Claims runs of schedules that are due.';

-- A schedule whose expression or zone nobody can read: written past the functions, or a zone that is no more.
CREATE FUNCTION rovodev.switch_off(schedule uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    off public.backup_schedules;
BEGIN
    UPDATE public.backup_schedules s SET enabled = false, next_run_at = NULL, last_result = 'failed',
        failures_in_a_row = s.failures_in_a_row + 1
    WHERE s.id = schedule AND s.enabled RETURNING * INTO off;
    IF FOUND THEN
        PERFORM rovodev.audit(off.tenant_id, 'cron', 'schedule.run', 'schedule', schedule, 'failed', 'bad_schedule', NULL,
            jsonb_build_object('name', off.name, 'cron', off.cron_expression, 'timezone', off.timezone));
    END IF;
END $$;

-- Schedules whose policy is to be looked at, longest waiting first, each for one caller: [{id, timezone, retention,
-- backups}].
CREATE FUNCTION public.rovodev_due_retention(at timestamptz, most integer) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    looked jsonb;
BEGIN
    WITH due AS MATERIALIZED (
        SELECT s.id FROM public.backup_schedules s
        WHERE s.retention <> '{}' AND s.retention_due_at <= at
        ORDER BY s.retention_due_at, s.id LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE public.backup_schedules s SET retention_due_at = at + interval '1 day' FROM due WHERE s.id = due.id
        RETURNING s.*
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'timezone', t.timezone, 'retention', t.retention,
        'backups', rovodev.scheduled_backups(t.id))), '[]') INTO looked FROM taken t;
    RETURN looked;
END $$;
COMMENT ON FUNCTION public.rovodev_due_retention IS 'rovodev:catalog Schedules whose policy is to be looked at.';

-- Deletes what a schedule's policy does not keep. What changed since the look at `at` stays: what was pinned, verified or
-- is restored meanwhile, and everything where the last good backup (`last_good`) is not there any more. How many went.
-- `more`: the policy is to be looked at again at once, for these were not all.
CREATE FUNCTION public.rovodev_expire_backups(
    schedule uuid, expired uuid[], last_good uuid, at timestamptz, more boolean DEFAULT false
) RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.backup_schedules;
    old public.backups;
    gone integer := 0;
BEGIN
    SELECT * INTO owner FROM public.backup_schedules s WHERE s.id = rovodev_expire_backups.schedule FOR KEY SHARE;
    -- A deletion or a restore that begins now locks the row as well; what came before the lock counts.
    PERFORM FROM public.backups b WHERE b.id = last_good OR b.id = ANY (expired) ORDER BY b.id FOR UPDATE;
    IF owner.id IS NULL OR (last_good IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.backups b
        WHERE b.id = last_good AND b.schedule_id = owner.id AND b.deleted_at IS NULL AND b.status = 'completed'
    )) THEN
        RETURN 0;
    END IF;
    FOR old IN
        SELECT * FROM public.backups b
        WHERE b.id = ANY (expired) AND b.schedule_id = owner.id AND b.deleted_at IS NULL AND NOT b.pinned
            AND (b.status IN ('failed', 'cancelled') OR (b.status = 'completed' AND b.id <> last_good))
            AND (b.verified_at IS NULL OR b.verified_at <= rovodev_expire_backups.at)
            AND NOT EXISTS (
                SELECT FROM public.restore_operations o
                WHERE b.id IN (o.backup_id, o.safety_backup_id) AND o.status IN ('pending', 'in_progress')
            )
    LOOP
        UPDATE public.backups SET deleted_at = now() WHERE id = old.id;
        UPDATE public.rovodev_download_links SET revoked_at = now() WHERE backup_id = old.id AND revoked_at IS NULL;
        PERFORM rovodev.audit(old.tenant_id, 'cron', 'backup.expire', 'backup', old.id, 'done', NULL, NULL,
            jsonb_build_object('name', old.name, 'reason', 'by retention of schedule ' || owner.name, 'schedule', owner.id));
        PERFORM rovodev.enqueue('delete', old.tenant_id, backup => old.id);
        gone := gone + 1;
    END LOOP;
    IF more AND gone > 0 THEN
        UPDATE public.backup_schedules s SET retention_due_at = rovodev_expire_backups.at WHERE s.id = owner.id;
    END IF;
    RETURN gone;
END $$;
COMMENT ON FUNCTION public.rovodev_expire_backups IS 'rovodev:catalog Deletes what a schedule''s policy does not keep.';

DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace IN ('rovodev'::regnamespace, 'public'::regnamespace)
            AND (p.pronamespace = 'rovodev'::regnamespace OR p.proname LIKE 'rovodev\_%')
            AND p.proname ~ 'schedule|retention|expire_backups|^note_run$|^switch_off$|^is_policy$'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_list_schedules(text),
    public.rovodev_show_schedule(uuid, boolean),
    public.rovodev_create_schedule(jsonb, text, text, text),
    public.rovodev_change_schedule(uuid, jsonb, text, text),
    public.rovodev_delete_schedule(uuid, text, text),
    public.rovodev_run_schedule(uuid, text, text)
TO authenticated;
GRANT EXECUTE ON FUNCTION
    public.rovodev_due_schedules(timestamptz, integer),
    public.rovodev_claim_schedules(jsonb, timestamptz),
    public.rovodev_due_retention(timestamptz, integer),
    public.rovodev_expire_backups(uuid, uuid[], uuid, timestamptz, boolean)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000013');
