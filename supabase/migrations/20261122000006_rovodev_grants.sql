-- Grants by name, whatever the project's default privileges are: first nothing for anybody, then what each needs.
DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT format('%s %s', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) AS name
        FROM pg_class c
        LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            AND c.relkind = 'S'
        WHERE (c.relkind = 'r' AND obj_description(c.oid, 'pg_class') LIKE 'rovodev:catalog%')
            OR (c.relkind = 'S' AND obj_description(d.refobjid, 'pg_class') LIKE 'rovodev:catalog%')
        UNION ALL
        SELECT format('FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc p
        WHERE p.pronamespace = 'rovodev'::regnamespace OR obj_description(p.oid, 'pg_proc') LIKE 'rovodev:catalog%'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;

-- People read, under RLS.
GRANT SELECT (id, slug, name, created_at) ON public.rovodev_tenants TO authenticated;
GRANT SELECT (tenant_id, user_id, role, email, created_at) ON public.rovodev_members TO authenticated;
GRANT SELECT (id, tenant_id, at, actor_id, actor, door, action, object_type, object_id, outcome, code, address, detail)
    ON public.rovodev_audit_log TO authenticated;
GRANT SELECT (
    id, tenant_id, name, backup_path, created_at, created_by, backup_type, trigger, schedule_id, parent_id, status,
    compressed, codec, selection, components, size_bytes, raw_bytes, new_bytes, tables, records, files, contents,
    metadata, warnings, started_at, finished_at, progress, error_code, error_message, verified_at, pinned, note,
    expires_at, app_version, attempt, cancelled_by, deleted_at, estimated_seconds
) ON public.backups TO authenticated;
GRANT SELECT (
    id, tenant_id, backup_id, created_at, started_at, completed_at, initiated_by, status, restore_type, target, mode,
    components, selection, force, leave_out_orphans, leave_changed, preview, undo_of, plan, progress,
    safety_backup_id, result, warnings, error_code, error_message, cancelled_by, attempt, undone_at,
    undo_until, estimated_seconds
) ON public.restore_operations TO authenticated;
GRANT SELECT (
    id, tenant_id, backup_id, format, table_name, created_at, started_at, finished_at, status, progress, size_bytes,
    error_code, error_message, expires_at
) ON public.rovodev_exports TO authenticated;
GRANT SELECT (
    id, tenant_id, name, cron_expression, timezone, trigger, backup_type, components, enabled, compress,
    retention_days, retention, last_run_at, next_run_at, last_result, failures_in_a_row, created_at
) ON public.backup_schedules TO authenticated;

-- Policies ask these.
GRANT EXECUTE ON FUNCTION rovodev.caller(), rovodev.my_tenants(), rovodev.my_scopes(), rovodev.my_role(uuid) TO authenticated;
-- A function with the caller's own rights asks these.
GRANT EXECUTE ON FUNCTION rovodev.my_tenant(text), rovodev.refusal(text, text) TO authenticated;

GRANT EXECUTE ON FUNCTION
    public.rovodev_list_backups(
        text, text[], text[], text[], timestamptz, timestamptz, text, text, boolean, integer, text, uuid, integer
    ),
    public.rovodev_create_backup(jsonb, text, text, text, text, text),
    public.rovodev_change_backup(uuid, jsonb, text, text),
    public.rovodev_delete_backup(uuid, text, text),
    public.rovodev_restore_backup(uuid, jsonb, text, text),
    public.rovodev_cancel(uuid, uuid, text, text),
    public.rovodev_whoami()
TO authenticated;

-- Jobs.
GRANT EXECUTE ON FUNCTION
    public.rovodev_take_job(text, integer, uuid, boolean, integer),
    public.rovodev_renew_job(uuid, integer, integer, jsonb),
    public.rovodev_end_job(uuid, integer, text, jsonb),
    public.rovodev_return_job(uuid, integer, integer, jsonb, boolean),
    public.rovodev_record_safety_backup(uuid, integer, jsonb),
    public.rovodev_waiting_jobs()
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000006');
