-- The audit log as people read it: by pages, filtered, and as a file.

-- A page of what was done and refused, newest first; rights are the caller's own (RLS). `before` is the id of the last
-- row of the page before. A restore's row names the backup that it belongs to, as long as that backup is there.
CREATE FUNCTION public.rovodev_list_activity(
    tenant text DEFAULT NULL, actions text[] DEFAULT NULL, outcomes text[] DEFAULT NULL,
    at_from timestamptz DEFAULT NULL, at_to timestamptz DEFAULT NULL, search text DEFAULT NULL,
    page_size integer DEFAULT 50, before bigint DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    page jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(entries) ORDER BY entries.id DESC), '[]') INTO page FROM (
        SELECT a.id, a.at, a.actor, a.door, a.action, a.outcome, a.code, a.address, a.detail,
            a.object_type AS "objectType", a.object_id AS "objectId", b.id AS "backupId",
            coalesce(b.name, a.detail ->> 'name') AS "backupName"
        FROM public.rovodev_audit_log a
        LEFT JOIN public.restore_operations o ON a.object_type = 'restore' AND o.id = a.object_id
        LEFT JOIN public.backups b ON b.deleted_at IS NULL
            AND b.id = CASE a.object_type WHEN 'backup' THEN a.object_id WHEN 'restore' THEN o.backup_id END
        WHERE a.tenant_id = owner.id
            AND (before IS NULL OR a.id < before)
            AND (actions IS NULL OR a.action = ANY (actions))
            AND (outcomes IS NULL OR a.outcome = ANY (outcomes))
            AND (at_from IS NULL OR a.at >= at_from)
            AND (at_to IS NULL OR a.at < at_to)
            AND (nullif(search, '') IS NULL OR strpos(lower(a.actor), lower(search)) > 0
                OR strpos(lower(coalesce(b.name, a.detail ->> 'name')), lower(search)) > 0)
        ORDER BY a.id DESC
        LIMIT least(greatest(page_size, 1), 201)
    ) entries;
    RETURN jsonb_build_object('outcome', 'done', 'entries', page);
END $$;
COMMENT ON FUNCTION public.rovodev_list_activity IS 'rovodev:catalog A page of a tenant''s audit log.';

CREATE FUNCTION public.rovodev_note_activity_export(
    tenant text DEFAULT NULL, format text DEFAULT 'csv', door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT rovodev.note_export(tenant, 'activity.export', format, door, address)
$$;
COMMENT ON FUNCTION public.rovodev_note_activity_export IS 'rovodev:catalog Notes that the audit log was taken as a file.';

REVOKE ALL ON FUNCTION
    public.rovodev_list_activity(text, text[], text[], timestamptz, timestamptz, text, integer, bigint),
    public.rovodev_note_activity_export(text, text, text, text)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION
    public.rovodev_list_activity(text, text[], text[], timestamptz, timestamptz, text, integer, bigint),
    public.rovodev_note_activity_export(text, text, text, text)
TO authenticated;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000011');
