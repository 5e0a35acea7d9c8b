-- Backups, restores, exports and schedules: what people see of them. Jobs (next file) change them.

-- What finds a backup again, and is never taken for an id, a place or `latest`; a terminal shows it as it is.
CREATE FUNCTION rovodev.is_name(name text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT length(name) BETWEEN 1 AND 200 AND name !~ '^\s|\s$|[\u0001-\u001f\u007f-\u009f/\\]' AND name <> 'latest'
        AND name !~* '^(urn:uuid:|\{)?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?$'
$$;

CREATE TABLE public.backups (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants,
    name text NOT NULL CHECK (rovodev.is_name(name)),
    -- Folder in the store.
    backup_path text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by varchar(255),
    created_by_id uuid,
    backup_type varchar(20) NOT NULL CHECK (backup_type IN ('full', 'database', 'config')),
    trigger text NOT NULL DEFAULT 'manual' CHECK (trigger IN ('manual', 'scheduled', 'deploy', 'safety')),
    schedule_id uuid,
    parent_id uuid,
    status varchar(20) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    compressed boolean NOT NULL DEFAULT true,
    codec text NOT NULL DEFAULT 'zstd' CHECK (codec IN ('zstd', 'gzip', 'none')),
    -- Chosen schemas and tables; {} is everything. With the tenant's scope as it was: {schemas, tables, scope}.
    selection jsonb NOT NULL DEFAULT '{}',
    components jsonb NOT NULL DEFAULT '[]',
    size_bytes bigint,
    raw_bytes bigint,
    -- Stored by this backup and not before.
    new_bytes bigint,
    tables integer,
    records bigint,
    files integer,
    -- Tables, configuration files and deployment as the manifest has them; read for one backup only.
    contents jsonb NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    warnings jsonb NOT NULL DEFAULT '[]',
    manifest_key text,
    manifest_hash text,
    started_at timestamptz,
    finished_at timestamptz,
    progress jsonb,
    error_code text,
    error_message text,
    verified_at timestamptz,
    pinned boolean NOT NULL DEFAULT false,
    note text CHECK (length(note) <= 2000),
    expires_at timestamptz,
    app_version jsonb,
    attempt integer NOT NULL DEFAULT 0,
    cancelled_by text,
    -- From past runs, when it was asked for.
    estimated_seconds integer,
    -- Set by a deletion: out of every list at once, out of the store when its job is done.
    deleted_at timestamptz,
    -- Taken of more, or of something else, than its tenant may see now.
    outside_scope boolean NOT NULL DEFAULT false,
    CHECK (status <> 'completed' OR (manifest_key IS NOT NULL AND finished_at IS NOT NULL)),
    CHECK (status <> 'failed' OR error_message IS NOT NULL)
);
COMMENT ON TABLE public.backups IS 'rovodev:catalog Backups.';
CREATE INDEX backups_newest ON public.backups (tenant_id, created_at DESC, id DESC)
    INCLUDE (outside_scope) WHERE deleted_at IS NULL;
CREATE INDEX backups_largest ON public.backups (tenant_id, size_bytes DESC, id DESC)
    INCLUDE (outside_scope) WHERE deleted_at IS NULL;
CREATE INDEX backups_deleted ON public.backups (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX backups_status ON public.backups (status) WHERE status IN ('pending', 'in_progress');

CREATE TABLE public.restore_operations (
    -- Also the operation's id in the target: `undo_<id>` exists exactly if the merge was committed.
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants,
    backup_id uuid NOT NULL REFERENCES public.backups,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    initiated_by varchar(255),
    initiated_by_id uuid,
    status varchar(20) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    restore_type varchar(20) NOT NULL CHECK (restore_type IN ('full', 'database', 'config')),
    target text NOT NULL DEFAULT 'inPlace' CHECK (target IN ('inPlace', 'sandbox', 'url', 'verify')),
    mode text NOT NULL DEFAULT 'missing' CHECK (mode IN ('missing', 'keepNewer', 'exact')),
    components jsonb NOT NULL DEFAULT '["database"]',
    selection jsonb NOT NULL DEFAULT '{}',
    force boolean NOT NULL DEFAULT false,
    -- Of a restore: rows whose parents are gone stay out, instead of having it refused.
    leave_out_orphans boolean NOT NULL DEFAULT false,
    -- Of an undo: rows that changed since stay as they are, instead of having it refused.
    leave_changed boolean NOT NULL DEFAULT false,
    -- Stops after the plan and changes nothing.
    preview boolean NOT NULL DEFAULT false,
    -- The restore that this one reverses.
    undo_of uuid REFERENCES public.restore_operations,
    plan jsonb,
    progress jsonb,
    safety_backup_id uuid REFERENCES public.backups,
    result jsonb NOT NULL DEFAULT '{}',
    warnings jsonb NOT NULL DEFAULT '[]',
    error_code text,
    error_message text,
    cancelled_by text,
    attempt integer NOT NULL DEFAULT 0,
    undone_at timestamptz,
    -- Until when its target keeps what it changed; stays when that is gone, and `undoable` of the result is false then.
    undo_until timestamptz,
    outside_scope boolean NOT NULL DEFAULT false,
    -- Of the restore itself, from past ones, when it or its preview was asked for.
    estimated_seconds integer,
    CHECK (status <> 'failed' OR error_message IS NOT NULL),
    CHECK (NOT (preview AND undo_of IS NOT NULL AND target <> 'inPlace'))
);
COMMENT ON TABLE public.restore_operations IS 'rovodev:catalog Restores, previews of restores, and undos.';
CREATE INDEX restore_operations_backup ON public.restore_operations (backup_id, created_at DESC);
CREATE INDEX restore_operations_newest ON public.restore_operations (tenant_id, created_at DESC);
-- At most one restore writes at a time, per tenant; previews go beside it.
CREATE UNIQUE INDEX restore_operations_one ON public.restore_operations (tenant_id)
    WHERE status IN ('pending', 'in_progress') AND NOT preview;

CREATE TABLE public.rovodev_exports (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants,
    backup_id uuid NOT NULL REFERENCES public.backups,
    format text NOT NULL CHECK (format IN ('sql.zst', 'sql.gz', 'tar', 'csv')),
    -- {schema, name} of a csv.
    table_name jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by_id uuid,
    started_at timestamptz,
    finished_at timestamptz,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'cancelled')),
    progress jsonb,
    store_key text NOT NULL,
    size_bytes bigint,
    error_code text,
    error_message text,
    attempt integer NOT NULL DEFAULT 0,
    expires_at timestamptz,
    -- Its object is out of the store.
    dropped_at timestamptz,
    CHECK ((format = 'csv') = (table_name IS NOT NULL)),
    CHECK (status <> 'completed' OR expires_at IS NOT NULL)
);
COMMENT ON TABLE public.rovodev_exports IS 'rovodev:catalog Downloads that are made ready beforehand.';
CREATE INDEX rovodev_exports_backup ON public.rovodev_exports (backup_id);
CREATE INDEX rovodev_exports_kept ON public.rovodev_exports (status) WHERE dropped_at IS NULL;

CREATE TABLE public.backup_schedules (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants,
    name varchar(255) NOT NULL CHECK (length(name) > 0),
    cron_expression varchar(100) NOT NULL,
    timezone text NOT NULL DEFAULT 'UTC',
    trigger text NOT NULL DEFAULT 'cron' CHECK (trigger IN ('cron', 'deploy', 'manual')),
    backup_type varchar(20) NOT NULL CHECK (backup_type IN ('full', 'database', 'config')),
    components jsonb NOT NULL DEFAULT '[]',
    enabled boolean NOT NULL DEFAULT true,
    compress boolean NOT NULL DEFAULT true,
    retention_days integer DEFAULT 30 CHECK (retention_days > 0),
    retention jsonb NOT NULL DEFAULT '{}',
    last_run_at timestamptz,
    next_run_at timestamptz,
    last_result text,
    failures_in_a_row integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.backup_schedules IS 'rovodev:catalog When backups are taken and how long they are kept.';
CREATE INDEX backup_schedules_due ON public.backup_schedules (next_run_at) WHERE enabled;
ALTER TABLE public.backups ADD FOREIGN KEY (schedule_id) REFERENCES public.backup_schedules ON DELETE SET NULL;

-- pending → in_progress | failed | cancelled; in_progress → completed | failed | cancelled; or taken up again. The
-- rest ends: whoever comes late changes nothing.
CREATE FUNCTION rovodev.check_transition() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF NEW.status = OLD.status
        OR (OLD.status = 'pending' AND NEW.status IN ('in_progress', 'failed', 'cancelled'))
        OR (OLD.status = 'in_progress' AND NEW.status IN ('pending', 'completed', 'failed', 'cancelled'))
        -- A safety backup is taken by its restore's job and is never in progress by itself.
        OR (to_jsonb(NEW) ->> 'trigger' = 'safety' AND OLD.status = 'pending' AND NEW.status = 'completed')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% % is %, and cannot become %', TG_TABLE_NAME, OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER rovodev_transition BEFORE UPDATE OF status ON public.backups
    FOR EACH ROW EXECUTE FUNCTION rovodev.check_transition();
CREATE TRIGGER rovodev_transition BEFORE UPDATE OF status ON public.restore_operations
    FOR EACH ROW EXECUTE FUNCTION rovodev.check_transition();
CREATE TRIGGER rovodev_transition BEFORE UPDATE OF status ON public.rovodev_exports
    FOR EACH ROW EXECUTE FUNCTION rovodev.check_transition();

-- What a tenant may not see of its own: what its scope does not hold. Whoever changes that scope waits for rows that come
-- meanwhile, and marks them (rovodev.change_scope).
CREATE FUNCTION rovodev.mark_outside_scope() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants;
BEGIN
    SELECT * INTO owner FROM public.rovodev_tenants t WHERE t.id = NEW.tenant_id FOR SHARE;
    NEW.outside_scope := rovodev.is_outside(rovodev.scope(owner), NEW.selection);
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_scope BEFORE INSERT OR UPDATE OF selection, tenant_id ON public.backups
    FOR EACH ROW EXECUTE FUNCTION rovodev.mark_outside_scope();
CREATE TRIGGER rovodev_scope BEFORE INSERT OR UPDATE OF selection, tenant_id ON public.restore_operations
    FOR EACH ROW EXECUTE FUNCTION rovodev.mark_outside_scope();

ALTER TABLE public.backups ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.restore_operations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.backup_schedules ENABLE ROW LEVEL SECURITY;
CREATE POLICY rovodev_own ON public.backups FOR SELECT TO authenticated
    USING (deleted_at IS NULL AND NOT outside_scope AND tenant_id IN (SELECT rovodev.my_tenants()));
CREATE POLICY rovodev_own ON public.restore_operations FOR SELECT TO authenticated
    USING (NOT outside_scope AND tenant_id IN (SELECT rovodev.my_tenants()));
CREATE POLICY rovodev_own ON public.rovodev_exports FOR SELECT TO authenticated
    USING (EXISTS (SELECT FROM public.backups b WHERE b.id = backup_id));
CREATE POLICY rovodev_own ON public.backup_schedules FOR SELECT TO authenticated
    USING (tenant_id IN (SELECT rovodev.my_tenants()));

-- A page of backups and how many there are, in one request; rights are the caller's own (RLS). `cursor_value` is what
-- the last row of the page before was sorted by, `cursor_id` its id; or `skipped` rows of the same order come before the
-- page. `sort`: createdAt, size, type.
CREATE FUNCTION public.rovodev_list_backups(
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
            'verifiedAt', b.verified_at, 'pinned', b.pinned, 'note', b.note, 'expiresAt', b.expires_at,
            'warnings', jsonb_array_length(b.warnings), 'createdBy', b.created_by, 'selection', b.selection
        ) ORDER BY p.sort_key %4$s, p.id %4$s), '[]')
        FROM page p JOIN public.backups b ON b.id = p.id
    $query$, sort_key, after, sort_type, direction)
    INTO total, page
    USING owner.id, types, statuses, triggers, created_from, created_to, nullif(search, ''), cursor_value, cursor_id,
        least(greatest(page_size, 1), 201), greatest(skipped, 0);
    RETURN jsonb_build_object('outcome', 'done', 'total', total, 'backups', page);
END $$;
COMMENT ON FUNCTION public.rovodev_list_backups IS 'rovodev:catalog A page of a tenant''s backups.';

INSERT INTO rovodev.migrations (version) VALUES ('20261122000003');
