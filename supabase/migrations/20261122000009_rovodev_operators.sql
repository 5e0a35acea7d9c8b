-- What operators ask for from a terminal, by the project's secret key: the same rows, queue and audit log as people's
-- requests. The tenant is named, `actor` is the operating system's name of who asks. Each answers {outcome: done |
-- refused, …}, as the functions for people do.
CREATE FUNCTION rovodev.operators_tenant(tenant text) RETURNS public.rovodev_tenants
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t FROM public.rovodev_tenants t WHERE t.slug = tenant OR t.id::text = tenant
$$;

CREATE FUNCTION rovodev.operators_backup(owner uuid, backup uuid) RETURNS public.backups
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT b FROM public.backups b WHERE b.id = backup AND b.tenant_id = owner AND b.deleted_at IS NULL
$$;

CREATE FUNCTION rovodev.refuse_tenant(tenant text) RETURNS jsonb LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT rovodev.refusal('no_tenant', format('The catalog has no tenant %s.', quote_literal(tenant)))
$$;

CREATE FUNCTION rovodev.audit_operator(
    tenant uuid, actor text, action text, object_type text, object_id uuid, code text DEFAULT NULL,
    detail jsonb DEFAULT '{}'
) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO public.rovodev_audit_log
        (tenant_id, actor, door, action, object_type, object_id, outcome, code, detail, hash)
    VALUES (tenant, left(actor, 200), 'cli', action, object_type, object_id,
        CASE WHEN code IS NULL THEN 'done' ELSE 'refused' END, code, detail, '')
$$;

-- The refusal, with its audit row.
CREATE FUNCTION rovodev.refuse_operator(
    tenant uuid, actor text, action text, object_type text, object_id uuid, refusal jsonb
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM rovodev.audit_operator(tenant, actor, action, object_type, object_id, refusal ->> 'code');
    RETURN refusal;
END $$;

-- A tenant's scope holds whoever asks; without one, operators may choose the rows of any value.
CREATE FUNCTION rovodev.operators_selection(owner public.rovodev_tenants, request jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN owner.scope_column IS NULL AND request ? 'scope'
        THEN jsonb_build_object('scope', request -> 'scope') ELSE '{}' END || rovodev.selection(owner, request)
$$;

-- {total, backups}: rows, newest first; `contents` are those of one backup (rovodev_operators_show_backup).
CREATE FUNCTION public.rovodev_operators_list_backups(tenant text, page_size integer DEFAULT 200, skipped integer DEFAULT 0)
RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    RETURN jsonb_build_object(
        'outcome', 'done',
        'total', (SELECT count(*) FROM public.backups b WHERE b.tenant_id = owner.id AND b.deleted_at IS NULL),
        'backups', (
            SELECT coalesce(jsonb_agg(to_jsonb(page) - 'contents' ORDER BY page.created_at DESC, page.id DESC), '[]')
            FROM (
                SELECT b.* FROM public.backups b
                WHERE b.tenant_id = owner.id AND b.deleted_at IS NULL
                ORDER BY b.created_at DESC, b.id DESC
                LIMIT greatest(page_size, 0) OFFSET greatest(skipped, 0)
            ) page
        )
    );
END $$;
COMMENT ON FUNCTION public.rovodev_operators_list_backups IS 'rovodev:catalog Backups of a tenant, for operators.';

-- {backup}: its row.
CREATE FUNCTION public.rovodev_operators_show_backup(tenant text, backup uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    found public.backups := rovodev.operators_backup(owner.id, backup);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF found.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such backup.');
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'backup', to_jsonb(found));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_show_backup IS 'rovodev:catalog One backup, for operators.';

-- {restores}: the one named, previews too; or all that are no previews, newest first. With their backup's name.
CREATE FUNCTION public.rovodev_operators_list_restores(tenant text, operation uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'restores', (
        SELECT coalesce(jsonb_agg(to_jsonb(o) || jsonb_build_object('backup_name', b.name)
            ORDER BY o.created_at DESC, o.id DESC), '[]')
        FROM public.restore_operations o JOIN public.backups b ON b.id = o.backup_id
        WHERE o.tenant_id = owner.id AND (o.id = operation OR (operation IS NULL AND NOT o.preview))
    ));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_list_restores IS 'rovodev:catalog Restores of a tenant, for operators.';

-- `backup` is the new backup's id, chosen by who asks: the same request again finds the one that it made.
-- `request`: {type, name, codec, schemas, tables, scope}.
CREATE FUNCTION public.rovodev_operators_create_backup(tenant text, actor text, backup uuid, request jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_operators_create_backup.request);
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    kind text := coalesce(request ->> 'type', 'full');
    job uuid;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    IF owner.scope_column IS NOT NULL AND kind = 'config' THEN
        RETURN rovodev.refuse_operator(owner.id, actor, 'backup.create', 'backup', NULL,
            rovodev.refusal('scoped', 'Configuration is not part of this tenant.'));
    ELSIF owner.scope_column IS NOT NULL THEN
        kind := 'database';
    END IF;
    SELECT j.id INTO job FROM public.rovodev_jobs j
        WHERE j.backup_id = backup AND j.tenant_id = owner.id AND j.kind = 'backup';
    IF job IS NULL THEN
        INSERT INTO public.backups
            (id, tenant_id, name, backup_path, created_by, backup_type, compressed, codec, selection)
        VALUES (
            backup, owner.id,
            coalesce(request ->> 'name', to_char(now() AT TIME ZONE 'UTC', '"backup_"YYYY-MM-DD_HH24-MI-SS')),
            format('backups/%s/%s', owner.slug, backup), left(actor, 255), kind,
            coalesce(request ->> 'codec', 'zstd') <> 'none', coalesce(request ->> 'codec', 'zstd'),
            rovodev.operators_selection(owner, request)
        );
        job := rovodev.enqueue('backup', owner.id, backup => backup);
        PERFORM rovodev.audit_operator(owner.id, actor, 'backup.create', 'backup', backup, NULL,
            jsonb_build_object('type', kind, 'name', request ->> 'name'));
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'jobId', job);
END $$;
COMMENT ON FUNCTION public.rovodev_operators_create_backup IS 'rovodev:catalog Asks for a backup, for operators.';

-- Why a restore of this backup cannot be; NULL where it can.
CREATE FUNCTION rovodev.operators_restore_refusal(
    owner public.rovodev_tenants, source public.backups, request jsonb
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    undone public.restore_operations;
BEGIN
    IF source.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such backup.');
    ELSIF source.status <> 'completed' THEN
        RETURN rovodev.refusal('not_completed', 'This backup was not completed.');
    END IF;
    IF request ? 'undo' THEN
        SELECT * INTO undone FROM public.restore_operations o
            WHERE o.id = (request ->> 'undo')::uuid AND o.backup_id = source.id;
        IF rovodev.undo_refusal(undone) IS NOT NULL THEN
            RETURN rovodev.undo_refusal(undone);
        END IF;
    END IF;
    IF NOT coalesce((request ->> 'preview')::boolean, false) AND EXISTS (
        SELECT FROM public.restore_operations o
        WHERE o.tenant_id = owner.id AND o.status IN ('pending', 'in_progress') AND NOT o.preview
    ) THEN
        RETURN rovodev.refusal('restore_running', 'Another restore is running.');
    END IF;
    RETURN NULL;
END $$;

-- `operation` is the new restore's id, chosen by who asks, as above. In place alone.
-- `request`: {mode, schemas, tables, scope, force, leaveOutOrphans, leaveChanged, preview, undo}.
CREATE FUNCTION public.rovodev_operators_restore_backup(
    tenant text, actor text, operation uuid, backup uuid, request jsonb
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_operators_restore_backup.request);
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    source public.backups := rovodev.operators_backup(owner.id, backup);
    preview boolean := coalesce((request ->> 'preview')::boolean, false);
    action text := CASE WHEN preview THEN 'backup.preview' ELSE 'backup.restore' END;
    safety uuid;
    job uuid;
    why jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    SELECT j.id INTO job FROM public.rovodev_jobs j WHERE j.operation_id = operation AND j.tenant_id = owner.id;
    IF job IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'done', 'jobId', job);
    END IF;
    -- A deletion that begins now locks the row as well; restores of one tenant wait for each other.
    PERFORM FROM public.backups b WHERE b.id = source.id FOR SHARE;
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev restore ' || owner.id, 0));
    why := rovodev.operators_restore_refusal(owner, rovodev.operators_backup(owner.id, backup), request);
    IF why IS NOT NULL THEN
        RETURN rovodev.refuse_operator(owner.id, actor, action, 'backup', backup, why);
    END IF;
    IF NOT preview AND NOT request ? 'undo' THEN
        safety := rovodev.new_id();
        INSERT INTO public.backups (id, tenant_id, name, backup_path, created_by, backup_type, trigger, selection)
        VALUES (
            safety, owner.id, to_char(now() AT TIME ZONE 'UTC', '"before_restore_"YYYY-MM-DD_HH24-MI-SS'),
            format('backups/%s/%s', owner.slug, safety), left(actor, 255), 'database', 'safety',
            rovodev.selection(owner, '{}')
        );
    END IF;
    INSERT INTO public.restore_operations (
        id, tenant_id, backup_id, initiated_by, restore_type, mode, selection, force, leave_out_orphans, leave_changed,
        preview, undo_of, safety_backup_id
    ) VALUES (
        operation, owner.id, backup, left(actor, 255), 'database', coalesce(request ->> 'mode', 'exact'),
        rovodev.operators_selection(owner, request), coalesce((request ->> 'force')::boolean, false),
        coalesce((request ->> 'leaveOutOrphans')::boolean, false),
        coalesce((request ->> 'leaveChanged')::boolean, false), preview, (request ->> 'undo')::uuid, safety
    );
    PERFORM rovodev.audit_operator(owner.id, actor, action, 'restore', operation, NULL,
        request || jsonb_build_object('backup', backup));
    RETURN jsonb_build_object('outcome', 'done',
        'jobId', rovodev.enqueue('restore', owner.id, operation => operation));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_restore_backup IS
    'rovodev:catalog Asks for a restore, its preview or its undo, for operators.';

CREATE FUNCTION public.rovodev_operators_delete_backup(tenant text, actor text, backup uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    old public.backups;
    why text;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    -- A restore that begins now locks the row as well.
    PERFORM FROM public.backups b WHERE b.id = backup AND b.tenant_id = owner.id FOR UPDATE;
    old := rovodev.operators_backup(owner.id, backup);
    IF old.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such backup.');
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
        RETURN rovodev.refuse_operator(owner.id, actor, 'backup.delete', 'backup', backup,
            rovodev.refusal('in_use', why));
    END IF;
    UPDATE public.backups SET deleted_at = now() WHERE id = backup;
    UPDATE public.rovodev_download_links SET revoked_at = now() WHERE backup_id = backup AND revoked_at IS NULL;
    PERFORM rovodev.audit_operator(owner.id, actor, 'backup.delete', 'backup', backup, NULL,
        jsonb_build_object('name', old.name));
    RETURN jsonb_build_object('outcome', 'done',
        'jobId', rovodev.enqueue('delete', owner.id, backup => backup));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_delete_backup IS 'rovodev:catalog Deletes a backup, for operators.';

-- Cancels a job, whoever works on it.
CREATE FUNCTION public.rovodev_operators_cancel(tenant text, actor text, job uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    wanted public.rovodev_jobs;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    SELECT j.* INTO wanted FROM public.rovodev_jobs j
        WHERE j.id = job AND j.tenant_id = owner.id AND j.state IN ('queued', 'running') AND j.kind <> 'delete'
        FOR UPDATE;
    IF wanted.id IS NULL THEN
        RETURN rovodev.refusal('nothing_to_cancel', 'It is over already.');
    END IF;
    UPDATE public.rovodev_jobs j SET
        cancel_requested_at = coalesce(cancel_requested_at, now()), cancelled_by = coalesce(cancelled_by, left(actor, 255))
    WHERE j.id = job;
    PERFORM rovodev.audit_operator(owner.id, actor, 'backup.cancel',
        CASE wanted.kind WHEN 'restore' THEN 'restore' ELSE 'backup' END,
        coalesce(wanted.operation_id, wanted.backup_id, wanted.export_id));
    IF wanted.state = 'queued' THEN
        PERFORM rovodev.end_job(wanted, 'cancelled', '{}');
    END IF;
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_operators_cancel IS 'rovodev:catalog Cancels a job, for operators.';

-- Makes a user of Supabase Auth an admin of a tenant, which is made where there is none; {changed}.
CREATE FUNCTION rovodev.make_admin(tenant text, user_email text, actor text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants;
    person uuid;
    changed integer;
BEGIN
    SELECT u.id INTO person FROM auth.users u WHERE lower(u.email) = lower(user_email);
    IF person IS NULL THEN
        RETURN rovodev.refusal('no_user', format('Supabase Auth has no user %s.', user_email));
    END IF;
    INSERT INTO public.rovodev_tenants (slug, name) VALUES (tenant, tenant) ON CONFLICT (slug) DO NOTHING;
    owner := rovodev.operators_tenant(tenant);
    INSERT INTO public.rovodev_members AS m (tenant_id, user_id, role, email)
    VALUES (owner.id, person, 'admin', user_email)
    ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = 'admin' WHERE m.role <> 'admin';
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed > 0 THEN
        PERFORM rovodev.audit_operator(owner.id, actor, 'member.change', 'member', person, NULL,
            jsonb_build_object('email', user_email, 'role', 'admin'));
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'changed', changed > 0);
END $$;

DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE (p.pronamespace = 'rovodev'::regnamespace
            AND p.proname ~ 'operator|^make_admin$|^refuse_tenant$')
            OR (p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'rovodev\_operators\_%')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_operators_list_backups(text, integer, integer),
    public.rovodev_operators_show_backup(text, uuid),
    public.rovodev_operators_list_restores(text, uuid),
    public.rovodev_operators_create_backup(text, text, uuid, jsonb),
    public.rovodev_operators_restore_backup(text, text, uuid, uuid, jsonb),
    public.rovodev_operators_delete_backup(text, text, uuid),
    public.rovodev_operators_cancel(text, text, uuid)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000009');
