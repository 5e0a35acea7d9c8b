-- Jobs: a row and a message of a queue (pgmq, the extension behind Supabase Queues). The message's visibility is the
-- lease; its read count is the fencing token, checked at every change of state. What a function could not end before
-- its deadline moves to the queue `rovodev_long_jobs`, which only workers read.
DO $$
BEGIN
    IF to_regprocedure('pgmq.create(text)') IS NULL THEN
        CREATE EXTENSION IF NOT EXISTS pgmq;
    END IF;
EXCEPTION WHEN feature_not_supported OR undefined_file OR insufficient_privilege THEN
    RAISE EXCEPTION 'the queue extension pgmq is missing in this database'
        USING HINT = 'On Supabase: Integrations, Queues, Enable. Elsewhere: install pgmq 1.5.1 or newer.';
END $$;
DO $$
BEGIN
    PERFORM pgmq.create(queue)
    FROM unnest(ARRAY['rovodev_jobs', 'rovodev_long_jobs']) queue
    WHERE queue NOT IN (SELECT queue_name FROM pgmq.list_queues());
END $$;

CREATE TABLE public.rovodev_jobs (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    kind text NOT NULL CHECK (kind IN ('backup', 'restore', 'delete', 'export')),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants,
    backup_id uuid REFERENCES public.backups,
    operation_id uuid REFERENCES public.restore_operations,
    export_id uuid REFERENCES public.rovodev_exports,
    queue text NOT NULL DEFAULT 'rovodev_jobs' CHECK (queue IN ('rovodev_jobs', 'rovodev_long_jobs')),
    message_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    -- The fencing token: the message's read count when it was last taken, and those of the message before.
    token integer NOT NULL DEFAULT 0,
    token_base integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts > 0),
    leased_until timestamptz,
    worker text,
    cancel_requested_at timestamptz,
    cancelled_by text,
    -- Since when it waits for a worker of one's own.
    long_since timestamptz,
    last_error jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CHECK (num_nonnulls(backup_id, operation_id, export_id) = 1),
    CHECK ((kind IN ('backup', 'delete')) = (backup_id IS NOT NULL)),
    CHECK ((kind = 'restore') = (operation_id IS NOT NULL))
);
COMMENT ON TABLE public.rovodev_jobs IS 'rovodev:catalog Work that is waiting, running or ended.';
CREATE INDEX rovodev_jobs_backup ON public.rovodev_jobs (backup_id);
CREATE INDEX rovodev_jobs_operation ON public.rovodev_jobs (operation_id);
CREATE INDEX rovodev_jobs_export ON public.rovodev_jobs (export_id);
CREATE INDEX rovodev_jobs_open ON public.rovodev_jobs (state) WHERE state IN ('queued', 'running');
ALTER TABLE public.rovodev_jobs ENABLE ROW LEVEL SECURITY;

-- queued → running | failed | cancelled; running → queued | completed | failed | cancelled, or taken again. What has
-- ended stays so, and the fencing token never goes back.
CREATE FUNCTION rovodev.check_job() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF NEW.token >= OLD.token AND (
        NEW.state = OLD.state
        OR (OLD.state = 'queued' AND NEW.state IN ('running', 'failed', 'cancelled'))
        OR (OLD.state = 'running' AND NEW.state IN ('queued', 'completed', 'failed', 'cancelled'))
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'job % is % under token %, and cannot become % under token %',
        OLD.id, OLD.state, OLD.token, NEW.state, NEW.token
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER rovodev_transition BEFORE UPDATE OF state, token ON public.rovodev_jobs
    FOR EACH ROW EXECUTE FUNCTION rovodev.check_job();

CREATE FUNCTION rovodev.enqueue(
    kind text, tenant uuid, backup uuid DEFAULT NULL, operation uuid DEFAULT NULL, export uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job uuid := rovodev.new_id();
    message bigint;
BEGIN
    SELECT send INTO message FROM pgmq.send('rovodev_jobs', jsonb_build_object('job', job, 'kind', kind));
    INSERT INTO public.rovodev_jobs (id, kind, tenant_id, backup_id, operation_id, export_id, message_id)
    VALUES (job, kind, tenant, backup, operation, export, message);
    RETURN job;
END $$;

-- A job whose row is deleted is over: its message goes, and what it worked on will not be done.
CREATE FUNCTION rovodev.forget_job() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM pgmq.archive(OLD.queue, OLD.message_id);
    IF OLD.state IN ('queued', 'running') THEN
        PERFORM rovodev.tell_object(OLD, 'cancelled',
            jsonb_build_object('finished_at', now(), 'completed_at', now()));
        UPDATE public.backups b SET status = 'cancelled'
        FROM public.restore_operations o
        WHERE o.id = OLD.operation_id AND b.id = o.safety_backup_id AND b.status = 'pending';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER rovodev_forget AFTER DELETE ON public.rovodev_jobs
    FOR EACH ROW EXECUTE FUNCTION rovodev.forget_job();

-- A safety backup that nobody will take any more.
CREATE FUNCTION rovodev.forget_safety_backup() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.backups SET status = 'cancelled' WHERE id = OLD.safety_backup_id AND status = 'pending';
    RETURN OLD;
END $$;
CREATE TRIGGER rovodev_forget AFTER DELETE ON public.restore_operations
    FOR EACH ROW EXECUTE FUNCTION rovodev.forget_safety_backup();

-- Whether what a job works on went from the catalog: its row, the backup that it is about, or their tenant.
CREATE FUNCTION rovodev.is_orphan(job public.rovodev_jobs) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT NOT EXISTS (
        SELECT FROM public.rovodev_tenants t JOIN public.backups b ON b.tenant_id = t.id
        WHERE t.id = job.tenant_id AND b.id = coalesce(
            job.backup_id,
            (SELECT o.backup_id FROM public.restore_operations o WHERE o.id = job.operation_id),
            (SELECT e.backup_id FROM public.rovodev_exports e WHERE e.id = job.export_id))
    )
$$;

-- Ends a job that has nothing to work on any more.
CREATE FUNCTION rovodev.drop_orphan(job public.rovodev_jobs) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.rovodev_jobs j SET state = 'cancelled', ended_at = now(), leased_until = NULL
        WHERE j.id = job.id AND j.state IN ('queued', 'running');
    PERFORM pgmq.archive(job.queue, job.message_id);
    UPDATE public.backups b SET status = 'cancelled'
        WHERE b.tenant_id = job.tenant_id AND b.trigger = 'safety' AND b.status = 'pending'
            AND NOT EXISTS (SELECT FROM public.restore_operations o WHERE o.safety_backup_id = b.id);
    PERFORM rovodev.audit(job.tenant_id, 'job', job.kind, 'job', job.id, 'failed', 'gone');
END $$;

-- What a worker is told that does not hold its job any more. `gone`: nobody else does either, for there is nothing to
-- work on; what it stored is its to take away.
CREATE FUNCTION rovodev.not_held(job_id uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs;
    gone boolean;
BEGIN
    SELECT * INTO job FROM public.rovodev_jobs j WHERE j.id = job_id FOR UPDATE;
    gone := job.id IS NULL OR rovodev.is_orphan(job);
    IF gone AND job.state IN ('queued', 'running') THEN
        PERFORM rovodev.drop_orphan(job);
    END IF;
    RETURN jsonb_build_object('held', false, 'cancel', false, 'gone', gone);
END $$;

-- The row that a job works on takes the state of the job. `fields` are columns of that row.
CREATE FUNCTION rovodev.tell_object(job public.rovodev_jobs, new_status text, fields jsonb DEFAULT '{}') RETURNS void
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
            metadata = coalesce(f.metadata, '{}'), warnings = coalesce(f.warnings, '[]'),
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

CREATE FUNCTION rovodev.end_job(job public.rovodev_jobs, new_state text, fields jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    who text;
    safety uuid;
BEGIN
    UPDATE public.rovodev_jobs SET
        state = new_state, ended_at = now(), leased_until = NULL,
        last_error = CASE WHEN fields ? 'error_message'
            THEN jsonb_build_object('code', fields -> 'error_code', 'message', fields -> 'error_message')
            ELSE last_error END
    WHERE id = job.id RETURNING cancelled_by INTO who;
    IF new_state = 'cancelled' AND who IS NOT NULL THEN
        fields := fields || jsonb_build_object('cancelled_by', who);
    END IF;
    PERFORM rovodev.tell_object(job, new_state,
        fields || jsonb_build_object('finished_at', now(), 'completed_at', now()));
    -- A safety backup that was never taken will not be.
    UPDATE public.backups b SET status = 'cancelled'
    FROM public.restore_operations o
    WHERE o.id = job.operation_id AND b.id = o.safety_backup_id AND b.status = 'pending'
    RETURNING b.id INTO safety;
    -- Whoever worked on it may have stored it whole and died before the catalog heard of it. What the catalog does not
    -- call completed must not stay in the store.
    IF safety IS NOT NULL AND job.token > 0 THEN
        PERFORM rovodev.enqueue('delete', job.tenant_id, backup => safety);
    ELSIF job.kind = 'backup' AND new_state <> 'completed'
        AND job.token > (CASE job.state WHEN 'running' THEN 1 ELSE 0 END) THEN
        PERFORM rovodev.enqueue('delete', job.tenant_id, backup => job.backup_id);
    END IF;
    PERFORM pgmq.archive(job.queue, job.message_id);
    PERFORM rovodev.audit(
        job.tenant_id, 'job', job.kind, CASE job.kind WHEN 'restore' THEN 'restore' WHEN 'export' THEN 'export'
            ELSE 'backup' END,
        coalesce(job.backup_id, job.operation_id, job.export_id),
        CASE new_state WHEN 'completed' THEN 'done' ELSE 'failed' END,
        CASE new_state WHEN 'cancelled' THEN 'cancelled' ELSE fields ->> 'error_code' END
    );
END $$;

-- Everything that a worker needs to know of a job.
CREATE FUNCTION rovodev.job_as_json(job public.rovodev_jobs) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object(
        'id', job.id, 'kind', job.kind, 'token', job.token, 'maxAttempts', job.max_attempts,
        'cancelRequested', job.cancel_requested_at IS NOT NULL,
        'tenant', (
            SELECT jsonb_build_object('id', t.id, 'slug', t.slug, 'scopeColumn', t.scope_column,
                'scopeValue', t.scope_value, 'settings', t.settings)
            FROM public.rovodev_tenants t WHERE t.id = job.tenant_id
        ),
        'backup', (SELECT to_jsonb(b) - 'contents' FROM public.backups b WHERE b.id = coalesce(
            job.backup_id,
            (SELECT o.backup_id FROM public.restore_operations o WHERE o.id = job.operation_id),
            (SELECT e.backup_id FROM public.rovodev_exports e WHERE e.id = job.export_id))),
        'operation', (
            SELECT to_jsonb(o) - 'plan' || jsonb_build_object('kept_until', u.undo_until)
            FROM public.restore_operations o LEFT JOIN public.restore_operations u ON u.id = o.undo_of
            WHERE o.id = job.operation_id
        ),
        'export', (SELECT to_jsonb(e) FROM public.rovodev_exports e WHERE e.id = job.export_id)
    )
$$;

-- Tenants take turns.
CREATE TABLE rovodev.turns (
    tenant_id uuid PRIMARY KEY REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    taken_at timestamptz NOT NULL
);
COMMENT ON TABLE rovodev.turns IS 'rovodev:catalog When a job of each tenant was last taken.';
ALTER TABLE rovodev.turns ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON rovodev.turns FROM PUBLIC, anon, authenticated, service_role;

-- The job that is next: of the tenant that holds the fewest, among those the one whose turn was longest ago, and of its
-- jobs the one that waits longest. So many runs of one tenant hold up no other. Not those of `passed`, and with
-- `source_is_full` none that uses the source: backups and restores hold sessions of the app's own database.
CREATE FUNCTION rovodev.next_job(queue text, source_is_full boolean, passed uuid[]) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET jit = off AS $$
DECLARE
    chosen uuid;
BEGIN
    EXECUTE format($query$
        WITH waiting AS (
            SELECT DISTINCT ON (j.tenant_id) j.tenant_id, j.id, j.message_id
            FROM public.rovodev_jobs j JOIN pgmq.%I m ON m.msg_id = j.message_id
            WHERE j.state IN ('queued', 'running') AND j.queue = $1 AND m.vt <= clock_timestamp()
                AND NOT ($2 AND j.kind IN ('backup', 'restore')) AND j.id <> ALL ($3)
            ORDER BY j.tenant_id, j.message_id
        ), held AS (
            SELECT j.tenant_id, count(*) AS jobs FROM public.rovodev_jobs j
            WHERE j.state = 'running' AND j.leased_until > now() GROUP BY j.tenant_id
        )
        SELECT w.id FROM waiting w LEFT JOIN held h USING (tenant_id) LEFT JOIN rovodev.turns t USING (tenant_id)
        ORDER BY coalesce(h.jobs, 0), t.taken_at NULLS FIRST, w.message_id LIMIT 1
    $query$, 'q_' || queue) INTO chosen USING queue, source_is_full, passed;
    RETURN chosen;
END $$;

-- Takes the job that is next, or the one named, for `seconds`; NULL where there is none. What was tried too often, or was
-- cancelled before anybody began, ends here. `long`: what outlasts a function's deadline. `most`: how many jobs may use
-- the source together, whoever holds them: functions, workers, terminals. A catalog has one source, so that its jobs are
-- all that counts. Who finds no room looks again when it is done, and the tick does.
CREATE FUNCTION public.rovodev_take_job(
    worker text, seconds integer, job_id uuid DEFAULT NULL, long boolean DEFAULT false, most integer DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    queue text := CASE WHEN long THEN 'rovodev_long_jobs' ELSE 'rovodev_jobs' END;
    source_is_full boolean;
    passed uuid[] := '{}';
    chosen uuid;
    reads integer;
    job public.rovodev_jobs;
BEGIN
    -- One after the other: two that count at once would both find room.
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev take', 0));
    source_is_full := (
        SELECT count(*) FROM public.rovodev_jobs j
        WHERE j.state = 'running' AND j.leased_until > now() AND j.kind IN ('backup', 'restore')
    ) >= most;
    LOOP
        chosen := coalesce(job_id, rovodev.next_job(queue, coalesce(source_is_full, false), passed));
        IF chosen IS NULL OR chosen = ANY (passed) THEN
            RETURN NULL;
        END IF;
        passed := passed || chosen;
        -- The job before its message, as whoever cancels, ends or renews it.
        SELECT * INTO job FROM public.rovodev_jobs j
            WHERE j.id = chosen FOR UPDATE;
        IF job.id IS NULL OR job.queue <> queue OR job.state NOT IN ('queued', 'running')
            OR (source_is_full AND job.kind IN ('backup', 'restore')) THEN
            CONTINUE;
        END IF;
        SELECT m.read_ct INTO reads FROM pgmq.read(queue, seconds, 1, jsonb_build_object('job', job.id)) m
            WHERE m.msg_id = job.message_id;
        IF NOT FOUND THEN
            CONTINUE;
        END IF;
        IF rovodev.is_orphan(job) THEN
            PERFORM rovodev.drop_orphan(job);
            CONTINUE;
        END IF;
        job.token := job.token_base + reads;
        IF job.cancel_requested_at IS NOT NULL AND job.token = 1 THEN
            PERFORM rovodev.end_job(job, 'cancelled', '{}');
            CONTINUE;
        END IF;
        IF job.token > job.max_attempts THEN
            PERFORM rovodev.end_job(job, 'failed', jsonb_build_object(
                'error_code', coalesce(job.last_error ->> 'code', 'gave_up'),
                'error_message', format('Given up after %s attempts. The last one: %s', job.max_attempts,
                    coalesce(job.last_error ->> 'message', 'it stopped without a word, as a killed process does.'))
            ));
            CONTINUE;
        END IF;
        UPDATE public.rovodev_jobs j SET
            state = 'running', token = job.token, worker = left(rovodev_take_job.worker, 100),
            leased_until = now() + make_interval(secs => seconds)
        WHERE j.id = job.id RETURNING * INTO job;
        INSERT INTO rovodev.turns AS t (tenant_id, taken_at) VALUES (job.tenant_id, clock_timestamp())
            ON CONFLICT (tenant_id) DO UPDATE SET taken_at = excluded.taken_at;
        PERFORM rovodev.tell_object(job, 'in_progress', jsonb_build_object('started_at', now()));
        RETURN rovodev.job_as_json(job);
    END LOOP;
END $$;
COMMENT ON FUNCTION public.rovodev_take_job IS 'rovodev:catalog Takes a job under a lease.';

-- The job, if `token` still holds it; locked until the transaction ends.
CREATE FUNCTION rovodev.held_job(job_id uuid, held_token integer) RETURNS public.rovodev_jobs
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT j FROM public.rovodev_jobs j
    WHERE j.id = job_id AND j.token = held_token AND j.state = 'running' AND NOT rovodev.is_orphan(j)
    FOR UPDATE
$$;

-- Renews the lease and tells how far the work is. {held, cancel, gone}: who does not hold it any more must stop at once.
CREATE FUNCTION public.rovodev_renew_job(job_id uuid, token integer, seconds integer, progress jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs := rovodev.held_job(job_id, token);
    told jsonb := rovodev.unwrapped(progress);
BEGIN
    IF job.id IS NULL THEN
        RETURN rovodev.not_held(job_id);
    END IF;
    PERFORM pgmq.set_vt(job.queue, job.message_id, seconds);
    UPDATE public.rovodev_jobs SET leased_until = now() + make_interval(secs => seconds) WHERE id = job.id;
    IF told IS NOT NULL THEN
        UPDATE public.backups b SET progress = told WHERE job.kind = 'backup' AND b.id = job.backup_id;
        UPDATE public.restore_operations o SET progress = told WHERE o.id = job.operation_id;
        UPDATE public.rovodev_exports e SET progress = told WHERE e.id = job.export_id;
    END IF;
    RETURN jsonb_build_object('held', true, 'cancel', job.cancel_requested_at IS NOT NULL);
END $$;
COMMENT ON FUNCTION public.rovodev_renew_job IS 'rovodev:catalog Renews a job''s lease.';

-- Ends a job as completed, failed or cancelled. `fields`: columns of the row it worked on. {held, gone}.
CREATE FUNCTION public.rovodev_end_job(job_id uuid, token integer, outcome text, fields jsonb DEFAULT '{}')
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs := rovodev.held_job(job_id, token);
BEGIN
    IF outcome NOT IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'a job cannot end as %', outcome USING ERRCODE = 'check_violation';
    END IF;
    IF job.id IS NULL THEN
        RETURN rovodev.not_held(job_id);
    END IF;
    PERFORM rovodev.end_job(job, outcome, rovodev.unwrapped(fields));
    RETURN jsonb_build_object('held', true);
END $$;
COMMENT ON FUNCTION public.rovodev_end_job IS 'rovodev:catalog Ends a job.';

-- Gives a job back, to be taken again in `seconds` after a failure that a retry may mend; the attempts end in
-- rovodev_take_job. Without an error it is no failure, and no attempt is lost: a worker that is stopped, or with
-- `to_worker` a function whose deadline came. Nor is waiting, for an hour, for who is at work in the store, or restores
-- into the same database: a killed deletion holds the one for minutes, another tenant's restore the other. {held, gone}.
CREATE FUNCTION public.rovodev_return_job(
    job_id uuid, token integer, seconds integer, error jsonb DEFAULT NULL, to_worker boolean DEFAULT false
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs := rovodev.held_job(job_id, token);
    error jsonb := rovodev.unwrapped(rovodev_return_job.error);
    notice text := error ->> 'message';
BEGIN
    IF job.id IS NULL THEN
        RETURN rovodev.not_held(job_id);
    END IF;
    IF to_worker AND job.queue = 'rovodev_jobs' THEN
        PERFORM pgmq.archive(job.queue, job.message_id);
        job.queue := 'rovodev_long_jobs';
        job.token_base := job.token;
        job.long_since := now();
        notice := 'Waits for a worker, because it takes longer than a function may run. Start one: rovodev worker';
        SELECT send INTO job.message_id
            FROM pgmq.send(job.queue, jsonb_build_object('job', job.id, 'kind', job.kind), seconds);
    ELSE
        PERFORM pgmq.set_vt(job.queue, job.message_id, seconds);
    END IF;
    IF error IS NULL OR (error ->> 'code' IN ('store_busy', 'restore_running') AND job.created_at > now() - interval '1 hour') THEN
        job.max_attempts := job.max_attempts + 1;
    END IF;
    UPDATE public.rovodev_jobs j SET
        state = 'queued', leased_until = NULL, last_error = coalesce(error, j.last_error), queue = job.queue,
        message_id = job.message_id, token_base = job.token_base, max_attempts = job.max_attempts,
        long_since = job.long_since
    WHERE j.id = job.id;
    -- Whoever watches hears what it waits for.
    PERFORM rovodev.tell_object(job, 'pending', CASE WHEN notice IS NULL THEN '{}' ELSE jsonb_build_object('progress',
        jsonb_build_object('current', 0, 'total', 0, 'step', 'Waiting', 'notice', notice)) END);
    RETURN jsonb_build_object('held', true);
END $$;
COMMENT ON FUNCTION public.rovodev_return_job IS 'rovodev:catalog Gives a job back to the queue.';

-- The safety backup of a restore is complete: its row, made with the restore, is filled in. {held, gone}.
CREATE FUNCTION public.rovodev_record_safety_backup(job_id uuid, token integer, fields jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs := rovodev.held_job(job_id, token);
    safety public.rovodev_jobs;
BEGIN
    IF job.id IS NULL OR job.kind <> 'restore' THEN
        RETURN rovodev.not_held(job_id);
    END IF;
    safety := job;
    safety.kind := 'backup';
    SELECT o.safety_backup_id INTO safety.backup_id FROM public.restore_operations o WHERE o.id = job.operation_id;
    PERFORM rovodev.tell_object(safety, 'completed',
        jsonb_build_object('started_at', now(), 'finished_at', now()) || rovodev.unwrapped(fields))
    FROM public.backups b WHERE b.id = safety.backup_id AND b.status = 'pending';
    RETURN jsonb_build_object('held', true);
END $$;
COMMENT ON FUNCTION public.rovodev_record_safety_backup IS 'rovodev:catalog Completes a restore''s safety backup.';

-- What the tick has to look after: {waiting: jobs that nobody holds, oldest: seconds the oldest of them waits}. Deletions
-- that were given up are asked for again: what is out of every list must not stay in the store.
CREATE FUNCTION public.rovodev_waiting_jobs() RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM rovodev.enqueue('delete', b.tenant_id, backup => b.id)
    FROM public.backups b
    WHERE (
        b.deleted_at > now() - interval '7 days'
        OR b.status IN ('failed', 'cancelled') AND EXISTS (
            SELECT FROM public.rovodev_jobs j
            WHERE j.backup_id = b.id AND j.kind = 'delete' AND j.created_at > now() - interval '7 days')
    ) AND NOT EXISTS (
        SELECT FROM public.rovodev_jobs j
        WHERE j.backup_id = b.id AND j.kind = 'delete'
            AND (j.state <> 'failed' OR j.ended_at > now() - interval '10 minutes')
    );
    RETURN (
        SELECT jsonb_build_object(
            'waiting', count(*),
            'oldest', coalesce(extract(epoch FROM now() - min(created_at))::bigint, 0)
        )
        FROM public.rovodev_jobs
        WHERE state = 'queued' OR (state = 'running' AND leased_until < now())
    );
END $$;
COMMENT ON FUNCTION public.rovodev_waiting_jobs IS 'rovodev:catalog Jobs that nobody holds.';

INSERT INTO rovodev.migrations (version) VALUES ('20261122000004');
