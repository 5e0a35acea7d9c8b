-- Schedules from a terminal, by the project's secret key: as rovodev_operators_* do with backups.

CREATE FUNCTION rovodev.operators_schedule(owner uuid, schedule uuid) RETURNS public.backup_schedules
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT s FROM public.backup_schedules s WHERE s.id = schedule AND s.tenant_id = owner
$$;

CREATE FUNCTION public.rovodev_operators_list_schedules(tenant text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'schedules', rovodev.schedules_of(owner.id));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_list_schedules IS 'rovodev:catalog Schedules of a tenant, for operators.';

-- {schedule, backups}: with what its policy decides over.
CREATE FUNCTION public.rovodev_operators_show_schedule(tenant text, schedule uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    found public.backup_schedules := rovodev.operators_schedule(owner.id, schedule);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF found.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'schedule', rovodev.schedule_as_json(found),
        'backups', rovodev.scheduled_backups(found.id));
END $$;
COMMENT ON FUNCTION public.rovodev_operators_show_schedule IS 'rovodev:catalog One schedule, for operators.';

-- `request` as in rovodev_create_schedule.
CREATE FUNCTION public.rovodev_operators_create_schedule(tenant text, actor text, request jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    request jsonb := rovodev.unwrapped(rovodev_operators_create_schedule.request);
    answer jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    END IF;
    answer := rovodev.make_schedule(owner, request, actor);
    PERFORM rovodev.audit_operator(owner.id, actor, 'schedule.create', 'schedule', (answer -> 'schedule' ->> 'id')::uuid,
        answer ->> 'code', jsonb_build_object('name', request ->> 'name'));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_operators_create_schedule IS 'rovodev:catalog Makes a schedule, for operators.';

CREATE FUNCTION public.rovodev_operators_change_schedule(tenant text, actor text, schedule uuid, change jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    change jsonb := rovodev.unwrapped(rovodev_operators_change_schedule.change);
    old public.backup_schedules := rovodev.operators_schedule(owner.id, schedule);
    answer jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF old.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    answer := rovodev.alter_schedule(owner.id, schedule, change);
    PERFORM rovodev.audit_operator(owner.id, actor, 'schedule.change', 'schedule', schedule, answer ->> 'code',
        CASE WHEN answer ->> 'outcome' = 'done' THEN change - 'nextRunAt' ELSE '{}' END || jsonb_build_object('name', old.name));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_operators_change_schedule IS 'rovodev:catalog Changes a schedule, for operators.';

CREATE FUNCTION public.rovodev_operators_delete_schedule(tenant text, actor text, schedule uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    old public.backup_schedules := rovodev.operators_schedule(owner.id, schedule);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF old.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    PERFORM rovodev.drop_schedule(schedule);
    PERFORM rovodev.audit_operator(owner.id, actor, 'schedule.delete', 'schedule', schedule, NULL,
        jsonb_build_object('name', old.name));
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_operators_delete_schedule IS 'rovodev:catalog Deletes a schedule, for operators.';

-- {id, jobId}: the backup.
CREATE FUNCTION public.rovodev_operators_run_schedule(tenant text, actor text, schedule uuid) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    found public.backup_schedules := rovodev.operators_schedule(owner.id, schedule);
    answer jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF found.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    answer := rovodev.run_schedule(found, actor, NULL);
    PERFORM rovodev.audit_operator(owner.id, actor, 'schedule.run', 'backup', (answer ->> 'id')::uuid, NULL,
        jsonb_build_object('schedule', schedule, 'name', found.name));
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_operators_run_schedule IS 'rovodev:catalog Runs a schedule now, for operators.';

DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE (p.pronamespace = 'rovodev'::regnamespace AND p.proname = 'operators_schedule')
            OR (p.pronamespace = 'public'::regnamespace AND p.proname ~ '^rovodev_operators_.*_schedules?$')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_operators_list_schedules(text),
    public.rovodev_operators_show_schedule(text, uuid),
    public.rovodev_operators_create_schedule(text, text, jsonb),
    public.rovodev_operators_change_schedule(text, text, uuid, jsonb),
    public.rovodev_operators_delete_schedule(text, text, uuid),
    public.rovodev_operators_run_schedule(text, text, uuid)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000014');
