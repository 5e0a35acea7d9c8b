-- Restores of a tenant, whoever asked for them.

-- The newest restores and undos, newest first; rights are the caller's own (RLS). Previews are none. `backupName` is null
-- where the backup is gone.
CREATE FUNCTION public.rovodev_list_restores(
    tenant text DEFAULT NULL, statuses text[] DEFAULT NULL, page_size integer DEFAULT 50
) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    page jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(restores) ORDER BY restores."createdAt" DESC, restores."operationId" DESC), '[]')
    INTO page FROM (
        SELECT o.id AS "operationId", o.backup_id AS "backupId", b.name AS "backupName", o.status, o.mode, o.preview,
            o.undo_of AS "undoOf", o.initiated_by AS "requestedBy", o.created_at AS "createdAt", o.progress,
            o.undone_at AS "undoneAt",
            CASE WHEN o.undone_at IS NULL AND (o.result ->> 'undoable')::boolean THEN o.undo_until END AS "undoUntil"
        FROM public.restore_operations o
        LEFT JOIN public.backups b ON b.id = o.backup_id
        WHERE o.tenant_id = owner.id AND NOT o.preview AND (statuses IS NULL OR o.status = ANY (statuses))
        ORDER BY o.created_at DESC, o.id DESC
        LIMIT least(greatest(page_size, 1), 50)
    ) restores;
    RETURN jsonb_build_object('outcome', 'done', 'restores', page);
END $$;
COMMENT ON FUNCTION public.rovodev_list_restores IS 'rovodev:catalog The newest restores of a tenant.';

-- Restores whose date has passed, and whose rows are not among what their target keeps, cannot be undone any more. How many.
CREATE FUNCTION public.rovodev_end_undos(kept uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    WITH ended AS (
        UPDATE public.restore_operations o SET result = o.result || '{"undoable": false}'
        WHERE o.undo_until < now() AND (o.result ->> 'undoable')::boolean AND NOT o.id = ANY (kept)
        RETURNING 1
    )
    SELECT count(*) FROM ended
$$;
COMMENT ON FUNCTION public.rovodev_end_undos IS 'rovodev:catalog Tells what cannot be undone any more.';

REVOKE ALL ON FUNCTION
    public.rovodev_list_restores(text, text[], integer),
    public.rovodev_end_undos(uuid[])
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION public.rovodev_list_restores(text, text[], integer) TO authenticated;
GRANT EXECUTE ON FUNCTION public.rovodev_end_undos(uuid[]) TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000012');
