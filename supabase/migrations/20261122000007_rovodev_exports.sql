-- Downloads: links for minutes, and exports, which are made ready beforehand where a stream would not end in time.
-- And how long things take, from how long they took.
CREATE TABLE public.rovodev_download_links (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    backup_id uuid NOT NULL REFERENCES public.backups,
    format text NOT NULL CHECK (format IN ('sql.zst', 'sql.gz', 'tar', 'csv')),
    -- {schema, name} of a csv.
    table_name jsonb,
    -- BLAKE3 of the secret in the link, which is kept nowhere.
    secret_hash bytea NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    created_by_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    opened integer NOT NULL DEFAULT 0,
    opened_from text,
    refused_at timestamptz,
    -- What was read through it, and how long that took.
    streamed_bytes bigint NOT NULL DEFAULT 0,
    streamed_seconds double precision NOT NULL DEFAULT 0,
    CHECK ((format = 'csv') = (table_name IS NOT NULL))
);
COMMENT ON TABLE public.rovodev_download_links IS 'rovodev:catalog Links to downloads, for minutes.';
CREATE INDEX rovodev_download_links_backup ON public.rovodev_download_links (backup_id);
CREATE INDEX rovodev_download_links_streamed ON public.rovodev_download_links (tenant_id, created_at DESC)
    WHERE streamed_bytes > 0;
ALTER TABLE public.rovodev_download_links ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.rovodev_download_links FROM PUBLIC, anon, authenticated, service_role;

-- Bytes of COPY text that a selection takes of a backup.
CREATE FUNCTION rovodev.chosen_bytes(source public.backups, selection jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE WHEN coalesce(selection -> 'schemas', '[]') = '[]' AND coalesce(selection -> 'tables', '[]') = '[]'
        THEN source.raw_bytes
        ELSE (
            SELECT coalesce(sum((t ->> 'rawSize')::bigint), 0)::bigint
            FROM jsonb_array_elements(source.contents -> 'tables') t
            WHERE selection -> 'schemas' ? (t ->> 'schema')
                OR selection -> 'tables' @> jsonb_build_array(
                    jsonb_build_object('schema', t -> 'schema', 'name', t -> 'name'))
        ) END
$$;

-- Seconds for so many bytes at the rate of past runs; where they moved nothing, their mean. NULL without runs.
CREATE FUNCTION rovodev.estimate(bytes bigint, runs bigint, run_bytes numeric, run_seconds numeric) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE
        WHEN coalesce(runs, 0) = 0 OR bytes IS NULL THEN NULL
        WHEN coalesce(run_bytes, 0) = 0 OR run_seconds <= 0 THEN greatest(1, ceil(run_seconds / runs))
        ELSE greatest(1, ceil(bytes * run_seconds / run_bytes))
    END::integer
$$;

-- Seconds that a backup takes, from the last five of the tenant.
CREATE FUNCTION rovodev.backup_seconds(tenant uuid, kind text, selection jsonb) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    WITH runs AS (
        SELECT b AS run, b.created_at, coalesce(b.raw_bytes, 0) AS bytes,
            extract(epoch FROM b.finished_at - b.started_at) AS seconds
        FROM public.backups b
        WHERE b.tenant_id = tenant AND b.status = 'completed'
            AND b.selection -> 'scope' IS NOT DISTINCT FROM backup_seconds.selection -> 'scope'
            AND (b.backup_type = 'config') = (kind = 'config') AND b.finished_at > b.started_at
        ORDER BY b.created_at DESC LIMIT 5
    ), basis AS (
        -- The newest that says how large the choice is.
        SELECT CASE WHEN (run).selection = backup_seconds.selection THEN bytes
            ELSE rovodev.chosen_bytes(run, backup_seconds.selection) END AS bytes
        FROM runs
        WHERE (run).selection - 'scope' = '{}' OR (run).selection = backup_seconds.selection
        ORDER BY created_at DESC LIMIT 1
    )
    SELECT rovodev.estimate((SELECT bytes FROM basis), count(*), sum(bytes), sum(seconds)) FROM runs
$$;

-- Seconds that a restore takes, from the last five of the tenant into such a target.
CREATE FUNCTION rovodev.restore_seconds(source public.backups, target text, selection jsonb) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    WITH runs AS (
        SELECT coalesce(rovodev.chosen_bytes(b, o.selection), 0) AS bytes,
            extract(epoch FROM o.completed_at - o.started_at) AS seconds
        FROM public.restore_operations o
        JOIN public.backups b ON b.id = o.backup_id
        WHERE o.tenant_id = source.tenant_id AND o.status = 'completed' AND NOT o.preview
            AND o.selection -> 'scope' IS NOT DISTINCT FROM restore_seconds.selection -> 'scope' AND o.undo_of IS NULL
            AND o.target = restore_seconds.target AND o.completed_at > o.started_at
        ORDER BY o.created_at DESC LIMIT 5
    )
    SELECT rovodev.estimate(rovodev.chosen_bytes(source, selection), count(*), sum(bytes), sum(seconds)) FROM runs
$$;

-- Bytes a second at which this tenant's people read downloads; without any worth measuring, a slow line's.
CREATE FUNCTION rovodev.stream_rate(tenant uuid) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(sum(bytes) / nullif(sum(seconds), 0), 4000000) FROM (
        SELECT l.streamed_bytes AS bytes, l.streamed_seconds AS seconds
        FROM public.rovodev_download_links l
        WHERE l.tenant_id = tenant AND l.streamed_bytes >= 1000000
        ORDER BY l.created_at DESC LIMIT 5
    ) last
$$;

-- Bytes that a download will have: what is stored where it is copied, else the text that is compressed again.
CREATE FUNCTION rovodev.download_bytes(source public.backups, format text, table_name jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE
        WHEN table_name IS NOT NULL THEN
            rovodev.chosen_bytes(source, jsonb_build_object('tables', jsonb_build_array(table_name)))
        WHEN format = 'tar' OR (format, source.codec) IN (('sql.zst', 'zstd'), ('sql.gz', 'gzip'))
            THEN source.size_bytes
        ELSE source.raw_bytes
    END
$$;

-- Why a download is refused; NULL where it is not.
CREATE FUNCTION rovodev.refuse_download(source public.backups, request jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants;
BEGIN
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = source.tenant_id;
    RETURN CASE
        WHEN NOT rovodev.is_request(request) THEN rovodev.refusal('bad_request', 'A request is an object.')
        WHEN source.status <> 'completed' THEN rovodev.refusal('not_completed', 'This backup was not completed.')
        WHEN owner.scope_column IS NOT NULL AND request ? 'file' THEN
            rovodev.refusal('scoped', 'Only this tenant''s own rows can be downloaded.')
        WHEN request ? 'file' AND NOT source.contents -> 'files' @> jsonb_build_array(
            jsonb_build_object('name', request -> 'file')
        ) THEN rovodev.refusal('not_found', 'There is no such file in this backup.')
        WHEN request ->> 'format' NOT IN ('tar', 'file') AND NOT source.components ? 'database' THEN
            rovodev.refusal('no_rows', 'This backup holds configuration alone. Download it as tar.')
        WHEN request ? 'table' AND NOT source.contents -> 'tables' @> jsonb_build_array(
            jsonb_build_object('schema', request #> '{table,schema}', 'name', request #> '{table,name}')
        ) THEN rovodev.refusal('no_such_table', 'There is no such table in this backup.')
    END;
END $$;

-- `request`: {format, table, file, export}. A link for `seconds`, whose secret the caller hashes and never sends here;
-- or an export, where that was asked for, or where streaming would take longer than `stream_seconds` (NULL: never).
CREATE FUNCTION public.rovodev_download_backup(
    backup uuid, request jsonb, secret_hash text, stream_seconds integer DEFAULT NULL, seconds integer DEFAULT 300,
    door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_download_backup.request);
    source public.backups := rovodev.my_backup(backup);
    wanted_format text := request ->> 'format';
    wanted_table jsonb := CASE WHEN request ? 'table' THEN jsonb_build_object(
        'schema', request #> '{table,schema}', 'name', request #> '{table,name}') END;
    expires timestamptz := now() + make_interval(secs => least(greatest(seconds, 10), 300));
    slug text;
    refused jsonb;
    made public.rovodev_exports;
    job uuid;
    answer jsonb;
BEGIN
    IF source.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.download', backup, door, address);
    END IF;
    refused := rovodev.refuse_unless(source.tenant_id, 'operator', 'backup.download', 'backup', backup, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    refused := rovodev.refuse_download(source, request);
    IF refused IS NOT NULL THEN
        PERFORM rovodev.audit(source.tenant_id, door, 'backup.download', 'backup', backup, 'refused',
            refused ->> 'code', address, CASE WHEN rovodev.is_request(request) THEN request ELSE '{}' END);
        RETURN refused;
    END IF;
    SELECT t.slug INTO slug FROM public.rovodev_tenants t WHERE t.id = source.tenant_id;
    IF wanted_format <> 'file' THEN
        -- Two who ask at once get one export; a deletion waits, or is seen.
        PERFORM FROM public.backups b WHERE b.id = backup AND b.deleted_at IS NULL FOR UPDATE;
        IF NOT FOUND THEN
            RETURN rovodev.refuse_unknown('backup.download', backup, door, address);
        END IF;
        SELECT * INTO made FROM public.rovodev_exports e
        WHERE e.backup_id = backup AND e.format = wanted_format AND e.table_name IS NOT DISTINCT FROM wanted_table
            AND (e.status IN ('pending', 'in_progress')
                OR (e.status = 'completed' AND e.dropped_at IS NULL AND e.expires_at > now() + interval '10 minutes'))
        ORDER BY e.created_at DESC LIMIT 1;
        IF made.id IS NULL AND (coalesce((request ->> 'export')::boolean, false)
            OR rovodev.download_bytes(source, wanted_format, wanted_table) / rovodev.stream_rate(source.tenant_id)
                > stream_seconds)
        THEN
            made.id := rovodev.new_id();
            INSERT INTO public.rovodev_exports
                (id, tenant_id, backup_id, format, table_name, created_by_id, store_key)
            VALUES (
                made.id, source.tenant_id, backup, wanted_format, wanted_table, rovodev.caller(),
                format('exports/%s/%s.%s', slug, made.id, wanted_format)
            ) RETURNING * INTO made;
            job := rovodev.enqueue('export', source.tenant_id, export => made.id);
        END IF;
        IF made.id IS NULL THEN
            -- Old ones say nothing any more of how fast this tenant reads.
            DELETE FROM public.rovodev_download_links l
                WHERE l.tenant_id = source.tenant_id AND l.expires_at < now() - interval '30 days';
            INSERT INTO public.rovodev_download_links
                (tenant_id, backup_id, format, table_name, secret_hash, created_by_id, expires_at)
            VALUES (source.tenant_id, backup, wanted_format, wanted_table,
                decode(rovodev_download_backup.secret_hash, 'hex'), rovodev.caller(), expires);
        END IF;
    END IF;
    PERFORM rovodev.audit(source.tenant_id, door, 'backup.download', 'backup', backup, 'done', NULL, address,
        jsonb_strip_nulls(request || jsonb_build_object('exportId', made.id)));
    answer := jsonb_build_object('outcome', 'done', 'tenant', slug, 'name', source.name, 'expiresAt', expires);
    IF made.id IS NOT NULL THEN
        answer := answer || jsonb_build_object('jobId', job, 'export', jsonb_build_object(
            'id', made.id, 'status', made.status, 'storeKey', made.store_key, 'size', made.size_bytes));
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_download_backup IS 'rovodev:catalog Makes a link to a download, or an export.';

-- A tenant whose scope changes sees no more of what was before than the new one lets it; links and exports of that end.
CREATE FUNCTION rovodev.change_scope() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    IF rovodev.scope(NEW) IS NOT DISTINCT FROM rovodev.scope(OLD) THEN
        RETURN NEW;
    END IF;
    NEW.scope_set_at := clock_timestamp();
    UPDATE public.backups b SET outside_scope = rovodev.is_outside(rovodev.scope(NEW), b.selection)
        WHERE b.tenant_id = NEW.id;
    UPDATE public.restore_operations o SET outside_scope = rovodev.is_outside(rovodev.scope(NEW), o.selection)
        WHERE o.tenant_id = NEW.id;
    UPDATE public.rovodev_download_links l SET revoked_at = now() WHERE l.tenant_id = NEW.id AND l.revoked_at IS NULL;
    UPDATE public.rovodev_exports e SET expires_at = now()
        WHERE e.tenant_id = NEW.id AND e.status = 'completed' AND e.expires_at > now();
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_change_scope BEFORE UPDATE ON public.rovodev_tenants
    FOR EACH ROW EXECUTE FUNCTION rovodev.change_scope();

-- Where a link leads, if it is good and its maker still may. The secret is the right; so no token is asked for. NULL
-- for whatever is not good. The log has the first use from every address, and at most one refusal a minute.
CREATE FUNCTION public.rovodev_open_download_link(backup uuid, secret_hash text, address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    link public.rovodev_download_links;
    owner public.rovodev_tenants;
    source public.backups;
    why text;
BEGIN
    SELECT * INTO link FROM public.rovodev_download_links l
        WHERE l.secret_hash = decode(rovodev_open_download_link.secret_hash, 'hex') AND l.backup_id = backup
        FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = link.tenant_id;
    SELECT * INTO source FROM public.backups b WHERE b.id = link.backup_id;
    why := CASE
        WHEN link.revoked_at IS NOT NULL THEN 'link_revoked'
        WHEN link.expires_at <= now() THEN 'link_expired'
        WHEN source.deleted_at IS NOT NULL THEN 'not_found'
        WHEN NOT EXISTS (
            SELECT FROM public.rovodev_members m
            WHERE m.tenant_id = link.tenant_id AND m.user_id = link.created_by_id
                AND rovodev.rank(m.role) >= rovodev.rank('operator')
        ) THEN 'forbidden'
        WHEN source.outside_scope THEN 'scoped'
    END;
    IF why IS NOT NULL THEN
        IF link.refused_at IS NULL OR link.refused_at < now() - interval '1 minute' THEN
            UPDATE public.rovodev_download_links l SET refused_at = now() WHERE l.id = link.id;
            PERFORM rovodev.audit(link.tenant_id, 'link', 'backup.download', 'backup', backup, 'refused', why, address,
                jsonb_build_object('link', link.id, 'madeBy', link.created_by_id));
        END IF;
        RETURN NULL;
    END IF;
    IF link.opened = 0 OR link.opened_from IS DISTINCT FROM address THEN
        PERFORM rovodev.audit(link.tenant_id, 'link', 'backup.download', 'backup', backup, 'done', 'opened', address,
            jsonb_build_object('link', link.id, 'madeBy', link.created_by_id, 'format', link.format));
    END IF;
    UPDATE public.rovodev_download_links l SET opened = l.opened + 1, opened_from = address WHERE l.id = link.id;
    RETURN jsonb_build_object('id', link.id, 'tenant', owner.slug, 'name', source.name, 'format', link.format,
        'table', link.table_name, 'scoped', owner.scope_column IS NOT NULL);
END $$;
COMMENT ON FUNCTION public.rovodev_open_download_link IS 'rovodev:catalog Where a download link leads.';

-- Ends every link to a backup, and its exports: what is made is cancelled, what was made expires.
CREATE FUNCTION public.rovodev_revoke_downloads(backup uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    source public.backups := rovodev.my_backup(backup);
    refused jsonb;
    job public.rovodev_jobs;
BEGIN
    IF source.id IS NULL THEN
        RETURN rovodev.refuse_unknown('backup.revoke', backup, door, address);
    END IF;
    refused := rovodev.refuse_unless(source.tenant_id, 'operator', 'backup.revoke', 'backup', backup, door, address);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    UPDATE public.rovodev_download_links l SET revoked_at = now() WHERE l.backup_id = backup AND l.revoked_at IS NULL;
    UPDATE public.rovodev_exports e SET expires_at = now()
        WHERE e.backup_id = backup AND e.status = 'completed' AND e.expires_at > now();
    FOR job IN
        SELECT j.* FROM public.rovodev_jobs j JOIN public.rovodev_exports e ON e.id = j.export_id
        WHERE e.backup_id = backup AND j.state IN ('queued', 'running') FOR UPDATE OF j
    LOOP
        UPDATE public.rovodev_jobs j SET cancel_requested_at = coalesce(cancel_requested_at, now()) WHERE j.id = job.id;
        IF job.token = 0 THEN
            PERFORM rovodev.end_job(job, 'cancelled', '{}');
        END IF;
    END LOOP;
    PERFORM rovodev.audit(source.tenant_id, door, 'backup.revoke', 'backup', backup, 'done', NULL, address);
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_revoke_downloads IS 'rovodev:catalog Ends the downloads of a backup.';

-- Something of a tenant leaves as a file.
CREATE FUNCTION rovodev.note_export(tenant text, action text, format text, door text, address text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    refused jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    refused := rovodev.refuse_unless(owner.id, 'viewer', action, 'tenant', owner.id, door, address, 20);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    PERFORM rovodev.audit(owner.id, door, action, 'tenant', owner.id, 'done', NULL, address,
        jsonb_build_object('format', left(format, 40)));
    RETURN jsonb_build_object('outcome', 'done');
END $$;

CREATE FUNCTION public.rovodev_note_list_export(
    tenant text DEFAULT NULL, format text DEFAULT 'csv', door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT rovodev.note_export(tenant, 'backup.list.export', format, door, address)
$$;
COMMENT ON FUNCTION public.rovodev_note_list_export IS 'rovodev:catalog Notes that the list was taken as a file.';

CREATE FUNCTION public.rovodev_record_stream(link uuid, bytes bigint, seconds double precision) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    UPDATE public.rovodev_download_links l SET
        streamed_bytes = l.streamed_bytes + greatest(bytes, 0),
        streamed_seconds = l.streamed_seconds + greatest(seconds, 0)
    WHERE l.id = link
$$;
COMMENT ON FUNCTION public.rovodev_record_stream IS 'rovodev:catalog How fast a download was read.';

-- Exports whose objects shall go: [{id, storeKey}], at most a hundred.
CREATE FUNCTION public.rovodev_ended_exports() RETURNS jsonb
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'storeKey', store_key)), '[]') FROM (
        SELECT e.id, e.store_key
        FROM public.rovodev_exports e JOIN public.backups b ON b.id = e.backup_id
        WHERE e.dropped_at IS NULL AND e.status IN ('completed', 'failed', 'cancelled')
            AND (e.status <> 'completed' OR e.expires_at <= now() OR b.deleted_at IS NOT NULL)
        ORDER BY e.created_at LIMIT 100
    ) ended
$$;
COMMENT ON FUNCTION public.rovodev_ended_exports IS 'rovodev:catalog Exports whose objects shall go.';

CREATE FUNCTION public.rovodev_dropped_exports(exports uuid[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    UPDATE public.rovodev_exports e SET dropped_at = now() WHERE e.id = ANY (exports) AND e.dropped_at IS NULL
$$;
COMMENT ON FUNCTION public.rovodev_dropped_exports IS 'rovodev:catalog Notes that exports are out of the store.';

-- Grants by name, as in the file before this one.
DO $$
DECLARE
    made text;
BEGIN
    FOR made IN
        SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.proname IN (
            'chosen_bytes', 'estimate', 'backup_seconds', 'restore_seconds', 'stream_rate', 'download_bytes',
            'refuse_download', 'change_scope', 'note_export'
        ) AND p.pronamespace = 'rovodev'::regnamespace
        OR p.proname IN (
            'rovodev_download_backup', 'rovodev_open_download_link', 'rovodev_revoke_downloads',
            'rovodev_note_list_export', 'rovodev_record_stream', 'rovodev_ended_exports', 'rovodev_dropped_exports'
        ) AND p.pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated, service_role', made);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_download_backup(uuid, jsonb, text, integer, integer, text, text),
    public.rovodev_revoke_downloads(uuid, text, text),
    public.rovodev_note_list_export(text, text, text, text)
TO authenticated;
GRANT EXECUTE ON FUNCTION public.rovodev_open_download_link(uuid, text, text) TO anon, authenticated;
GRANT EXECUTE ON FUNCTION
    public.rovodev_record_stream(uuid, bigint, double precision),
    public.rovodev_ended_exports(),
    public.rovodev_dropped_exports(uuid[])
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000007');
