-- Deploy hooks: who may say that a deployment comes, backups before it goes live, and the checks that hold it.

-- What was delivered, so that nothing counts twice. Vercel sends what was not taken again for a day; ids are kept for two.
CREATE TABLE public.rovodev_webhook_deliveries (
    -- `vercel`, or the schedule whose hook was called.
    source text NOT NULL,
    -- Chosen by the sender: Vercel's id of the delivery, or an Idempotency-Key.
    delivery text NOT NULL CHECK (length(delivery) BETWEEN 1 AND 200),
    received_at timestamptz NOT NULL DEFAULT now(),
    request_hash text NOT NULL DEFAULT '' CHECK (length(request_hash) <= 200),
    answer jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (source, delivery)
);
CREATE INDEX rovodev_webhook_deliveries_received ON public.rovodev_webhook_deliveries (received_at);
COMMENT ON TABLE public.rovodev_webhook_deliveries IS 'rovodev:catalog Calls of hooks, for two days.';

-- A deployment that waits for backups: its check at Vercel.
CREATE TABLE public.rovodev_deploy_checks (
    -- Vercel's id, such as dpl_…
    deployment text PRIMARY KEY CHECK (length(deployment) BETWEEN 1 AND 200),
    asked_at timestamptz NOT NULL DEFAULT now(),
    -- Vercel has a run of the check for it.
    opened_at timestamptz,
    conclusion text CHECK (conclusion IN ('succeeded', 'failed', 'neutral')),
    reason text,
    -- Vercel knows the conclusion, or will never take it.
    ended_at timestamptz,
    -- How often Vercel asked: what it was told before it asked again does not end the check.
    asked integer NOT NULL DEFAULT 1,
    -- Whoever tells Vercel has until then; the next try comes after it.
    next_try_at timestamptz NOT NULL DEFAULT now(),
    CHECK (ended_at IS NULL OR conclusion IS NOT NULL)
);
CREATE INDEX rovodev_deploy_checks_open ON public.rovodev_deploy_checks (next_try_at) WHERE ended_at IS NULL;
COMMENT ON TABLE public.rovodev_deploy_checks IS 'rovodev:catalog Checks that hold deployments.';

-- One backup that a deployment waits for, by what its schedule said at that time.
CREATE TABLE public.rovodev_deploy_gates (
    backup_id uuid PRIMARY KEY REFERENCES public.backups ON DELETE CASCADE,
    deployment text NOT NULL REFERENCES public.rovodev_deploy_checks ON DELETE CASCADE,
    gate text NOT NULL CHECK (gate IN ('backup', 'checked')),
    on_failure text NOT NULL CHECK (on_failure IN ('block', 'allow')),
    deadline timestamptz NOT NULL,
    -- Everything was read back from the store: whether it is what was written.
    checked_at timestamptz,
    check_failed text,
    check_leased_until timestamptz
);
CREATE INDEX rovodev_deploy_gates_deployment ON public.rovodev_deploy_gates (deployment);
COMMENT ON TABLE public.rovodev_deploy_gates IS 'rovodev:catalog Backups that deployments wait for.';
CREATE INDEX backups_deployment ON public.backups ((app_version ->> 'deployment'), schedule_id)
    WHERE app_version IS NOT NULL;

ALTER TABLE public.rovodev_webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_deploy_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.rovodev_deploy_gates ENABLE ROW LEVEL SECURITY;

-- A schedule's backup for a version of the app: {id, jobId, status}.
CREATE FUNCTION rovodev.run_hook(schedule public.backup_schedules, version jsonb, who text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    answer jsonb := rovodev.run_schedule(schedule, who, NULL) - 'outcome';
BEGIN
    UPDATE public.backups b SET trigger = 'deploy', app_version = nullif(version, '{}')
    WHERE b.id = (answer ->> 'id')::uuid;
    RETURN answer;
END $$;

-- NULL where a source may call, else the refusal.
CREATE FUNCTION rovodev.over_deliveries(wanted text, allowed integer) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT rovodev.refusal('rate_limited', format('More than %s calls in a minute.', allowed))
        || jsonb_build_object('retryAfter',
            greatest(1, ceil(extract(epoch FROM min(d.received_at) + interval '1 minute' - now()))::integer))
    FROM public.rovodev_webhook_deliveries d
    WHERE d.source = wanted AND d.received_at > now() - interval '1 minute'
    HAVING count(*) >= allowed
$$;

-- Old deliveries go, a few at each new one.
CREATE FUNCTION rovodev.forget_deliveries() RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM public.rovodev_webhook_deliveries d USING (
        SELECT source, delivery FROM public.rovodev_webhook_deliveries
        WHERE received_at < now() - interval '2 days' ORDER BY received_at LIMIT 100 FOR UPDATE SKIP LOCKED
    ) old
    WHERE d.source = old.source AND d.delivery = old.delivery
$$;

-- Vercel said that a deployment of the app comes, or that a check of it waits. `version`: {deployment, commit, ref, url}.
-- Where it `begins`, schedules with trigger `deploy` of tenants that are the whole database run, each once a deployment, and
-- the deployment waits for them where somebody can hold it (`holds`). {backups: [{id, jobId, status}], replayed, held};
-- `held`: its check is to be opened or ended at Vercel.
CREATE FUNCTION public.rovodev_receive_deployment(
    delivery text, version jsonb, begins boolean, holds boolean, address text DEFAULT NULL
) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    version jsonb := rovodev.unwrapped(rovodev_receive_deployment.version);
    wanted text := version ->> 'deployment';
    schedule public.backup_schedules;
    begun jsonb;
    answer jsonb := '[]';
    refused jsonb;
BEGIN
    -- Two events of one deployment wait for each other here.
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev deployment ' || wanted, 0));
    IF EXISTS (SELECT FROM public.rovodev_webhook_deliveries d
        WHERE d.source = 'vercel' AND d.delivery = rovodev_receive_deployment.delivery) THEN
        RETURN jsonb_build_object('outcome', 'done', 'backups', '[]'::jsonb, 'replayed', true, 'held', false);
    END IF;
    refused := rovodev.over_deliveries('vercel', 120);
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    INSERT INTO public.rovodev_webhook_deliveries (source, delivery)
    VALUES ('vercel', rovodev_receive_deployment.delivery);
    PERFORM rovodev.forget_deliveries();
    FOR schedule IN
        SELECT s.* FROM public.backup_schedules s JOIN public.rovodev_tenants t ON t.id = s.tenant_id
        WHERE begins AND s.trigger = 'deploy' AND s.enabled AND t.scope_column IS NULL
            AND NOT EXISTS (
                SELECT FROM public.backups b WHERE b.app_version ->> 'deployment' = wanted AND b.schedule_id = s.id
            )
        ORDER BY s.created_at, s.id
    LOOP
        begun := rovodev.run_hook(schedule, version, 'deployment ' || wanted);
        answer := answer || begun;
        IF holds AND schedule.gate <> 'none' THEN
            INSERT INTO public.rovodev_deploy_checks (deployment) VALUES (wanted) ON CONFLICT DO NOTHING;
            INSERT INTO public.rovodev_deploy_gates (backup_id, deployment, gate, on_failure, deadline)
            VALUES ((begun ->> 'id')::uuid, wanted, schedule.gate, schedule.on_failure,
                now() + make_interval(mins => schedule.wait_at_most));
        END IF;
        PERFORM rovodev.audit(schedule.tenant_id, 'hook', 'schedule.run', 'backup', (begun ->> 'id')::uuid, 'done', NULL,
            address, jsonb_build_object('schedule', schedule.id, 'name', schedule.name, 'deployment', wanted));
    END LOOP;
    -- Vercel may have begun another run of a check that was ended, or given up: it is decided anew, from what is there now.
    UPDATE public.rovodev_deploy_checks c SET ended_at = NULL, opened_at = NULL, conclusion = NULL, reason = NULL,
        asked = c.asked + 1, asked_at = now(), next_try_at = now()
        WHERE c.deployment = wanted;
    IF answer = '[]' THEN
        PERFORM rovodev.audit(t.id, 'hook', 'hook.call', 'tenant', t.id, 'done', NULL, address,
            jsonb_build_object('deployment', wanted, 'backups', 0))
        FROM public.rovodev_tenants t WHERE t.scope_column IS NULL;
    END IF;
    RETURN jsonb_build_object('outcome', 'done', 'backups', answer, 'replayed', false,
        'held', EXISTS (SELECT FROM public.rovodev_deploy_checks c WHERE c.deployment = wanted));
END $$;
COMMENT ON FUNCTION public.rovodev_receive_deployment IS 'rovodev:catalog Runs schedules before a deployment.';

-- Whoever knows the secret of a schedule runs it. Answered as above; the same key within two days runs it once.
CREATE FUNCTION public.rovodev_receive_hook(
    secret_hash text, version jsonb, idempotency_key text DEFAULT NULL, request_hash text DEFAULT NULL,
    address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    version jsonb := rovodev.unwrapped(rovodev_receive_hook.version);
    hooked public.backup_schedules;
    known public.rovodev_webhook_deliveries;
    refused jsonb;
    begun jsonb;
    answer jsonb;
BEGIN
    -- Two calls of one hook wait for each other here, and so does who takes the secret away.
    SELECT * INTO hooked FROM public.backup_schedules s WHERE s.hook_hash = secret_hash FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN rovodev.refusal('hook_secret', 'This address is for whoever knows the secret of a hook.');
    END IF;
    SELECT * INTO known FROM public.rovodev_webhook_deliveries d
        WHERE d.source = hooked.id::text AND d.delivery = idempotency_key;
    IF FOUND AND known.request_hash = coalesce(rovodev_receive_hook.request_hash, '') THEN
        RETURN known.answer || jsonb_build_object('replayed', true);
    END IF;
    refused := CASE
        WHEN known.delivery IS NOT NULL THEN
            rovodev.refusal('idempotency_mismatch', 'This Idempotency-Key was used for another request.')
        WHEN NOT hooked.enabled THEN rovodev.refusal('not_possible', 'The schedule is switched off.')
        ELSE rovodev.over_deliveries(hooked.id::text, 20)
    END;
    IF refused IS NOT NULL THEN
        -- One row a minute: a flood of calls is not a flood of rows.
        PERFORM rovodev.audit(hooked.tenant_id, 'hook', 'hook.call', 'schedule', hooked.id, 'refused', refused ->> 'code', address)
        WHERE NOT EXISTS (
            SELECT FROM public.rovodev_audit_log a
            WHERE a.tenant_id = hooked.tenant_id AND a.action = 'hook.call' AND a.object_id = hooked.id
                AND a.outcome = 'refused' AND a.at > now() - interval '1 minute'
        );
        RETURN refused;
    END IF;
    begun := rovodev.run_hook(hooked, version, 'hook of ' || hooked.name);
    answer := jsonb_build_object('outcome', 'done', 'backups', jsonb_build_array(begun), 'replayed', false, 'held', false);
    -- Calls without a key are counted all the same.
    INSERT INTO public.rovodev_webhook_deliveries (source, delivery, request_hash, answer) VALUES (hooked.id::text,
        coalesce(idempotency_key, 'call ' || (begun ->> 'id')), coalesce(rovodev_receive_hook.request_hash, ''), answer);
    PERFORM rovodev.forget_deliveries();
    PERFORM rovodev.audit(hooked.tenant_id, 'hook', 'schedule.run', 'backup', (begun ->> 'id')::uuid, 'done', NULL, address,
        jsonb_build_object('schedule', hooked.id, 'name', hooked.name) || version);
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_receive_hook IS 'rovodev:catalog Runs a schedule for whoever knows its secret.';

-- Gives a schedule the secret of this hash, in place of one that it had; without a hash it has none any more.
CREATE FUNCTION public.rovodev_set_hook(
    schedule uuid, secret_hash text DEFAULT NULL, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.backup_schedules := rovodev.my_schedule(schedule);
    action text := CASE WHEN secret_hash IS NULL THEN 'hook.remove' ELSE 'hook.make' END;
    refused jsonb;
BEGIN
    IF found.id IS NULL THEN
        RETURN rovodev.refuse_unknown(action, schedule, door, address, 'schedule');
    END IF;
    refused := rovodev.refuse_unless(found.tenant_id, 'admin', action, 'schedule', schedule, door, address, 20);
    IF refused IS NOT NULL THEN
        RETURN refused;
    ELSIF secret_hash !~ '^[0-9a-f]{64}$' THEN
        RETURN rovodev.refusal('bad_request', 'A secret is kept by its hash of 64 hex digits.');
    END IF;
    UPDATE public.backup_schedules s
        SET hook_hash = secret_hash, hook_made_at = CASE WHEN secret_hash IS NOT NULL THEN now() END
        WHERE s.id = found.id;
    PERFORM rovodev.audit(found.tenant_id, door, action, 'schedule', schedule, 'done', NULL, address,
        jsonb_build_object('name', found.name));
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_set_hook IS 'rovodev:catalog Gives a schedule a secret to be run by.';

CREATE FUNCTION public.rovodev_operators_set_hook(tenant text, actor text, schedule uuid, secret_hash text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.operators_tenant(tenant);
    old public.backup_schedules := rovodev.operators_schedule(owner.id, schedule);
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refuse_tenant(tenant);
    ELSIF old.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such schedule.');
    END IF;
    UPDATE public.backup_schedules s
        SET hook_hash = secret_hash, hook_made_at = CASE WHEN secret_hash IS NOT NULL THEN now() END
        WHERE s.id = old.id;
    PERFORM rovodev.audit_operator(owner.id, actor, CASE WHEN secret_hash IS NULL THEN 'hook.remove' ELSE 'hook.make' END,
        'schedule', schedule, NULL, jsonb_build_object('name', old.name));
    RETURN jsonb_build_object('outcome', 'done');
END $$;
COMMENT ON FUNCTION public.rovodev_operators_set_hook IS 'rovodev:catalog Gives a schedule a secret, for operators.';

-- What became of a gate: NULL while it is open, '' where it holds, else why not.
CREATE FUNCTION rovodev.gate_result(g public.rovodev_deploy_gates) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN b.deleted_at IS NOT NULL THEN format('The backup %s was deleted.', b.name)
        WHEN b.status IN ('failed', 'cancelled') THEN format('The backup %s was not taken: %s.', b.name, b.status)
        WHEN g.check_failed IS NOT NULL THEN format('The backup %s is damaged.', b.name)
        WHEN b.status = 'completed' AND (g.gate = 'backup' OR g.checked_at IS NOT NULL) THEN ''
        WHEN g.deadline <= now() THEN format('The backup %s was not there in time.', b.name)
    END
    FROM public.backups b WHERE b.id = g.backup_id
$$;

-- Decides a check where it can be: by the first gate that blocks, or when all gates are through.
CREATE FUNCTION rovodev.decide_check(wanted text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    blocked text;
    let_through text;
    open integer;
BEGIN
    SELECT min(r.told) FILTER (WHERE r.told <> '' AND g.on_failure = 'block'),
        min(r.told) FILTER (WHERE r.told <> '' AND g.on_failure = 'allow'),
        count(*) FILTER (WHERE r.told IS NULL)
    INTO blocked, let_through, open
    FROM public.rovodev_deploy_gates g CROSS JOIN LATERAL (SELECT rovodev.gate_result(g) AS told) r
    WHERE g.deployment = wanted;
    UPDATE public.rovodev_deploy_checks c SET
        conclusion = CASE WHEN blocked IS NOT NULL THEN 'failed' WHEN let_through IS NOT NULL THEN 'neutral'
            ELSE 'succeeded' END,
        reason = coalesce(blocked, let_through, 'The backup is there.')
    WHERE c.deployment = wanted AND c.conclusion IS NULL AND (blocked IS NOT NULL OR open = 0);
END $$;

-- What is to be done for checks, each for one caller, for a minute: {checks: [{deployment, conclusion, reason}], proofs:
-- [{backup, tenant}]}. A check without a conclusion is to be opened at Vercel, one with a conclusion ended there; a proof
-- is a backup to be read back from the store.
CREATE FUNCTION public.rovodev_claim_checks(most integer DEFAULT 20) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    checks jsonb;
    proofs jsonb;
BEGIN
    UPDATE public.rovodev_deploy_checks SET conclusion = coalesce(conclusion, 'neutral'), ended_at = now(),
        reason = 'Vercel did not take it for two days.'
        WHERE ended_at IS NULL AND asked_at < now() - interval '2 days';
    PERFORM rovodev.decide_check(c.deployment) FROM (
        SELECT deployment FROM public.rovodev_deploy_checks
        WHERE ended_at IS NULL AND conclusion IS NULL FOR UPDATE SKIP LOCKED
    ) c;
    WITH due AS MATERIALIZED (
        SELECT deployment FROM public.rovodev_deploy_checks
        WHERE ended_at IS NULL AND next_try_at <= now() AND (conclusion IS NOT NULL OR opened_at IS NULL)
        ORDER BY next_try_at LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE public.rovodev_deploy_checks c SET next_try_at = now() + interval '1 minute'
        FROM due WHERE c.deployment = due.deployment RETURNING c.*
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('deployment', t.deployment, 'asked', t.asked,
        'conclusion', t.conclusion, 'reason', t.reason)), '[]') INTO checks FROM taken t;
    WITH due AS MATERIALIZED (
        SELECT g.backup_id FROM public.rovodev_deploy_gates g JOIN public.backups b ON b.id = g.backup_id
        JOIN public.rovodev_deploy_checks c ON c.deployment = g.deployment
        WHERE g.gate = 'checked' AND g.checked_at IS NULL AND g.check_failed IS NULL AND b.status = 'completed'
            AND b.deleted_at IS NULL AND c.conclusion IS NULL AND coalesce(g.check_leased_until <= now(), true)
        ORDER BY g.deadline LIMIT 1 FOR UPDATE OF g SKIP LOCKED
    ), taken AS (
        UPDATE public.rovodev_deploy_gates g SET check_leased_until = now() + interval '1 minute'
        FROM due WHERE g.backup_id = due.backup_id RETURNING g.backup_id
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('backup', b.id, 'tenant', t.slug)), '[]') INTO proofs
    FROM taken JOIN public.backups b ON b.id = taken.backup_id JOIN public.rovodev_tenants t ON t.id = b.tenant_id;
    RETURN jsonb_build_object('checks', checks, 'proofs', proofs);
END $$;
COMMENT ON FUNCTION public.rovodev_claim_checks IS 'rovodev:catalog Checks of deployments that are to be opened or ended.';

-- Vercel took what was claimed: the run of a check is opened, or ended as `conclusion` says. `given_up`: it never will.
CREATE FUNCTION public.rovodev_told_check(
    deployment text, asked integer, conclusion text DEFAULT NULL, given_up text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    UPDATE public.rovodev_deploy_checks c SET
        opened_at = coalesce(c.opened_at, now()), next_try_at = now(),
        conclusion = coalesce(c.conclusion, CASE WHEN given_up IS NOT NULL THEN 'neutral' END),
        reason = coalesce(given_up, c.reason),
        ended_at = CASE WHEN given_up IS NOT NULL OR c.conclusion = rovodev_told_check.conclusion THEN now() END
    WHERE c.deployment = rovodev_told_check.deployment AND c.ended_at IS NULL AND c.asked = rovodev_told_check.asked;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM rovodev.audit(b.tenant_id, 'hook', 'deployment.check', 'backup', b.id,
        CASE WHEN given_up IS NULL THEN 'done' ELSE 'failed' END, NULL, NULL,
        jsonb_build_object('deployment', g.deployment, 'conclusion', c.conclusion, 'reason', c.reason))
    FROM public.rovodev_deploy_checks c JOIN public.rovodev_deploy_gates g ON g.deployment = c.deployment
    JOIN public.backups b ON b.id = g.backup_id
    WHERE c.deployment = rovodev_told_check.deployment AND c.ended_at = now();
END $$;
COMMENT ON FUNCTION public.rovodev_told_check IS 'rovodev:catalog Notes that Vercel knows of a check.';

-- A backup is read back still (neither outcome), was found as written, or is `damaged`.
CREATE FUNCTION public.rovodev_note_proof(backup uuid, checked boolean DEFAULT false, damaged text DEFAULT NULL)
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    UPDATE public.rovodev_deploy_gates g SET
        check_leased_until = now() + interval '1 minute', check_failed = left(damaged, 2000),
        checked_at = CASE WHEN checked THEN now() END
    WHERE g.backup_id = backup AND g.checked_at IS NULL AND g.check_failed IS NULL
$$;
COMMENT ON FUNCTION public.rovodev_note_proof IS 'rovodev:catalog What reading a backup back has shown.';

REVOKE ALL ON public.rovodev_webhook_deliveries, public.rovodev_deploy_checks, public.rovodev_deploy_gates
    FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION
    rovodev.run_hook(public.backup_schedules, jsonb, text), rovodev.over_deliveries(text, integer),
    rovodev.forget_deliveries(), rovodev.gate_result(public.rovodev_deploy_gates), rovodev.decide_check(text),
    public.rovodev_receive_deployment(text, jsonb, boolean, boolean, text), public.rovodev_receive_hook(text, jsonb, text, text, text),
    public.rovodev_set_hook(uuid, text, text, text), public.rovodev_claim_checks(integer),
    public.rovodev_told_check(text, integer, text, text), public.rovodev_operators_set_hook(text, text, uuid, text),
    public.rovodev_note_proof(uuid, boolean, text)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION public.rovodev_set_hook(uuid, text, text, text) TO authenticated;
GRANT EXECUTE ON FUNCTION
    public.rovodev_receive_deployment(text, jsonb, boolean, boolean, text),
    public.rovodev_receive_hook(text, jsonb, text, text, text),
    public.rovodev_claim_checks(integer),
    public.rovodev_told_check(text, integer, text, text),
    public.rovodev_operators_set_hook(text, text, uuid, text),
    public.rovodev_note_proof(uuid, boolean, text)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000017');
