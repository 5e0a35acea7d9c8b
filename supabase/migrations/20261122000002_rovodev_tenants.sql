-- Who owns backups, who may do what, and what was done.
CREATE TABLE public.rovodev_tenants (
    id uuid PRIMARY KEY DEFAULT rovodev.new_id(),
    -- Folder of the tenant's backups in the store; never changes.
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    -- NULL: the whole database. Else the tenant column and its value: those rows and nothing else.
    scope_column text,
    scope_value text,
    -- What was before is closed to a tenant with a scope.
    scope_set_at timestamptz NOT NULL DEFAULT now(),
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((scope_column IS NULL) = (scope_value IS NULL)),
    CHECK (length(scope_column) > 0)
);
COMMENT ON TABLE public.rovodev_tenants IS 'rovodev:catalog Owners of backups.';

CREATE TABLE public.rovodev_members (
    tenant_id uuid NOT NULL REFERENCES public.rovodev_tenants ON DELETE CASCADE,
    user_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    email text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX rovodev_members_user ON public.rovodev_members (user_id);
COMMENT ON TABLE public.rovodev_members IS 'rovodev:catalog Who belongs to a tenant, and what each may do.';

CREATE FUNCTION rovodev.rank(role text) RETURNS integer LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE role WHEN 'viewer' THEN 1 WHEN 'operator' THEN 2 WHEN 'admin' THEN 3 END
$$;

-- Tenants of the caller. Definer, since a policy on members that reads members would recurse.
CREATE FUNCTION rovodev.my_tenants() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT tenant_id FROM public.rovodev_members WHERE user_id = rovodev.caller()
$$;

-- The rows of the app that a tenant may see, and nobody else's even where its own refer to them; NULL for everything.
CREATE FUNCTION rovodev.scope(tenant public.rovodev_tenants) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE WHEN tenant.scope_column IS NOT NULL
        THEN jsonb_build_object('column', tenant.scope_column, 'value', tenant.scope_value, 'exclusive', true) END
$$;

-- Whether what was chosen is more, or something else, than a scope lets its tenant see.
CREATE FUNCTION rovodev.is_outside(scope jsonb, selection jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT scope IS NOT NULL AND selection -> 'scope' IS DISTINCT FROM scope
$$;

-- Tenants of the caller, their scopes, and since when they have them.
CREATE FUNCTION rovodev.my_scopes() RETURNS TABLE (tenant_id uuid, scope jsonb, since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t.id, rovodev.scope(t), t.scope_set_at FROM public.rovodev_tenants t WHERE t.id IN (SELECT rovodev.my_tenants())
$$;

CREATE FUNCTION rovodev.my_role(tenant uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT role FROM public.rovodev_members WHERE tenant_id = tenant AND user_id = rovodev.caller()
$$;

-- The tenant that the caller means: by id or slug, else the first one; NULL where the caller has no such tenant.
CREATE FUNCTION rovodev.my_tenant(wanted text) RETURNS public.rovodev_tenants
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t
    FROM public.rovodev_tenants t
    JOIN public.rovodev_members m ON m.tenant_id = t.id AND m.user_id = rovodev.caller()
    WHERE wanted IS NULL OR t.slug = wanted OR t.id::text = wanted
    ORDER BY m.created_at, t.id
    LIMIT 1
$$;

CREATE FUNCTION rovodev.keep_slug() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    IF NEW.slug <> OLD.slug THEN
        RAISE EXCEPTION 'the slug of tenant % names its folder in the store and cannot change', OLD.slug;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_keep_slug BEFORE UPDATE ON public.rovodev_tenants
    FOR EACH ROW EXECUTE FUNCTION rovodev.keep_slug();

ALTER TABLE public.rovodev_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY rovodev_own ON public.rovodev_tenants FOR SELECT TO authenticated
    USING (id IN (SELECT rovodev.my_tenants()));
-- People see themselves; admins see everybody of their tenant.
CREATE POLICY rovodev_own ON public.rovodev_members FOR SELECT TO authenticated
    USING (user_id = (SELECT rovodev.caller()) OR rovodev.my_role(tenant_id) = 'admin');

CREATE TABLE public.rovodev_audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_id uuid,
    actor text NOT NULL,
    door text NOT NULL,
    action text NOT NULL,
    object_type text,
    object_id uuid,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    code text,
    address text,
    detail jsonb NOT NULL DEFAULT '{}',
    -- SHA-256 over the row before it (of the same tenant) and this one.
    hash bytea NOT NULL
);
CREATE INDEX rovodev_audit_log_tenant ON public.rovodev_audit_log (tenant_id, id DESC);
COMMENT ON TABLE public.rovodev_audit_log IS 'rovodev:catalog What was done and refused. Append only.';
ALTER TABLE public.rovodev_audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY rovodev_own ON public.rovodev_audit_log FOR SELECT TO authenticated
    USING (tenant_id IN (SELECT rovodev.my_tenants()) AND (
        NOT EXISTS (SELECT FROM rovodev.my_scopes() mine WHERE mine.scope IS NOT NULL)
        OR EXISTS (
            SELECT FROM rovodev.my_scopes() mine
            WHERE mine.tenant_id = rovodev_audit_log.tenant_id AND (mine.scope IS NULL OR mine.since <= rovodev_audit_log.at)
        )
    ));

CREATE FUNCTION rovodev.append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append only';
END $$;
CREATE TRIGGER rovodev_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.rovodev_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION rovodev.append_only();

-- The text that a row's hash covers.
CREATE FUNCTION rovodev.audit_text(entry public.rovodev_audit_log) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT jsonb_build_array(
        entry.id, entry.tenant_id, to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        entry.actor_id, entry.actor, entry.door, entry.action, entry.object_type, entry.object_id, entry.outcome,
        entry.code, entry.address, entry.detail
    )::text
$$;

CREATE FUNCTION rovodev.audit_hash(previous bytea, entry public.rovodev_audit_log) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT sha256(coalesce(previous, '') || convert_to(rovodev.audit_text(entry), 'UTF8'))
$$;

-- Each row takes in the one before it: rows of a tenant are written one after the other.
CREATE FUNCTION rovodev.chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    previous bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev audit ' || NEW.tenant_id, 0));
    SELECT hash INTO previous FROM public.rovodev_audit_log
        WHERE tenant_id = NEW.tenant_id ORDER BY id DESC LIMIT 1;
    -- Ids follow the order of the chain, whoever waited for the lock.
    NEW.id := nextval('public.rovodev_audit_log_id_seq');
    NEW.at := clock_timestamp();
    NEW.hash := rovodev.audit_hash(previous, NEW);
    RETURN NEW;
END $$;
CREATE TRIGGER rovodev_chain BEFORE INSERT ON public.rovodev_audit_log
    FOR EACH ROW EXECUTE FUNCTION rovodev.chain_audit();

-- `door` is dashboard, api, cli, cron, hook or job; `address` is what the function saw.
CREATE FUNCTION rovodev.audit(
    tenant uuid, door text, action text, object_type text, object_id uuid, outcome text, code text DEFAULT NULL,
    address text DEFAULT NULL, detail jsonb DEFAULT '{}'
) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO public.rovodev_audit_log
        (tenant_id, actor_id, actor, door, action, object_type, object_id, outcome, code, address, detail, hash)
    VALUES (
        tenant, rovodev.caller(), coalesce(rovodev.caller_email(), rovodev.caller()::text, 'system'),
        -- What only jobs are is not what a person may call itself.
        CASE WHEN rovodev.caller() IS NULL OR door IN ('dashboard', 'cli', 'hook') THEN left(door, 40) ELSE 'api' END,
        action, object_type, object_id, outcome, code, left(regexp_replace(address, '[^0-9A-Fa-f.:]', '', 'g'), 45),
        CASE WHEN octet_length(detail::text) <= 8192 THEN detail
            ELSE jsonb_build_object('bytesLeftOut', octet_length(detail::text)) END,
        ''
    )
$$;

-- Rows whose hash does not follow from the one before: none, unless somebody with the owner's rights wrote.
CREATE FUNCTION rovodev.broken_audit_rows(tenant uuid) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT id FROM (
        SELECT a.id, a.hash, rovodev.audit_hash(lag(a.hash) OVER (ORDER BY a.id), a) AS expected
        FROM public.rovodev_audit_log a
        WHERE a.tenant_id = tenant
    ) rows
    WHERE hash <> expected
$$;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000002');
