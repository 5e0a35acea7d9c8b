-- Backups are read back from the store: whether they are what was written. Who does it holds one under a lease, and goes on
-- where the one before had to stop.

ALTER TABLE public.backups
    -- When everything was last read back; that a restore was tried with it is `verified_at`.
    ADD COLUMN checked_at timestamptz,
    -- What that took, and how many stored bytes it read.
    ADD COLUMN check_ms bigint,
    ADD COLUMN check_bytes bigint,
    -- What was gone or not as written then: {objects, concerns, examples: [{object, code, message, concerns}]}.
    ADD COLUMN damage jsonb CHECK ((damage ->> 'objects')::bigint > 0),
    -- In what it differs from those before it: [{kind, text, …}].
    ADD COLUMN anomalies jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(anomalies) = 'array');
CREATE INDEX backups_unchecked ON public.backups (created_at DESC)
    WHERE status = 'completed' AND deleted_at IS NULL AND checked_at IS NULL;
CREATE INDEX backups_checked ON public.backups (checked_at)
    WHERE status = 'completed' AND deleted_at IS NULL AND checked_at IS NOT NULL;
CREATE INDEX backups_damaged ON public.backups (checked_at)
    WHERE status = 'completed' AND deleted_at IS NULL AND damage IS NOT NULL;

CREATE TABLE public.rovodev_read_backs (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    backup_id uuid NOT NULL REFERENCES public.backups ON DELETE CASCADE,
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    -- Somebody reads, as far as the catalog knows, until the lease is out; else nobody shall before that time.
    held boolean NOT NULL DEFAULT true,
    leased_until timestamptz NOT NULL,
    -- The fencing token.
    token integer NOT NULL DEFAULT 1,
    -- Of those who took it up and said nothing any more.
    attempts integer NOT NULL DEFAULT 1,
    -- How far it is: objects in the order of the manifest.
    objects bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    milliseconds bigint NOT NULL DEFAULT 0,
    damage jsonb
);
COMMENT ON TABLE public.rovodev_read_backs IS 'rovodev:catalog Backups that were read back, and are.';
CREATE UNIQUE INDEX rovodev_read_backs_open ON public.rovodev_read_backs (backup_id) WHERE ended_at IS NULL;
CREATE INDEX rovodev_read_backs_held ON public.rovodev_read_backs (leased_until) WHERE ended_at IS NULL AND held;
CREATE INDEX rovodev_read_backs_day ON public.rovodev_read_backs (tenant_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX rovodev_read_backs_backup ON public.rovodev_read_backs (backup_id);
ALTER TABLE public.rovodev_read_backs ENABLE ROW LEVEL SECURITY;
CREATE POLICY rovodev_own ON public.rovodev_read_backs FOR SELECT TO authenticated
    USING (EXISTS (SELECT FROM public.backups b WHERE b.id = backup_id));

-- A gate asks the backup itself.
ALTER TABLE public.rovodev_deploy_gates DROP COLUMN checked_at, DROP COLUMN check_failed, DROP COLUMN check_leased_until;
DROP FUNCTION public.rovodev_note_proof(uuid, boolean, text);

-- What became of a gate: NULL while it is open, '' where it holds, else why not.
CREATE OR REPLACE FUNCTION rovodev.gate_result(g public.rovodev_deploy_gates) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN b.deleted_at IS NOT NULL THEN format('The backup %s was deleted.', b.name)
        WHEN b.status IN ('failed', 'cancelled') THEN format('The backup %s was not taken: %s.', b.name, b.status)
        WHEN b.damage IS NOT NULL THEN format('The backup %s is damaged.', b.name)
        WHEN b.status = 'completed' AND (g.gate = 'backup' OR b.checked_at IS NOT NULL) THEN ''
        WHEN g.deadline <= now() THEN format('The backup %s was not there in time.', b.name)
    END
    FROM public.backups b WHERE b.id = g.backup_id
$$;

-- What is to be done for checks, each for one caller, for a minute: {checks: [{deployment, asked, conclusion, reason}]}. One
-- without a conclusion is to be opened at Vercel, one with a conclusion ended there.
CREATE OR REPLACE FUNCTION public.rovodev_claim_checks(most integer DEFAULT 20) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    checks jsonb;
BEGIN
    UPDATE public.rovodev_deploy_checks SET conclusion = coalesce(conclusion, 'neutral'), ended_at = now(),
        reason = 'Vercel did not take it for two days.'
        WHERE ended_at IS NULL AND asked_at < now() - interval '2 days';
    PERFORM rovodev.decide_check(c.deployment) FROM (
        SELECT deployment FROM public.rovodev_deploy_checks
        WHERE ended_at IS NULL AND conclusion IS NULL FOR UPDATE SKIP LOCKED
    ) c;
    WITH due AS MATERIALIZED (
        SELECT deployment FROM public.rovodev_deploy_checks
        WHERE ended_at IS NULL AND next_try_at <= now() AND (conclusion IS NOT NULL OR opened_at IS NULL)
        ORDER BY next_try_at LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE public.rovodev_deploy_checks c SET next_try_at = now() + interval '1 minute'
        FROM due WHERE c.deployment = due.deployment RETURNING c.*
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('deployment', t.deployment, 'asked', t.asked,
        'conclusion', t.conclusion, 'reason', t.reason)), '[]') INTO checks FROM taken t;
    RETURN jsonb_build_object('checks', checks);
END $$;

-- Whether nobody reads it back, and nobody shall leave it alone for a while. What killed its reader five times in a row waits
-- an hour.
CREATE FUNCTION rovodev.may_read_back(wanted uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT NOT EXISTS (
        SELECT FROM public.rovodev_read_backs r
        WHERE r.backup_id = wanted AND r.ended_at IS NULL
            AND (r.leased_until > now() OR (r.attempts >= 5 AND r.leased_until > now() - interval '1 hour')))
$$;

-- The backup that is to be read back first, NULL where none is. What a deployment waits for; then, with `days`, what was
-- never read back, or not for so long, of each schedule the newest before the others, what waits longest first. What was
-- damaged is looked at again each day: the next backup may have mended it.
CREATE FUNCTION rovodev.to_read_back(days integer, for_gates boolean) RETURNS public.backups
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.backups;
BEGIN
    SELECT b.* INTO found
    FROM public.rovodev_deploy_checks c JOIN public.rovodev_deploy_gates g ON g.deployment = c.deployment
    JOIN public.backups b ON b.id = g.backup_id
    WHERE c.ended_at IS NULL AND c.conclusion IS NULL AND g.gate = 'checked' AND b.status = 'completed'
        AND b.deleted_at IS NULL AND b.checked_at IS NULL AND rovodev.may_read_back(b.id)
    ORDER BY g.deadline LIMIT 1;
    IF found.id IS NOT NULL OR for_gates OR days <= 0 THEN
        RETURN found;
    END IF;
    -- A few of each kind are looked at, so that a claim takes as long among a million backups.
    WITH candidates AS (
        (SELECT b.id FROM public.backups b
            WHERE b.status = 'completed' AND b.deleted_at IS NULL AND b.checked_at IS NULL AND rovodev.may_read_back(b.id)
            ORDER BY b.created_at DESC LIMIT 200)
        UNION ALL
        (SELECT b.id FROM public.backups b
            WHERE b.status = 'completed' AND b.deleted_at IS NULL AND b.checked_at IS NOT NULL
                AND b.checked_at < now() - make_interval(days => days) AND rovodev.may_read_back(b.id)
            ORDER BY b.checked_at LIMIT 200)
        UNION
        (SELECT b.id FROM public.backups b
            WHERE b.status = 'completed' AND b.deleted_at IS NULL AND b.damage IS NOT NULL
                AND b.checked_at < now() - interval '1 day' AND rovodev.may_read_back(b.id)
            ORDER BY b.checked_at LIMIT 200)
    )
    SELECT b.* INTO found FROM candidates JOIN public.backups b USING (id)
    ORDER BY EXISTS (
            SELECT FROM public.backups n
            WHERE n.tenant_id = b.tenant_id AND n.schedule_id IS NOT DISTINCT FROM b.schedule_id AND n.status = 'completed'
                AND n.deleted_at IS NULL AND n.trigger <> 'safety' AND (n.created_at, n.id) > (b.created_at, b.id)),
        coalesce(b.checked_at + make_interval(days => days), b.finished_at), b.id
    LIMIT 1;
    RETURN found;
END $$;

-- Claims a backup to be read back for `seconds`: {id, token, backup, tenant, objects, bytes, milliseconds, damage}, with how
-- far the last one came within a day; NULL where there is none. `most`: how many may be read back together, whatever no
-- deployment waits for. `for_gates`: what one waits for alone.
CREATE FUNCTION public.rovodev_claim_read_back(
    days integer, seconds integer, most integer DEFAULT NULL, for_gates boolean DEFAULT false
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    wanted public.backups;
    busy bigint;
    claimed public.rovodev_read_backs;
BEGIN
    -- One claim at a time: what is free stays so until it is taken.
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev read back', 0));
    SELECT count(*) INTO busy FROM public.rovodev_read_backs r
        WHERE r.ended_at IS NULL AND r.held AND r.leased_until > now();
    wanted := rovodev.to_read_back(days, for_gates OR coalesce(busy >= most, false));
    IF wanted.id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.rovodev_read_backs AS r (tenant_id, backup_id, leased_until)
    VALUES (wanted.tenant_id, wanted.id, now() + make_interval(secs => seconds))
    ON CONFLICT (backup_id) WHERE ended_at IS NULL DO UPDATE SET
        held = true, leased_until = excluded.leased_until, token = r.token + 1, attempts = r.attempts + 1
    RETURNING * INTO claimed;
    -- What was read long ago says nothing of today.
    IF claimed.began_at < now() - interval '1 day' THEN
        UPDATE public.rovodev_read_backs r SET
            began_at = now(), objects = 0, bytes = 0, milliseconds = 0, damage = NULL
        WHERE r.id = claimed.id RETURNING * INTO claimed;
    END IF;
    RETURN jsonb_build_object('id', claimed.id, 'token', claimed.token, 'backup', wanted.id,
        'tenant', (SELECT t.slug FROM public.rovodev_tenants t WHERE t.id = wanted.tenant_id),
        'objects', claimed.objects, 'bytes', claimed.bytes, 'milliseconds', claimed.milliseconds, 'damage', claimed.damage);
END $$;
COMMENT ON FUNCTION public.rovodev_claim_read_back IS 'rovodev:catalog Claims a backup to be read back.';

-- What came of reading back, if `token` still holds it: it goes on (`reading`, for `seconds`), is left for `seconds`
-- (`later`), or everything was read (`done`). `told`: {objects, bytes, milliseconds, damage}. Whether it is held: who does
-- not hold it stops.
CREATE FUNCTION public.rovodev_note_read_back(
    read_back uuid, token integer, outcome text, seconds integer DEFAULT 0, told jsonb DEFAULT '{}'
) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    told jsonb := rovodev.unwrapped(rovodev_note_read_back.told);
    held public.rovodev_read_backs;
BEGIN
    IF outcome NOT IN ('reading', 'later', 'done') THEN
        RAISE EXCEPTION 'reading back cannot be %', outcome USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO held FROM public.rovodev_read_backs r
        WHERE r.id = read_back AND r.token = rovodev_note_read_back.token AND r.ended_at IS NULL AND r.held FOR UPDATE;
    IF held.id IS NULL THEN
        RETURN false;
    END IF;
    -- What was deleted meanwhile is not damaged.
    PERFORM FROM public.backups b WHERE b.id = held.backup_id AND b.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        DELETE FROM public.rovodev_read_backs r WHERE r.id = held.id;
        RETURN false;
    END IF;
    UPDATE public.rovodev_read_backs r SET
        held = outcome = 'reading', leased_until = now() + make_interval(secs => seconds),
        ended_at = CASE WHEN outcome = 'done' THEN now() END,
        attempts = CASE WHEN outcome = 'reading' THEN r.attempts ELSE 0 END,
        objects = coalesce((told ->> 'objects')::bigint, r.objects), bytes = coalesce((told ->> 'bytes')::bigint, r.bytes),
        milliseconds = coalesce((told ->> 'milliseconds')::bigint, r.milliseconds),
        damage = CASE WHEN told ? 'damage' THEN nullif(told -> 'damage', 'null') ELSE r.damage END
    WHERE r.id = held.id RETURNING * INTO held;
    UPDATE public.backups b SET
        checked_at = held.ended_at, check_ms = held.milliseconds, check_bytes = held.bytes, damage = held.damage
    WHERE b.id = held.backup_id AND held.ended_at IS NOT NULL;
    RETURN true;
END $$;
COMMENT ON FUNCTION public.rovodev_note_read_back IS 'rovodev:catalog What came of reading a backup back.';

CREATE OR REPLACE FUNCTION rovodev.events() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue', 'restore.done', 'restore.failed', 'verification.failed']
$$;

-- Why a channel cannot be so; NULL where it can.
CREATE OR REPLACE FUNCTION rovodev.channel_refusal(wanted public.rovodev_notification_channels) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN NOT coalesce(wanted.kind IN ('webhook', 'slack', 'email', 'ping', 'push'), false)
            OR NOT coalesce(rovodev.is_name(wanted.name) AND length(wanted.name) <= 100, false)
            OR NOT coalesce(wanted.events <@ rovodev.events() AND cardinality(wanted.events) > 0, false) THEN
            rovodev.refusal('bad_request', 'A channel has a kind, a name of up to 100 characters, and events that there are.')
        WHEN NOT rovodev.is_target(wanted.kind, wanted.target) THEN
            rovodev.refusal('bad_request', 'The target is none of this kind.')
        -- Its silence is the message.
        WHEN wanted.kind = 'ping' AND NOT (wanted.events @> ARRAY['backup.succeeded']
            AND wanted.events <@ ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue']) THEN
            rovodev.refusal('bad_request', 'A ping is sent on backup.succeeded, and if you like on backup.failed and backup.overdue.')
        WHEN wanted.schedule_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM public.backup_schedules s WHERE s.id = wanted.schedule_id AND s.tenant_id = wanted.tenant_id) THEN
            rovodev.refusal('bad_request', 'There is no such schedule.')
        WHEN wanted.schedule_id IS NOT NULL AND NOT wanted.events && ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue',
            'backup.anomaly', 'verification.failed'] THEN
            rovodev.refusal('bad_request', 'A schedule has backups alone, and none of these events.')
    END
$$;

-- Writes a message for every channel that asked for it, or for the failure that it ends. `told`: what the message says
-- besides; `code` tells failures of one kind apart.
CREATE OR REPLACE FUNCTION rovodev.tell(owner uuid, event text, schedule uuid, code text, told jsonb) RETURNS void
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
    -- Heard by who heard of the damage.
    ELSIF event = 'verification.recovered' THEN
        ended := rovodev.end_folds(owner, coalesce(schedule, owner), ARRAY['verification.failed']);
        IF ended.failures = 0 THEN
            RETURN;
        END IF;
        asked := ended.events;
        most := 200;
        told := told || jsonb_build_object('recovered',
            jsonb_build_object('failures', ended.failures, 'since', ended.since));
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

-- What a message tells of a backup.
CREATE FUNCTION rovodev.backup_told(b public.backups) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('id', b.id, 'name', b.name, 'type', b.backup_type, 'trigger', b.trigger,
        'createdAt', b.created_at, 'size', b.size_bytes, 'records', b.records, 'tables', b.tables)
$$;

-- Damage that was found is told once, not each time that it is still there; that it is mended, when nothing else of its
-- schedule is damaged any more.
CREATE FUNCTION rovodev.tell_check() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    concerns text;
BEGIN
    IF NEW.damage IS NOT NULL THEN
        SELECT string_agg(c.name, ', ' ORDER BY c.at) INTO concerns
            FROM jsonb_array_elements_text(NEW.damage -> 'concerns') WITH ORDINALITY c (name, at) WHERE c.at <= 10;
        PERFORM rovodev.tell(NEW.tenant_id, 'verification.failed', NEW.schedule_id, 'damaged', jsonb_build_object(
            'backup', rovodev.backup_told(NEW), 'schedule', rovodev.schedule_told(NEW.schedule_id),
            'error', rovodev.failure_told(NEW.damage -> 'examples' -> 0 ->> 'code', format('%s %s%s',
                CASE NEW.damage ->> 'objects' WHEN '1' THEN 'One stored object is gone or not what was written.'
                    ELSE format('%s stored objects are gone or not what was written.', NEW.damage ->> 'objects') END,
                'Concerned: ' || coalesce(concerns, 'the whole backup'),
                CASE WHEN jsonb_array_length(NEW.damage -> 'concerns') > 10
                    THEN format(' and %s more.', jsonb_array_length(NEW.damage -> 'concerns') - 10) ELSE '.' END))));
    ELSIF NOT EXISTS (
        SELECT FROM public.backups b
        WHERE b.tenant_id = NEW.tenant_id AND b.schedule_id IS NOT DISTINCT FROM NEW.schedule_id AND b.status = 'completed'
            AND b.deleted_at IS NULL AND b.damage IS NOT NULL AND b.id <> NEW.id
    ) THEN
        PERFORM rovodev.tell(NEW.tenant_id, 'verification.recovered', NEW.schedule_id, NULL, jsonb_build_object(
            'backup', rovodev.backup_told(NEW), 'schedule', rovodev.schedule_told(NEW.schedule_id)));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_tell_check AFTER UPDATE OF checked_at ON public.backups
    FOR EACH ROW WHEN ((NEW.damage IS NULL) <> (OLD.damage IS NULL) AND NOT NEW.outside_scope AND NEW.deleted_at IS NULL)
    EXECUTE FUNCTION rovodev.tell_check();

-- What a policy decides over: backups of a schedule as retention sees them. What its tenant may not see any more is not
-- among them, and does not expire.
CREATE OR REPLACE FUNCTION rovodev.scheduled_backups(schedule uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', b.id, 'name', b.name, 'createdAt', b.created_at, 'status', b.status, 'trigger', b.trigger,
        'pinned', b.pinned, 'verifiedAt', b.verified_at, 'size', b.size_bytes, 'damaged', b.damage IS NOT NULL,
        'guardsUndo', b.trigger = 'safety' AND EXISTS (
            SELECT FROM public.restore_operations o
            WHERE o.safety_backup_id = b.id AND rovodev.undo_refusal(o) IS NULL)
    ) ORDER BY b.created_at DESC, b.id DESC), '[]')
    FROM public.backups b WHERE b.schedule_id = schedule AND b.deleted_at IS NULL AND NOT b.outside_scope
$$;

-- Deletes what a schedule's policy does not keep. What changed since the look at `at` stays: what was pinned, verified or
-- is restored meanwhile, and everything where the last good backup (`last_good`) is not there any more, or was found
-- damaged. How many went. `more`: the policy is to be looked at again at once, for these were not all.
CREATE OR REPLACE FUNCTION public.rovodev_expire_backups(
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
            AND b.damage IS NULL
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

-- A page of backups and how many there are, in one request; rights are the caller's own (RLS). `cursor_value` is what
-- the last row of the page before was sorted by, `cursor_id` its id; or `skipped` rows of the same order come before the
-- page. `sort`: createdAt, size, type.
CREATE OR REPLACE FUNCTION public.rovodev_list_backups(
    tenant text DEFAULT NULL, types text[] DEFAULT NULL, statuses text[] DEFAULT NULL, triggers text[] DEFAULT NULL,
    created_from timestamptz DEFAULT NULL, created_to timestamptz DEFAULT NULL, search text DEFAULT NULL,
    sort text DEFAULT 'createdAt', ascending boolean DEFAULT false, page_size integer DEFAULT 50,
    cursor_value text DEFAULT NULL, cursor_id uuid DEFAULT NULL, skipped integer DEFAULT 0
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = '' AS $$
DECLARE
    -- One of three constants: never the caller's text.
    sort_key text := CASE sort WHEN 'size' THEN 'coalesce(b.size_bytes, 0)' WHEN 'type' THEN 'b.backup_type::text'
        ELSE 'b.created_at' END;
    sort_type text := CASE sort WHEN 'size' THEN 'bigint' WHEN 'type' THEN 'text' ELSE 'timestamptz' END;
    direction text := CASE WHEN ascending THEN 'ASC' ELSE 'DESC' END;
    after text := CASE WHEN ascending THEN '>' ELSE '<' END;
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    page jsonb;
    total bigint;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    EXECUTE format($query$
        WITH chosen AS (
            SELECT b.id, %1$s AS sort_key
            FROM public.backups b
            WHERE b.tenant_id = $1
                AND ($2 IS NULL OR b.backup_type = ANY ($2))
                AND ($3 IS NULL OR b.status = ANY ($3))
                AND ($4 IS NULL OR b.trigger = ANY ($4))
                AND ($5 IS NULL OR b.created_at >= $5)
                AND ($6 IS NULL OR b.created_at < $6)
                AND ($7 IS NULL OR strpos(lower(b.name), lower($7)) > 0 OR strpos(lower(b.note), lower($7)) > 0)
        ), page AS (
            SELECT id, sort_key FROM chosen
            WHERE $8 IS NULL OR (sort_key, id) %2$s ($8::%3$s, $9)
            ORDER BY sort_key %4$s, id %4$s
            LIMIT $10 OFFSET $11
        )
        SELECT (SELECT count(*) FROM chosen), coalesce(jsonb_agg(jsonb_build_object(
            'id', b.id, 'name', b.name, 'path', b.backup_path, 'createdAt', b.created_at,
            'size', coalesce(b.size_bytes, 0), 'type', b.backup_type, 'trigger', b.trigger, 'status', b.status,
            'components', b.components, 'compressed', b.compressed, 'codec', b.codec, 'tables', b.tables,
            'records', b.records, 'files', b.files, 'startedAt', b.started_at, 'finishedAt', b.finished_at,
            'progress', b.progress, 'errorCode', b.error_code, 'error', b.error_message,
            'verifiedAt', b.verified_at, 'checkedAt', b.checked_at, 'damaged', b.damage IS NOT NULL,
            'anomalies', jsonb_array_length(b.anomalies), 'pinned', b.pinned, 'note', b.note, 'expiresAt', b.expires_at,
            'warnings', jsonb_array_length(b.warnings), 'createdBy', b.created_by, 'selection', b.selection
        ) ORDER BY p.sort_key %4$s, p.id %4$s), '[]')
        FROM page p JOIN public.backups b ON b.id = p.id
    $query$, sort_key, after, sort_type, direction)
    INTO total, page
    USING owner.id, types, statuses, triggers, created_from, created_to, nullif(search, ''), cursor_value, cursor_id,
        least(greatest(page_size, 1), 201), greatest(skipped, 0);
    RETURN jsonb_build_object('outcome', 'done', 'total', total, 'backups', page);
END $$;

REVOKE ALL ON public.rovodev_read_backs FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION
    rovodev.may_read_back(uuid), rovodev.to_read_back(integer, boolean), rovodev.backup_told(public.backups), rovodev.tell_check(),
    public.rovodev_claim_read_back(integer, integer, integer, boolean),
    public.rovodev_note_read_back(uuid, integer, text, integer, jsonb)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION
    public.rovodev_claim_read_back(integer, integer, integer, boolean),
    public.rovodev_note_read_back(uuid, integer, text, integer, jsonb)
TO service_role;
GRANT SELECT (checked_at, check_ms, check_bytes, damage, anomalies) ON public.backups TO authenticated;
GRANT SELECT (id, tenant_id, backup_id, began_at, ended_at, bytes, milliseconds) ON public.rovodev_read_backs TO authenticated;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000019');
