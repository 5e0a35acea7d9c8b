-- What people may ask for. Each function finds tenant and role by the caller's token, writes the audit row, and
-- answers {outcome: done | refused, …}: never an exception, so that a refusal stays in the log.
CREATE TABLE public.rovodev_idempotency_keys (
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    user_id uuid NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    request_hash text NOT NULL CHECK (length(request_hash) <= 200),
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id, key)
);
COMMENT ON TABLE public.rovodev_idempotency_keys IS 'rovodev:catalog Answers to requests that may be sent again.';
CREATE TABLE public.rovodev_rate_limits (
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    user_id uuid NOT NULL,
    action text NOT NULL,
    window_start timestamptz NOT NULL,
    calls integer NOT NULL,
    PRIMARY KEY (tenant_id, user_id, action)
);
COMMENT ON TABLE public.rovodev_rate_limits IS 'rovodev:catalog Calls per person and minute.';
ALTER TABLE public.rovodev_idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_rate_limits ENABLE ROW LEVEL SECURITY;

-- At most `allowed` calls a minute; answers the seconds to wait, or NULL.
CREATE FUNCTION rovodev.over_rate(tenant uuid, limited_action text, allowed integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    current public.rovodev_rate_limits;
BEGIN
    INSERT INTO public.rovodev_rate_limits AS r VALUES (tenant, rovodev.caller(), limited_action, now(), 1)
    ON CONFLICT (tenant_id, user_id, action) DO UPDATE SET
        calls = CASE WHEN r.window_start < now() - interval '1 minute' THEN 1 ELSE r.calls + 1 END,
        window_start = CASE WHEN r.window_start < now() - interval '1 minute' THEN now() ELSE r.window_start END
    RETURNING * INTO current;
    RETURN CASE WHEN current.calls > allowed
        THEN greatest(1, ceil(extract(epoch FROM current.window_start + interval '1 minute' - now()))::integer) END;
END $$;

-- NULL where the caller may; else the refusal, with its audit row.
CREATE FUNCTION rovodev.refuse_unless(
    tenant uuid, needed text, action text, object_type text, object_id uuid, door text, address text,
    allowed integer DEFAULT 60
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    role text := rovodev.my_role(tenant);
    wait integer;
BEGIN
    IF rovodev.rank(role) >= rovodev.rank(needed) THEN
        wait := rovodev.over_rate(tenant, action, allowed);
        IF wait IS NULL THEN
            RETURN NULL;
        END IF;
        -- One row per minute: a flood of calls is not a flood of rows.
        PERFORM rovodev.audit(tenant, door, refuse_unless.action, object_type, object_id, 'refused', 'rate_limited',
            address)
        FROM public.rovodev_rate_limits r
        WHERE r.tenant_id = tenant AND r.user_id = rovodev.caller() AND r.action = refuse_unless.action
            AND r.calls = allowed + 1;
        RETURN rovodev.refusal('rate_limited', format('More than %s calls in a minute.', allowed))
            || jsonb_build_object('retryAfter', wait);
    END IF;
    -- Nor is a flood of forbidden ones.
    IF rovodev.over_rate(tenant, 'forbidden', 60) IS NULL THEN
        PERFORM rovodev.audit(tenant, door, action, object_type, object_id, 'refused', 'forbidden', address);
    END IF;
    RETURN rovodev.refusal('forbidden', format('This takes the role %s; yours is %s.', needed, role));
END $$;

-- The same for a foreign backup as for none; asking for it stands in the log of the caller's own tenant.
CREATE FUNCTION rovodev.refuse_unknown(action text, object uuid, door text, address text, kind text DEFAULT 'backup')
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    own public.rovodev_tenants := rovodev.my_tenant(NULL);
BEGIN
    IF own.id IS NOT NULL AND rovodev.over_rate(own.id, 'unknown', 60) IS NULL THEN
        PERFORM rovodev.audit(own.id, door, action, kind, object, 'refused', 'not_found', address);
    END IF;
    RETURN rovodev.refusal('not_found', format('There is no such %s.', kind));
END $$;

-- A backup of one of the caller's tenants; NULL for a foreign one, as for none.
CREATE FUNCTION rovodev.my_backup(backup uuid) RETURNS public.backups
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT b FROM public.backups b
    WHERE b.id = backup AND b.deleted_at IS NULL AND NOT b.outside_scope
        AND b.tenant_id IN (SELECT rovodev.my_tenants())
$$;

-- The selection that a tenant's backups and restores have: what was asked for, inside the tenant's scope.
CREATE FUNCTION rovodev.selection(tenant public.rovodev_tenants, request jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'schemas', request -> 'schemas',
        'tables', CASE WHEN jsonb_typeof(request -> 'tables') = 'array' THEN (
            SELECT coalesce(jsonb_agg(jsonb_build_object('schema', t -> 'schema', 'name', t -> 'name')), '[]')
            FROM jsonb_array_elements(request -> 'tables') t
        ) END,
        'scope', rovodev.scope(tenant)
    ))
$$;

-- A request: an object of no more bytes than one of our own functions makes of the largest body that it takes.
CREATE FUNCTION rovodev.is_request(request jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT coalesce(jsonb_typeof(request) = 'object' AND octet_length(request::text) <= 4 * 1024 * 1024, false)
$$;

-- Whether a field holds a name; NULL where there is none.
CREATE FUNCTION rovodev.is_name(field jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE jsonb_typeof(field) WHEN 'string' THEN rovodev.is_name(field #>> '{}') WHEN 'null' THEN NULL ELSE field IS NULL END
$$;

-- Whether schemas and tables were chosen as jobs read them: {schemas: [text], tables: [{schema, name}]}, at most 500 of
-- each, with names as long as PostgreSQL has them.
CREATE FUNCTION rovodev.is_choice(request jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT rovodev.is_request(request)
        AND coalesce(jsonb_typeof(request -> 'schemas') = 'array', true)
        AND coalesce(jsonb_typeof(request -> 'tables') = 'array', true)
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(
                CASE jsonb_typeof(request -> 'schemas') WHEN 'array' THEN request -> 'schemas' ELSE '[]' END
            ) chosen
            WHERE jsonb_typeof(chosen) <> 'string' OR octet_length(chosen #>> '{}') > 63
        )
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(
                CASE jsonb_typeof(request -> 'tables') WHEN 'array' THEN request -> 'tables' ELSE '[]' END
            ) chosen
            WHERE coalesce(jsonb_typeof(chosen -> 'schema'), '') <> 'string'
                OR coalesce(jsonb_typeof(chosen -> 'name'), '') <> 'string'
                OR octet_length(chosen ->> 'schema') > 63 OR octet_length(chosen ->> 'name') > 63
        )
        AND CASE jsonb_typeof(request -> 'schemas') WHEN 'array' THEN jsonb_array_length(request -> 'schemas') ELSE 0 END <= 500
        AND CASE jsonb_typeof(request -> 'tables') WHEN 'array' THEN jsonb_array_length(request -> 'tables') ELSE 0 END <= 500
$$;

-- `request`: {type, name, codec, schemas, tables, trigger}.
CREATE FUNCTION public.rovodev_create_backup(
    request jsonb, tenant text DEFAULT NULL, idempotency_key text DEFAULT NULL, request_hash text DEFAULT NULL,
    door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_create_backup.request);
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    kind text := coalesce(request ->> 'type', 'full');
    estimate integer;
    reason text := 'manual';
    backup uuid := rovodev.new_id();
    refused jsonb;
    known public.rovodev_idempotency_keys;
    answer jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    refused := rovodev.refuse_unless(owner.id, 'operator', 'backup.create', 'backup', NULL, door, address, 20);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    IF NOT rovodev.is_choice(request) OR NOT rovodev.is_name(request -> 'name') THEN
        PERFORM rovodev.audit(owner.id, door, 'backup.create', 'backup', NULL, 'refused', 'bad_request', address);
        RETURN rovodev.refusal('bad_request', 'schemas and tables are lists of at most 500 names, and name can be one.');
    END IF;
    IF kind = 'scheduled' THEN
        kind := 'full';
        reason := 'scheduled';
    END IF;
    -- Rows and nothing else: no configuration, no definitions of the whole app.
    IF owner.scope_column IS NOT NULL AND kind = 'config' THEN
        PERFORM rovodev.audit(owner.id, door, 'backup.create', 'backup', NULL, 'refused', 'scoped', address);
        RETURN rovodev.refusal('scoped', 'Configuration is not part of this tenant.');
    END IF;
    IF owner.scope_column IS NOT NULL THEN
        kind := 'database';
    END IF;
    IF idempotency_key IS NOT NULL THEN
        -- Two requests with one key wait for each other here.
        PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'rovodev key', owner.id, rovodev.caller(),
            idempotency_key), 0));
        SELECT * INTO known FROM public.rovodev_idempotency_keys k
            WHERE k.tenant_id = owner.id AND k.user_id = rovodev.caller() AND k.key = idempotency_key
                AND k.created_at > now() - interval '24 hours';
        IF known.key IS NOT NULL AND known.request_hash = coalesce(rovodev_create_backup.request_hash, '') THEN
            RETURN known.answer || jsonb_build_object('replayed', true);
        ELSIF known.key IS NOT NULL THEN
            PERFORM rovodev.audit(owner.id, door, 'backup.create', 'backup', (known.answer ->> 'id')::uuid, 'refused',
                'idempotency_mismatch', address);
            RETURN rovodev.refusal('idempotency_mismatch', 'This Idempotency-Key was used for another request.');
        END IF;
    END IF;
    estimate := rovodev.backup_seconds(owner.id, kind, rovodev.selection(owner, request));
    INSERT INTO public.backups (
        id, tenant_id, name, backup_path, created_by, created_by_id, backup_type, trigger, compressed, codec,
        selection, estimated_seconds
    ) VALUES (
        backup, owner.id,
        coalesce(request ->> 'name', to_char(now() AT TIME ZONE 'UTC', '"backup_"YYYY-MM-DD_HH24-MI-SS')),
        format('backups/%s/%s', owner.slug, backup),
        left(coalesce(rovodev.caller_email(), rovodev.caller()::text), 255), rovodev.caller(), kind, reason,
        coalesce(request ->> 'codec', 'zstd') <> 'none', coalesce(request ->> 'codec', 'zstd'),
        rovodev.selection(owner, request), estimate
    );
    answer := jsonb_build_object(
        'outcome', 'done', 'id', backup, 'status', 'pending', 'estimatedTime', estimate,
        'jobId', rovodev.enqueue('backup', owner.id, backup => backup),
        'path', format('backups/%s/%s', owner.slug, backup)
    );
    IF idempotency_key IS NOT NULL THEN
        INSERT INTO public.rovodev_idempotency_keys (tenant_id, user_id, key, request_hash, answer)
        VALUES (owner.id, rovodev.caller(), idempotency_key, coalesce(rovodev_create_backup.request_hash, ''), answer)
        ON CONFLICT (tenant_id, user_id, key) DO UPDATE
            SET request_hash = excluded.request_hash, answer = excluded.answer, created_at = now();
    END IF;
    PERFORM rovodev.audit(owner.id, door, 'backup.create', 'backup', backup, 'done', NULL, address,
        jsonb_build_object('type', kind, 'name', request ->> 'name'));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_create_backup IS 'rovodev:catalog Asks for a backup.';

-- `change`: {name, note, pinned}, each optional; a null note takes the note away.
CREATE FUNCTION public.rovodev_change_backup(
    backup uuid, change jsonb, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    change jsonb := rovodev.unwrapped(rovodev_change_backup.change);
    old public.backups := rovodev.my_backup(backup);
    refused jsonb;
BEGIN
    IF old.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.change', backup, door, address);
    END IF;
    refused := rovodev.refuse_unless(old.tenant_id, 'operator', 'backup.change', 'backup', backup, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    IF NOT rovodev.is_request(change) OR NOT rovodev.is_name(change -> 'name')
        OR jsonb_typeof(change -> 'note') NOT IN ('string', 'null') THEN
        PERFORM rovodev.audit(old.tenant_id, door, 'backup.change', 'backup', backup, 'refused', 'bad_request', address);
        RETURN rovodev.refusal('bad_request', 'A change holds name, note and pinned; the name can be one.');
    END IF;
    UPDATE public.backups SET
        name = coalesce(change ->> 'name', name),
        note = CASE WHEN change ? 'note' THEN change ->> 'note' ELSE note END,
        pinned = coalesce((change ->> 'pinned')::boolean, pinned)
    WHERE id = backup AND deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN rovodev.refuse_unknown('backup.change', backup, door, address);
    END IF;
    PERFORM rovodev.audit(old.tenant_id, door, 'backup.change', 'backup', backup, 'done', NULL, address, change);
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_change_backup IS 'rovodev:catalog Renames, pins or annotates a backup.';

CREATE FUNCTION public.rovodev_delete_backup(backup uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    old public.backups := rovodev.my_backup(backup);
    refused jsonb;
    why text;
BEGIN
    IF old.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.delete', backup, door, address);
    END IF;
    refused := rovodev.refuse_unless(old.tenant_id, 'admin', 'backup.delete', 'backup', backup, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    -- A restore that begins now locks the row as well. What came before the lock counts: a pin, another deletion.
    SELECT * INTO old FROM public.backups WHERE id = backup AND deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN rovodev.refuse_unknown('backup.delete', backup, door, address);
    END IF;
    why := CASE
        WHEN old.pinned THEN 'The backup is pinned. Unpin it first.'
        WHEN old.status IN ('pending', 'in_progress') THEN 'The backup is being taken. Cancel it first.'
        WHEN EXISTS (
            SELECT FROM public.restore_operations o
            WHERE backup IN (o.backup_id, o.safety_backup_id) AND o.status IN ('pending', 'in_progress')
        ) THEN 'The backup is being restored.'
    END;
    IF why IS NOT NULL THEN
        PERFORM rovodev.audit(old.tenant_id, door, 'backup.delete', 'backup', backup, 'refused', 'in_use', address);
        RETURN rovodev.refusal('in_use', why);
    END IF;
    UPDATE public.backups SET deleted_at = now() WHERE id = backup;
    UPDATE public.rovodev_download_links SET revoked_at = now() WHERE backup_id = backup AND revoked_at IS NULL;
    PERFORM rovodev.audit(old.tenant_id, door, 'backup.delete', 'backup', backup, 'done', NULL, address,
        jsonb_build_object('name', old.name));
    RETURN jsonb_build_object('outcome', 'done',
        'jobId', rovodev.enqueue('delete', old.tenant_id, backup => backup));
END $$;
COMMENT ON FUNCTION public.rovodev_delete_backup IS 'rovodev:catalog Deletes a backup.';

-- Why a restore cannot be undone; NULL where it can. A date that passed is no reason as long as its target keeps the rows.
CREATE FUNCTION rovodev.undo_refusal(undone public.restore_operations) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE
        WHEN undone.id IS NULL OR undone.status <> 'completed' OR undone.preview OR undone.undone_at IS NOT NULL
            OR undone.target <> 'inPlace' THEN
            rovodev.refusal('not_undoable', 'This restore did not change anything that could be undone.')
        WHEN undone.result ->> 'undoable' = 'false' AND undone.undo_until IS NOT NULL THEN
            rovodev.refusal('undo_expired', 'What this restore changed was kept for its undo until '
                || to_char(undone.undo_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC."'))
        WHEN undone.result ->> 'undoable' = 'false' THEN
            rovodev.refusal('not_undoable', 'This restore did not change anything that could be undone.')
    END
$$;

-- `request`: {components, schemas, tables, target, mode, force, leaveOutOrphans,
-- leaveChanged, preview, undo}.
CREATE FUNCTION public.rovodev_restore_backup(
    backup uuid, request jsonb, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_restore_backup.request);
    source public.backups := rovodev.my_backup(backup);
    owner public.rovodev_tenants;
    preview boolean := coalesce((request ->> 'preview')::boolean, false);
    target text := coalesce(request ->> 'target', 'inPlace');
    components jsonb := coalesce(request -> 'components', '["database"]');
    undone public.restore_operations;
    estimate integer;
    operation uuid := rovodev.new_id();
    safety uuid;
    refused jsonb;
    why jsonb;
BEGIN
    IF source.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.restore', backup, door, address);
    END IF;
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = source.tenant_id;
    refused := rovodev.refuse_unless(owner.id,
        CASE WHEN preview THEN 'viewer' WHEN target = 'inPlace' THEN 'admin' ELSE 'operator' END,
        CASE WHEN preview THEN 'backup.preview' ELSE 'backup.restore' END, 'backup', backup, door, address, 20);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    PERFORM FROM public.backups b WHERE b.id = backup AND b.deleted_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RETURN rovodev.refuse_unknown('backup.restore', backup, door, address);
    END IF;
    -- Restores of one tenant wait for each other here: who comes second is refused below.
    IF NOT preview THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('rovodev restore ' || owner.id, 0));
    END IF;
    IF request ? 'undo' THEN
        SELECT * INTO undone FROM public.restore_operations o
            WHERE o.id = (request ->> 'undo')::uuid AND o.backup_id = backup;
    END IF;
    why := CASE
        WHEN source.status <> 'completed' THEN rovodev.refusal('not_completed', 'This backup was not completed.')
        WHEN NOT rovodev.is_choice(request) THEN
            rovodev.refusal('bad_request', 'schemas and tables are lists of at most 500 names.')
        WHEN owner.scope_column IS NOT NULL AND (target = 'url' OR components <> '["database"]') THEN
            rovodev.refusal('scoped', 'Only rows can be restored in this tenant, in place or into a sandbox.')
        -- What a job would not do as asked, it must not do otherwise.
        WHEN target <> 'inPlace' OR components <> '["database"]' THEN
            rovodev.refusal('bad_request', 'A restore writes the database''s rows in place.')
        WHEN request ? 'undo' AND undone.id IS NULL THEN
            rovodev.refusal('not_found', 'There is no such restore of this backup.')
        WHEN request ? 'undo' AND rovodev.undo_refusal(undone) IS NOT NULL THEN rovodev.undo_refusal(undone)
        WHEN NOT preview AND EXISTS (
            SELECT FROM public.restore_operations o
            WHERE o.tenant_id = owner.id AND o.status IN ('pending', 'in_progress') AND NOT o.preview
        ) THEN rovodev.refusal('restore_running', 'Another restore is running.')
    END;
    IF why IS NOT NULL THEN
        PERFORM rovodev.audit(owner.id, door, 'backup.restore', 'backup', backup, 'refused', why ->> 'code', address);
        RETURN why;
    END IF;
    -- Its id is known before the work begins, so that a retry finds it instead of taking another one.
    IF NOT preview AND target = 'inPlace' AND NOT request ? 'undo' AND components ? 'database' THEN
        safety := rovodev.new_id();
        INSERT INTO public.backups
            (id, tenant_id, name, backup_path, created_by, created_by_id, backup_type, trigger, selection)
        VALUES (
            safety, owner.id, to_char(now() AT TIME ZONE 'UTC', '"before_restore_"YYYY-MM-DD_HH24-MI-SS'),
            format('backups/%s/%s', owner.slug, safety),
            left(coalesce(rovodev.caller_email(), rovodev.caller()::text), 255), rovodev.caller(), 'database', 'safety',
            rovodev.selection(owner, '{}')
        );
    END IF;
    IF NOT request ? 'undo' THEN
        estimate := rovodev.restore_seconds(source, target, rovodev.selection(owner, request));
    END IF;
    INSERT INTO public.restore_operations (
        id, tenant_id, backup_id, initiated_by, initiated_by_id, restore_type, target, mode, components, selection,
        force, leave_out_orphans, leave_changed, preview, undo_of, safety_backup_id, estimated_seconds
    ) VALUES (
        operation, owner.id, backup, left(coalesce(rovodev.caller_email(), rovodev.caller()::text), 255),
        rovodev.caller(),
        CASE WHEN components = '["database"]' THEN 'database' WHEN components = '["config"]' THEN 'config'
            ELSE 'full' END,
        target, coalesce(request ->> 'mode', 'missing'), components, rovodev.selection(owner, request),
        coalesce((request ->> 'force')::boolean, false), coalesce((request ->> 'leaveOutOrphans')::boolean, false),
        coalesce((request ->> 'leaveChanged')::boolean, false), preview, undone.id, safety, estimate
    );
    PERFORM rovodev.audit(owner.id, door, CASE WHEN preview THEN 'backup.preview' ELSE 'backup.restore' END,
        'restore', operation, 'done', NULL, address, request || jsonb_build_object('backup', backup));
    RETURN jsonb_build_object(
        'outcome', 'done', 'operationId', operation, 'status', 'pending', 'safetyBackupId', safety,
        'estimatedTime', estimate,
        'jobId', rovodev.enqueue('restore', owner.id, operation => operation)
    );
END $$;
COMMENT ON FUNCTION public.rovodev_restore_backup IS 'rovodev:catalog Asks for a restore, its preview or its undo.';

-- Cancels the backup itself while it is taken, else the restore of it that runs.
CREATE FUNCTION public.rovodev_cancel(
    backup uuid, operation uuid DEFAULT NULL, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    target public.backups := rovodev.my_backup(backup);
    job public.rovodev_jobs;
    asked public.restore_operations;
    refused jsonb;
BEGIN
    IF target.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.cancel', backup, door, address);
    END IF;
    SELECT j.* INTO job FROM public.rovodev_jobs j
        LEFT JOIN public.restore_operations o ON o.id = j.operation_id
        WHERE j.state IN ('queued', 'running') AND j.kind <> 'delete'
            AND CASE WHEN operation IS NULL THEN j.backup_id = backup OR (o.backup_id = backup AND NOT o.preview)
                ELSE j.operation_id = operation AND o.backup_id = backup END
        ORDER BY j.created_at DESC LIMIT 1
        FOR UPDATE OF j;
    SELECT o.* INTO asked FROM public.restore_operations o WHERE o.id = job.operation_id;
    refused := rovodev.refuse_unless(target.tenant_id,
        CASE
            -- A plan changes nothing: whoever began it ends it.
            WHEN asked.preview AND asked.initiated_by_id = rovodev.caller() THEN 'viewer'
            WHEN asked.id IS NOT NULL AND NOT asked.preview THEN 'admin'
            ELSE 'operator'
        END,
        'backup.cancel', 'backup', backup, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    IF job.id IS NULL THEN
        PERFORM rovodev.audit(target.tenant_id, door, 'backup.cancel', 'backup', backup, 'refused', 'nothing_to_cancel',
            address);
        RETURN rovodev.refusal('nothing_to_cancel', 'Nothing of this backup is running.');
    END IF;
    UPDATE public.rovodev_jobs j SET
        cancel_requested_at = coalesce(cancel_requested_at, now()),
        cancelled_by = coalesce(cancelled_by, rovodev.caller_email(), rovodev.caller()::text)
    WHERE j.id = job.id;
    PERFORM rovodev.audit(target.tenant_id, door, 'backup.cancel',
        CASE job.kind WHEN 'restore' THEN 'restore' ELSE 'backup' END,
        coalesce(job.operation_id, job.backup_id), 'done', NULL, address);
    -- Nobody works on it: it is over now.
    IF job.state = 'queued' THEN
        PERFORM rovodev.end_job(job, 'cancelled', '{}');
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'status',
        CASE job.state WHEN 'queued' THEN 'cancelled' ELSE 'cancelling' END);
END $$;
COMMENT ON FUNCTION public.rovodev_cancel IS 'rovodev:catalog Cancels a backup or a restore.';

-- Who the caller is: {tenants: [{id, slug, name, role, scoped}]}.
CREATE FUNCTION public.rovodev_whoami() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object('userId', rovodev.caller(), 'email', rovodev.caller_email(), 'tenants',
        coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'slug', t.slug, 'name', t.name, 'role', m.role,
            'scoped', t.scope_column IS NOT NULL) ORDER BY m.created_at, t.id), '[]'))
    FROM public.rovodev_members m JOIN public.rovodev_tenants t ON t.id = m.tenant_id
    WHERE m.user_id = rovodev.caller()
$$;
COMMENT ON FUNCTION public.rovodev_whoami IS 'rovodev:catalog The caller and the tenants of the caller.';

INSERT INTO rovodev.migrations (version) VALUES ('20261122000005');
