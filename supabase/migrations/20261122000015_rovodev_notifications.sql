-- Notifications: who is told of what, and what became of telling it. An event is written with the change of state that it
-- is about, as one delivery for each channel that asked for it; whoever works for the catalog sends them.

CREATE TABLE public.rovodev_notification_channels (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('webhook', 'slack', 'email', 'ping', 'push')),
    name text NOT NULL CHECK (rovodev.is_name(name)),
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    -- Only what this schedule's backups do; NULL for everything.
    schedule_id uuid REFERENCES public.backup_schedules ON DELETE CASCADE,
    -- An address, addresses separated by commas, or a browser's subscription; shown to nobody as it is.
    target text NOT NULL CHECK (length(target) BETWEEN 1 AND 2000),
    -- What a webhook is signed with.
    secret text,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by varchar(255),
    created_by_id uuid,
    -- Who answers comes before who does not.
    failures_in_a_row integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE public.rovodev_notification_channels IS 'rovodev:catalog Who is told of what.';
CREATE INDEX rovodev_notification_channels_tenant ON public.rovodev_notification_channels (tenant_id, created_at);
CREATE INDEX rovodev_notification_channels_schedule ON public.rovodev_notification_channels (schedule_id);

CREATE TABLE public.rovodev_notification_deliveries (
    -- The same at every attempt: by it receivers drop what comes twice.
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    place bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    channel_id uuid NOT NULL REFERENCES public.rovodev_notification_channels ON DELETE CASCADE,
    event text NOT NULL,
    -- Asked for by a person, to see whether it arrives.
    test boolean NOT NULL DEFAULT false,
    message jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    -- Also the fencing token: an outcome counts for the attempt that is the last one.
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_attempt_at timestamptz,
    -- While somebody sends it, the end of the lease.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    -- What the last attempt came to; nothing while it is under way.
    status integer,
    reason text
);
COMMENT ON TABLE public.rovodev_notification_deliveries IS 'rovodev:catalog What was told, or is to be.';
CREATE INDEX rovodev_notification_deliveries_channel ON public.rovodev_notification_deliveries (channel_id, place DESC);
CREATE INDEX rovodev_notification_deliveries_due ON public.rovodev_notification_deliveries (next_attempt_at, channel_id)
    WHERE state = 'waiting';
CREATE INDEX rovodev_notification_deliveries_old ON public.rovodev_notification_deliveries (created_at);

-- Failures that were told and are not over: the same one is told once an hour.
CREATE TABLE public.rovodev_notification_folds (
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    -- The schedule, or the tenant where it was none.
    subject uuid NOT NULL,
    event text NOT NULL,
    code text NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz NOT NULL DEFAULT '-infinity',
    failures integer NOT NULL DEFAULT 0,
    -- Since it was told.
    untold integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, subject, event, code)
);
COMMENT ON TABLE public.rovodev_notification_folds IS 'rovodev:catalog Failures that were told and are not over.';

CREATE TABLE public.rovodev_missed_runs (
    schedule_id uuid NOT NULL REFERENCES public.backup_schedules ON DELETE CASCADE,
    due_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    -- When the schedule had its next good backup.
    ended_at timestamptz,
    PRIMARY KEY (schedule_id, due_at)
);
COMMENT ON TABLE public.rovodev_missed_runs IS 'rovodev:catalog Runs of schedules that did not happen in time.';

ALTER TABLE public.rovodev_notification_channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_notification_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_notification_folds ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_missed_runs ENABLE ROW LEVEL SECURITY;

-- What can be told: each has a place below that tells it.
CREATE FUNCTION rovodev.events() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue', 'restore.done', 'restore.failed']
$$;

-- Writes a message for every channel that asked for it, or for the failure that it ends. `told`: what the message says
-- besides; `code` tells failures of one kind apart.
CREATE FUNCTION rovodev.tell(owner uuid, event text, schedule uuid, code text, told jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    told jsonb := tell.told;
    ended record;
    asked text[] := ARRAY[event];
    -- Mails of one channel in an hour: good news leaves room for bad.
    most integer := 60;
BEGIN
    IF NOT EXISTS (SELECT FROM public.rovodev_notification_channels c WHERE c.tenant_id = owner AND c.enabled) THEN
        RETURN;
    END IF;
    IF event = 'backup.succeeded' THEN
        ended := rovodev.end_folds(owner, coalesce(schedule, owner), ARRAY['backup.failed', 'backup.overdue']);
        IF ended.failures > 0 THEN
            asked := asked || ended.events;
            most := 200;
            told := told || jsonb_build_object('recovered',
                jsonb_build_object('failures', ended.failures, 'since', ended.since));
        END IF;
    ELSIF event = 'restore.done' THEN
        PERFORM rovodev.end_folds(owner, owner, ARRAY['restore.failed']);
    ELSE
        ended := rovodev.fold(owner, coalesce(schedule, owner), event, coalesce(code, ''));
        IF NOT ended.tell THEN
            RETURN;
        END IF;
        told := told || jsonb_build_object('folded', ended.untold, 'foldedSince', ended.since);
        most := 200;
    END IF;
    INSERT INTO public.rovodev_notification_deliveries (channel_id, event, message, state, reason)
    SELECT c.id, tell.event, jsonb_build_object('at', now(), 'tenant',
            jsonb_build_object('id', t.id, 'slug', t.slug, 'name', t.name)) || jsonb_strip_nulls(told),
        CASE WHEN flood.is_one THEN 'failed' ELSE 'waiting' END,
        CASE WHEN flood.is_one THEN format('More than %s mails within an hour: this one was not sent.', most) END
    FROM public.rovodev_notification_channels c JOIN public.rovodev_tenants t ON t.id = c.tenant_id
    -- Tenants write down addresses that may be anybody's.
    CROSS JOIN LATERAL (SELECT c.kind = 'email' AND coalesce((
        SELECT d.created_at FROM public.rovodev_notification_deliveries d
        WHERE d.channel_id = c.id ORDER BY d.place DESC OFFSET most - 1 LIMIT 1) > now() - interval '1 hour', false)
    ) AS flood (is_one)
    WHERE c.tenant_id = owner AND c.enabled AND c.events && asked
        AND (c.schedule_id IS NULL OR c.schedule_id = schedule);
END $$;

-- Counts a failure. Whether it is to be told; and how many of its kind were not, since when.
CREATE FUNCTION rovodev.fold(
    owner uuid, about uuid, failed text, with_code text, OUT tell boolean, OUT untold integer, OUT since timestamptz
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.rovodev_notification_folds;
BEGIN
    INSERT INTO public.rovodev_notification_folds (tenant_id, subject, event, code)
    VALUES (owner, about, failed, with_code) ON CONFLICT DO NOTHING;
    SELECT * INTO found FROM public.rovodev_notification_folds f
        WHERE f.tenant_id = owner AND f.subject = about AND f.event = failed AND f.code = with_code FOR UPDATE;
    tell := coalesce(found.told_at, '-infinity') <= now() - interval '1 hour';
    untold := coalesce(found.untold, 0);
    since := CASE WHEN untold > 0 THEN found.told_at END;
    UPDATE public.rovodev_notification_folds f SET
        failures = f.failures + 1,
        untold = CASE WHEN tell THEN 0 ELSE f.untold + 1 END,
        told_at = CASE WHEN tell THEN now() ELSE f.told_at END
    WHERE f.tenant_id = owner AND f.subject = about AND f.event = failed AND f.code = with_code;
END $$;

-- What failed before is over: how often it did, since when, and as what.
CREATE FUNCTION rovodev.end_folds(
    owner uuid, about uuid, failed text[], OUT failures bigint, OUT since timestamptz, OUT events text[]
) LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    WITH gone AS (
        DELETE FROM public.rovodev_notification_folds f
        WHERE f.tenant_id = owner AND f.subject = about AND f.event = ANY (failed) RETURNING f.*
    )
    SELECT coalesce(sum(gone.failures), 0), min(gone.first_at), array_agg(DISTINCT gone.event) FROM gone
$$;

CREATE FUNCTION rovodev.schedule_told(schedule uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('id', s.id, 'name', s.name) FROM public.backup_schedules s WHERE s.id = schedule
$$;

CREATE FUNCTION rovodev.failure_told(code text, message text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN message IS NOT NULL THEN jsonb_build_object('code', code, 'message', left(message, 1000)) END
$$;

CREATE FUNCTION rovodev.tell_backup() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF NEW.status = 'completed' THEN
        UPDATE public.rovodev_missed_runs m SET ended_at = now() WHERE m.schedule_id = NEW.schedule_id AND m.ended_at IS NULL;
    END IF;
    PERFORM rovodev.tell(
        NEW.tenant_id, CASE NEW.status WHEN 'completed' THEN 'backup.succeeded' ELSE 'backup.failed' END,
        NEW.schedule_id, NEW.error_code, jsonb_build_object(
            'backup', jsonb_build_object(
                'id', NEW.id, 'name', NEW.name, 'type', NEW.backup_type, 'trigger', NEW.trigger, 'createdAt', NEW.created_at,
                'size', NEW.size_bytes, 'records', NEW.records, 'tables', NEW.tables,
                'seconds', round(extract(epoch FROM NEW.finished_at - NEW.started_at)),
                'warnings', jsonb_array_length(NEW.warnings)),
            'schedule', rovodev.schedule_told(NEW.schedule_id),
            'error', rovodev.failure_told(NEW.error_code, NEW.error_message)));
    RETURN NEW;
END $$;
-- A restore's own backup is the restore's affair; what a tenant may not see any more is nobody's news.
CREATE TRIGGER rovodev_tell AFTER UPDATE OF status ON public.backups
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status AND NEW.status IN ('completed', 'failed')
        AND NEW.trigger <> 'safety' AND NOT NEW.outside_scope AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION rovodev.tell_backup();

CREATE FUNCTION rovodev.tell_restore() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM rovodev.tell(
        NEW.tenant_id, CASE NEW.status WHEN 'completed' THEN 'restore.done' ELSE 'restore.failed' END,
        NULL, NEW.error_code, jsonb_build_object(
            'backup', jsonb_build_object('id', b.id, 'name', b.name, 'type', b.backup_type, 'trigger', b.trigger,
                'createdAt', b.created_at),
            'restore', jsonb_build_object('id', NEW.id, 'undo', NEW.undo_of IS NOT NULL, 'by', NEW.initiated_by,
                'seconds', round(extract(epoch FROM NEW.completed_at - NEW.started_at))),
            'error', rovodev.failure_told(NEW.error_code, NEW.error_message)))
    FROM public.backups b WHERE b.id = NEW.backup_id;
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_tell AFTER UPDATE OF status ON public.restore_operations
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status AND NEW.status IN ('completed', 'failed')
        AND NOT NEW.preview AND NOT NEW.outside_scope)
    EXECUTE FUNCTION rovodev.tell_restore();

-- A schedule that cannot run is switched off (rovodev.switch_off): no backup of it will fail, and none will succeed.
CREATE FUNCTION rovodev.tell_switched_off() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM rovodev.tell(NEW.tenant_id, 'backup.failed', NEW.id, 'bad_schedule', jsonb_build_object(
        'schedule', rovodev.schedule_told(NEW.id),
        'error', rovodev.failure_told('bad_schedule',
            'Its expression or its time zone cannot be read any more, so it was switched off. No backup is taken by it.')));
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_tell AFTER UPDATE OF enabled ON public.backup_schedules
    FOR EACH ROW WHEN (OLD.enabled AND NOT NEW.enabled AND NEW.failures_in_a_row > OLD.failures_in_a_row)
    EXECUTE FUNCTION rovodev.tell_switched_off();

-- Tells runs that should have happened: those that nobody claimed, and those that were claimed and have not ended within
-- `minutes`, or three times what was expected where that is longer. Each once. How many, up to `most` of either kind.
CREATE FUNCTION public.rovodev_tell_overdue(at timestamptz, minutes integer, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    missed record;
    latest timestamptz := at - make_interval(mins => minutes);
    told integer := 0;
BEGIN
    FOR missed IN
        SELECT s.id AS schedule, s.tenant_id, s.next_run_at AS due_at, NULL::public.backups AS backup,
            'No backup was begun, neither at its time nor since.' AS why
        FROM public.backup_schedules s
        WHERE s.enabled AND s.trigger = 'cron' AND s.next_run_at < latest
            AND NOT EXISTS (
                SELECT FROM public.rovodev_missed_runs m WHERE m.schedule_id = s.id AND m.due_at = s.next_run_at)
        ORDER BY s.next_run_at, s.id LIMIT most
    LOOP
        told := told + rovodev.tell_missed(missed.schedule, missed.tenant_id, missed.due_at, at, missed.backup, missed.why);
    END LOOP;
    FOR missed IN
        SELECT b.schedule_id AS schedule, b.tenant_id, b.created_at AS due_at, b AS backup,
            'Its backup was begun and has not ended.' AS why
        FROM public.backups b
        WHERE b.status IN ('pending', 'in_progress') AND b.trigger = 'scheduled' AND b.schedule_id IS NOT NULL
            AND b.deleted_at IS NULL AND b.created_at < latest
            AND b.created_at < at - 3 * make_interval(secs => coalesce(b.estimated_seconds, 0))
            AND NOT EXISTS (
                SELECT FROM public.rovodev_missed_runs m WHERE m.schedule_id = b.schedule_id AND m.due_at = b.created_at)
            -- The run that was told because nobody had claimed it is the first one that was claimed after that.
            AND NOT EXISTS (
                SELECT FROM public.rovodev_missed_runs m
                WHERE m.schedule_id = b.schedule_id AND m.told_at <= b.created_at AND NOT EXISTS (
                    SELECT FROM public.backups e
                    WHERE e.schedule_id = b.schedule_id AND e.trigger = 'scheduled'
                        AND e.created_at >= m.told_at AND e.created_at < b.created_at))
        ORDER BY b.created_at, b.id LIMIT most
    LOOP
        told := told + rovodev.tell_missed(missed.schedule, missed.tenant_id, missed.due_at, at, missed.backup, missed.why);
    END LOOP;
    RETURN told;
END $$;
COMMENT ON FUNCTION public.rovodev_tell_overdue IS 'rovodev:catalog Tells runs that did not happen in time.';

CREATE FUNCTION rovodev.tell_missed(
    schedule uuid, owner uuid, due_at timestamptz, at timestamptz, backup public.backups, why text
) RETURNS integer LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO public.rovodev_missed_runs (schedule_id, due_at, told_at) VALUES (schedule, tell_missed.due_at, at)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    PERFORM rovodev.tell(owner, 'backup.overdue', schedule, 'overdue', jsonb_build_object(
        'schedule', rovodev.schedule_told(schedule), 'dueAt', tell_missed.due_at,
        'backup', CASE WHEN backup.id IS NOT NULL THEN jsonb_build_object('id', backup.id, 'name', backup.name,
            'type', backup.backup_type, 'trigger', backup.trigger, 'createdAt', backup.created_at) END,
        'error', rovodev.failure_told('overdue', why)));
    RETURN 1;
END $$;

-- Claims what is due for `seconds`, of channels whose kind the caller can send: at most `most` channels, a few of each,
-- those that answered last time first. One that holds us up does not hold up the others. `delivery`: that one alone, before
-- its time, where nobody tried it yet.
CREATE FUNCTION public.rovodev_claim_deliveries(
    kinds text[], most integer, seconds integer, delivery uuid DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    claimed jsonb;
BEGIN
    WITH ready AS MATERIALIZED (
        SELECT c.* FROM public.rovodev_notification_channels c
        WHERE c.kind = ANY (kinds) AND c.id IN (
            SELECT d.channel_id FROM public.rovodev_notification_deliveries d
            WHERE d.state = 'waiting' AND (delivery IS NULL AND d.next_attempt_at <= now()
                OR d.id = delivery AND d.attempts = 0))
        ORDER BY c.failures_in_a_row > 0, random() LIMIT most
        FOR NO KEY UPDATE OF c SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT found.id FROM ready r CROSS JOIN LATERAL (
            SELECT d.id FROM public.rovodev_notification_deliveries d
            WHERE d.channel_id = r.id AND d.state = 'waiting' AND (delivery IS NULL AND d.next_attempt_at <= now()
                OR d.id = delivery AND d.attempts = 0)
            ORDER BY d.next_attempt_at, d.place LIMIT CASE WHEN r.failures_in_a_row > 0 THEN 1 ELSE 4 END
            FOR UPDATE OF d SKIP LOCKED
        ) found
    ), taken AS (
        UPDATE public.rovodev_notification_deliveries d SET
            attempts = d.attempts + 1, last_attempt_at = now(), next_attempt_at = now() + make_interval(secs => seconds),
            status = NULL, reason = NULL
        FROM due WHERE d.id = due.id RETURNING d.*
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'attempt', t.attempts, 'event', t.event, 'test', t.test, 'message', t.message,
        'channel', jsonb_build_object('id', r.id, 'kind', r.kind, 'name', r.name, 'target', r.target, 'secret', r.secret)
    ) ORDER BY r.failures_in_a_row, t.place), '[]') INTO claimed
    FROM taken t JOIN ready r ON r.id = t.channel_id;
    RETURN claimed;
END $$;
COMMENT ON FUNCTION public.rovodev_claim_deliveries IS 'rovodev:catalog Claims messages that are to be sent.';

-- Writes what became of an attempt, if it is still the last one. `outcome`: delivered; failed; again, in `seconds`; gone,
-- where nobody will ever listen there any more. Whether it counted.
CREATE FUNCTION public.rovodev_end_delivery(
    delivery uuid, attempt integer, outcome text, seconds integer DEFAULT 0, status integer DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held public.rovodev_notification_channels;
BEGIN
    IF outcome NOT IN ('delivered', 'failed', 'again', 'gone') THEN
        RAISE EXCEPTION 'a delivery cannot end as %', outcome USING ERRCODE = 'check_violation';
    END IF;
    -- In the order of a claim and of a deletion: the channel first.
    SELECT c.* INTO held FROM public.rovodev_notification_channels c
        WHERE c.id = (SELECT d.channel_id FROM public.rovodev_notification_deliveries d WHERE d.id = delivery)
        FOR NO KEY UPDATE;
    UPDATE public.rovodev_notification_deliveries d SET
        state = CASE outcome WHEN 'delivered' THEN 'delivered' WHEN 'again' THEN 'waiting' ELSE 'failed' END,
        next_attempt_at = now() + make_interval(secs => seconds), status = rovodev_end_delivery.status,
        reason = left(rovodev_end_delivery.reason, 500)
    WHERE d.id = delivery AND d.attempts = attempt AND d.state = 'waiting';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE public.rovodev_notification_channels c SET
        failures_in_a_row = CASE outcome WHEN 'delivered' THEN 0 ELSE c.failures_in_a_row + 1 END
    WHERE c.id = held.id AND (outcome <> 'delivered' OR c.failures_in_a_row > 0);
    IF outcome = 'gone' THEN
        PERFORM rovodev.drop_gone(held, rovodev_end_delivery.reason);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION public.rovodev_end_delivery IS 'rovodev:catalog Writes what became of an attempt to send.';

-- A browser's subscription that is over is deleted; any other channel is switched off, and stays to be mended.
CREATE FUNCTION rovodev.drop_gone(held public.rovodev_notification_channels, why text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF held.kind = 'push' THEN
        DELETE FROM public.rovodev_notification_channels c WHERE c.id = held.id;
    ELSE
        UPDATE public.rovodev_notification_channels c SET enabled = false WHERE c.id = held.id;
        UPDATE public.rovodev_notification_deliveries d SET state = 'failed', reason = left(why, 500)
        WHERE d.channel_id = held.id AND d.state = 'waiting';
    END IF;
    PERFORM rovodev.audit(held.tenant_id, 'job', CASE held.kind WHEN 'push' THEN 'channel.delete' ELSE 'channel.change' END,
        'channel', held.id, 'done', NULL, NULL, jsonb_build_object('name', held.name, 'kind', held.kind, 'reason', why)
            || CASE held.kind WHEN 'push' THEN '{}' ELSE '{"enabled": false}'::jsonb END);
END $$;

-- Drops what was told more than 30 days ago. How much.
CREATE FUNCTION public.rovodev_prune_notifications() RETURNS integer
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
    RETURN gone;
END $$;
COMMENT ON FUNCTION public.rovodev_prune_notifications IS 'rovodev:catalog Drops old messages.';

DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT format('TABLE %s', c.oid::regclass) AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
            AND c.relname ~ '^rovodev_(notification_|missed_runs$)'
        UNION ALL
        SELECT format('SEQUENCE %s', c.oid::regclass) FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND c.relname ~ '^rovodev_notification_'
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
        WHERE p.pronamespace IN ('rovodev'::regnamespace, 'public'::regnamespace)
            AND (p.pronamespace = 'rovodev'::regnamespace OR p.proname LIKE 'rovodev\_%')
            AND p.proname ~ '^(rovodev_)?(events|tell.*|fold|end_folds|schedule_told|failure_told|claim_deliveries|end_delivery|drop_gone|prune_notifications)$'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_tell_overdue(timestamptz, integer, integer),
    public.rovodev_claim_deliveries(text[], integer, integer, uuid),
    public.rovodev_end_delivery(uuid, integer, text, integer, integer, text),
    public.rovodev_prune_notifications()
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000015');
