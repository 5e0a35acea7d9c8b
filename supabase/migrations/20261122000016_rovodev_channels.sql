-- Channels, as people make and change them. What they lead to is written and never read again: answers show its host, or
-- an address without its middle.

CREATE FUNCTION rovodev.masked(kind text, target text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE kind
        WHEN 'email' THEN (
            SELECT string_agg(regexp_replace(btrim(address), '^(.)[^@]*@', '\1…@'), ', ')
            FROM regexp_split_to_table(target, ',') address)
        ELSE coalesce(substring(target FROM '^https?://(?:[^/?#\s]*@)?([^/?#\s]+)'), '…')
    END
$$;

CREATE FUNCTION rovodev.delivery_as_json(d public.rovodev_notification_deliveries) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT jsonb_build_object(
        'id', d.id, 'place', d.place, 'at', d.created_at, 'event', d.event, 'test', d.test, 'state', d.state,
        'attempts', d.attempts, 'lastAttemptAt', d.last_attempt_at, 'status', d.status, 'reason', d.reason,
        'nextAttemptAt', CASE d.state WHEN 'waiting' THEN d.next_attempt_at END,
        'backupId', d.message -> 'backup' ->> 'id',
        'about', coalesce(d.message -> 'schedule' ->> 'name', d.message -> 'backup' ->> 'name')
    )
$$;

-- A page of what a channel was told, newest first, before a place in that order.
CREATE FUNCTION rovodev.deliveries_of(channel uuid, page_size integer, before bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT coalesce(jsonb_agg(rovodev.delivery_as_json(page) ORDER BY page.place DESC), '[]') FROM (
        SELECT d.* FROM public.rovodev_notification_deliveries d
        WHERE d.channel_id = channel AND (before IS NULL OR d.place < before)
        ORDER BY d.place DESC LIMIT least(greatest(page_size, 0), 201)
    ) page
$$;

CREATE FUNCTION rovodev.channel_as_json(c public.rovodev_notification_channels) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT jsonb_build_object(
        'id', c.id, 'kind', c.kind, 'name', c.name, 'events', c.events, 'scheduleId', c.schedule_id,
        'target', rovodev.masked(c.kind, c.target), 'enabled', c.enabled, 'failuresInARow', c.failures_in_a_row,
        'createdAt', c.created_at, 'createdBy', c.created_by, 'mine', c.created_by_id IS NOT DISTINCT FROM rovodev.caller(),
        'deliveries', rovodev.deliveries_of(c.id, 5, NULL)
    )
$$;

-- A channel of one of the caller's tenants; NULL for a foreign one, as for none.
CREATE FUNCTION rovodev.my_channel(channel uuid) RETURNS public.rovodev_notification_channels
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c FROM public.rovodev_notification_channels c
    WHERE c.id = channel AND c.tenant_id IN (SELECT rovodev.my_tenants())
$$;

-- Who may see channels; nothing is counted, and nothing written.
CREATE FUNCTION rovodev.refuse_to_show_channels(tenant uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE WHEN rovodev.rank(rovodev.my_role(tenant)) < rovodev.rank('operator') THEN
        rovodev.refusal('forbidden', format('This takes the role operator; yours is %s.', rovodev.my_role(tenant))) END
$$;

CREATE FUNCTION public.rovodev_list_channels(tenant text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    refused jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    refused := rovodev.refuse_to_show_channels(owner.id);
    RETURN coalesce(refused, jsonb_build_object('outcome', 'done', 'channels', (
        SELECT coalesce(jsonb_agg(rovodev.channel_as_json(c) ORDER BY c.created_at, c.id), '[]')
        FROM public.rovodev_notification_channels c WHERE c.tenant_id = owner.id)));
END $$;
COMMENT ON FUNCTION public.rovodev_list_channels IS 'rovodev:catalog Channels of a tenant.';

-- {channel, deliveries}: one channel, and a page of what it was told.
CREATE FUNCTION public.rovodev_show_channel(channel uuid, page_size integer DEFAULT 0, before bigint DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.rovodev_notification_channels := rovodev.my_channel(channel);
BEGIN
    IF found.id IS NULL THEN
        RETURN rovodev.refusal('not_found', 'There is no such channel.');
    END IF;
    RETURN coalesce(rovodev.refuse_to_show_channels(found.tenant_id), jsonb_build_object('outcome', 'done',
        'channel', rovodev.channel_as_json(found), 'deliveries', rovodev.deliveries_of(found.id, page_size, before)));
END $$;
COMMENT ON FUNCTION public.rovodev_show_channel IS 'rovodev:catalog One channel, with what it was told.';

-- 256 bits that nobody can guess, as Standard Webhooks writes them.
CREATE FUNCTION rovodev.new_webhook_secret() RETURNS text LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT 'whsec_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
        || uuid_send(gen_random_uuid())), 'base64')
$$;

-- Whether something can lead to receivers of a kind. What it leads to is looked at when it is sent.
CREATE FUNCTION rovodev.is_target(kind text, target text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE
        WHEN target IS NULL OR length(target) > 2000 THEN false
        WHEN kind = 'email' THEN target ~ '^[^@,\s]+@[^@,\s]+(\s*,\s*[^@,\s]+@[^@,\s]+){0,9}$'
        -- A browser's: where to send, its public key, and its secret.
        WHEN kind = 'push' THEN target ~ '^https?://\S+ [A-Za-z0-9_-]{87} [A-Za-z0-9_-]{22}$'
        ELSE target ~ '^https?://\S+$'
    END
$$;

-- The row as a request wants it: what is absent stays; a null schedule is none.
CREATE FUNCTION rovodev.changed_channel(old public.rovodev_notification_channels, request jsonb)
RETURNS public.rovodev_notification_channels LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    old.name := coalesce(request ->> 'name', old.name);
    old.target := coalesce(request ->> 'target', old.target);
    old.enabled := coalesce((request ->> 'enabled')::boolean, old.enabled);
    IF jsonb_typeof(request -> 'events') = 'array' THEN
        old.events := ARRAY(SELECT DISTINCT event FROM jsonb_array_elements_text(request -> 'events') event ORDER BY event);
    END IF;
    IF request ? 'scheduleId' THEN
        old.schedule_id := (request ->> 'scheduleId')::uuid;
    END IF;
    RETURN old;
END $$;

-- Why a channel cannot be so; NULL where it can.
CREATE FUNCTION rovodev.channel_refusal(wanted public.rovodev_notification_channels) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE
        WHEN NOT coalesce(wanted.kind IN ('webhook', 'slack', 'email', 'ping', 'push'), false)
            OR NOT coalesce(rovodev.is_name(wanted.name) AND length(wanted.name) <= 100, false)
            OR NOT coalesce(wanted.events <@ rovodev.events() AND cardinality(wanted.events) > 0, false) THEN
            rovodev.refusal('bad_request', 'A channel has a kind, a name of up to 100 characters, and events that there are.')
        WHEN NOT rovodev.is_target(wanted.kind, wanted.target) THEN
            rovodev.refusal('bad_request', 'The target is none of this kind.')
        -- Its silence is the message.
        WHEN wanted.kind = 'ping' AND NOT (wanted.events @> ARRAY['backup.succeeded']
            AND wanted.events <@ ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue']) THEN
            rovodev.refusal('bad_request', 'A ping is sent on backup.succeeded, and if you like on backup.failed and backup.overdue.')
        WHEN wanted.schedule_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM public.backup_schedules s WHERE s.id = wanted.schedule_id AND s.tenant_id = wanted.tenant_id) THEN
            rovodev.refusal('bad_request', 'There is no such schedule.')
        WHEN wanted.schedule_id IS NOT NULL AND NOT wanted.events && ARRAY['backup.succeeded', 'backup.failed', 'backup.overdue'] THEN
            rovodev.refusal('bad_request', 'A schedule has backups alone, and none of these events.')
    END
$$;

-- Whether a request's fields have their types; what they say is looked at later.
CREATE FUNCTION rovodev.is_channel_request(request jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT rovodev.is_request(request)
        AND coalesce(jsonb_typeof(request -> 'events') IN ('array', 'null'), true)
        AND coalesce(jsonb_typeof(request -> 'enabled') IN ('boolean', 'null'), true)
        AND coalesce(request ->> 'scheduleId' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true)
$$;

CREATE FUNCTION rovodev.audit_channel(
    tenant uuid, door text, action text, channel public.rovodev_notification_channels, answer jsonb, address text
) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT rovodev.audit(tenant, door, action, 'channel', channel.id, answer ->> 'outcome', answer ->> 'code', address,
        jsonb_build_object('name', left(channel.name, 200), 'kind', left(channel.kind, 20), 'events', channel.events,
            'target', CASE WHEN rovodev.is_target(channel.kind, channel.target)
                THEN rovodev.masked(channel.kind, channel.target) END,
            'enabled', channel.enabled, 'schedule', channel.schedule_id))
$$;

-- A browser's subscription is its person's own, and so takes less than what everybody will hear.
CREATE FUNCTION rovodev.channel_role(kind text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE kind WHEN 'push' THEN 'operator' ELSE 'admin' END
$$;

-- `request`: {kind, name, target, events, scheduleId, enabled}. {channel, secret}: the secret is told here alone.
CREATE FUNCTION public.rovodev_create_channel(
    request jsonb, tenant text DEFAULT NULL, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    request jsonb := rovodev.unwrapped(rovodev_create_channel.request);
    owner public.rovodev_tenants := rovodev.my_tenant(tenant);
    made public.rovodev_notification_channels;
    answer jsonb;
BEGIN
    IF owner.id IS NULL THEN
        RETURN rovodev.refusal('no_tenant', 'You belong to no tenant, or not to this one.');
    END IF;
    answer := rovodev.refuse_unless(owner.id, rovodev.channel_role(request ->> 'kind'), 'channel.create', 'channel', NULL,
        door, address, 20);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    made.tenant_id := owner.id;
    IF NOT rovodev.is_channel_request(request) THEN
        answer := rovodev.refusal('bad_request', 'A channel holds kind, name, target, events, scheduleId and enabled.');
    ELSE
        made.id := rovodev.new_id();
        made.kind := request ->> 'kind';
        made.enabled := true;
        made := rovodev.changed_channel(made, request);
        made.created_at := now();
        made.created_by := left(coalesce(rovodev.caller_email(), rovodev.caller()::text), 255);
        made.created_by_id := rovodev.caller();
        made.failures_in_a_row := 0;
        made.secret := CASE made.kind WHEN 'webhook' THEN rovodev.new_webhook_secret() END;
        answer := coalesce(rovodev.channel_refusal(made), rovodev.make_channel(made));
    END IF;
    PERFORM rovodev.audit_channel(owner.id, door, 'channel.create', made, answer, address);
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_create_channel IS 'rovodev:catalog Makes a channel.';

CREATE FUNCTION rovodev.make_channel(made public.rovodev_notification_channels) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    own boolean := made.kind = 'push';
    most integer := CASE made.kind WHEN 'push' THEN 100 ELSE 20 END;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('rovodev channels ' || made.tenant_id, 0));
    -- The same browser again: its keys may be new.
    DELETE FROM public.rovodev_notification_channels c
        WHERE own AND c.kind = 'push' AND c.tenant_id = made.tenant_id AND c.created_by_id = made.created_by_id
            AND split_part(c.target, ' ', 1) = split_part(made.target, ' ', 1);
    IF (SELECT count(*) FROM public.rovodev_notification_channels c
        WHERE c.tenant_id = made.tenant_id AND (c.kind = 'push') = own) >= most THEN
        RETURN rovodev.refusal('too_many_channels', 'A tenant has 20 channels at most, and 100 browsers. Delete one that is not needed.');
    END IF;
    INSERT INTO public.rovodev_notification_channels SELECT (made).*;
    RETURN jsonb_build_object('outcome', 'done', 'channel', rovodev.channel_as_json(made), 'secret', made.secret);
END $$;

-- Why the caller may not do this to a channel, `found` for the caller or not; a browser that is somebody else's takes an admin.
CREATE FUNCTION rovodev.refuse_on_channel(
    found public.rovodev_notification_channels, channel uuid, action text, door text, address text, allowed integer DEFAULT 60
) RETURNS jsonb LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE WHEN found.id IS NULL THEN rovodev.refuse_unknown(action, channel, door, address, 'channel')
        ELSE rovodev.refuse_unless(found.tenant_id,
            CASE WHEN found.created_by_id = rovodev.caller() THEN rovodev.channel_role(found.kind) ELSE 'admin' END,
            action, 'channel', found.id, door, address, allowed) END
$$;

-- `change`: {name, target, events, scheduleId, enabled, newSecret}. {channel, secret}: where a new one was asked for.
CREATE FUNCTION public.rovodev_change_channel(
    channel uuid, change jsonb, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    change jsonb := rovodev.unwrapped(rovodev_change_channel.change);
    old public.rovodev_notification_channels := rovodev.my_channel(channel);
    answer jsonb;
BEGIN
    answer := rovodev.refuse_on_channel(old, channel, 'channel.change', door, address);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    SELECT * INTO old FROM public.rovodev_notification_channels c WHERE c.id = channel FOR NO KEY UPDATE;
    IF old.id IS NULL THEN
        RETURN rovodev.refuse_unknown('channel.change', channel, door, address, 'channel');
    ELSIF NOT rovodev.is_channel_request(change) THEN
        answer := rovodev.refusal('bad_request', 'A change holds name, target, events, scheduleId, enabled and newSecret.');
    ELSE
        old := rovodev.changed_channel(old, change);
        IF old.kind = 'webhook' AND change -> 'newSecret' = 'true' THEN
            old.secret := rovodev.new_webhook_secret();
        END IF;
        answer := rovodev.channel_refusal(old);
    END IF;
    IF answer IS NULL THEN
        UPDATE public.rovodev_notification_channels c SET (name, target, events, schedule_id, enabled, secret, failures_in_a_row)
            = (old.name, old.target, old.events, old.schedule_id, old.enabled, old.secret, 0)
        WHERE c.id = channel;
        -- What is switched off, and what waits for its old address, says nothing any more.
        UPDATE public.rovodev_notification_deliveries d SET state = 'failed', reason = 'The channel was switched off.'
        WHERE d.channel_id = channel AND d.state = 'waiting' AND NOT old.enabled;
        answer := jsonb_build_object('outcome', 'done', 'channel', rovodev.channel_as_json(old),
            'secret', CASE WHEN change -> 'newSecret' = 'true' THEN old.secret END);
    END IF;
    PERFORM rovodev.audit_channel(old.tenant_id, door, 'channel.change', old, answer, address);
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_change_channel IS 'rovodev:catalog Changes a channel.';

CREATE FUNCTION public.rovodev_delete_channel(channel uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    old public.rovodev_notification_channels := rovodev.my_channel(channel);
    answer jsonb;
BEGIN
    answer := rovodev.refuse_on_channel(old, channel, 'channel.delete', door, address);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    DELETE FROM public.rovodev_notification_channels c WHERE c.id = channel;
    answer := '{"outcome": "done"}';
    PERFORM rovodev.audit_channel(old.tenant_id, door, 'channel.delete', old, answer, address);
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_delete_channel IS 'rovodev:catalog Deletes a channel and its log.';

-- Asks for a message that is marked as a test. {delivery}: to be claimed and sent at once, for it is tried once.
CREATE FUNCTION public.rovodev_test_channel(channel uuid, door text DEFAULT 'api', address text DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    found public.rovodev_notification_channels := rovodev.my_channel(channel);
    answer jsonb;
BEGIN
    answer := rovodev.refuse_on_channel(found, channel, 'channel.test', door, address, 5);
    IF answer IS NOT NULL THEN
        RETURN answer;
    END IF;
    -- A tick at the same time leaves it to whoever asks.
    INSERT INTO public.rovodev_notification_deliveries AS d (channel_id, next_attempt_at, event, test, message)
    SELECT found.id, now() + interval '1 minute', CASE WHEN 'backup.succeeded' = ANY (found.events) THEN 'backup.succeeded' ELSE found.events[1] END,
        true, jsonb_build_object('at', now(), 'tenant', jsonb_build_object('id', t.id, 'slug', t.slug, 'name', t.name),
            'askedBy', coalesce(rovodev.caller_email(), rovodev.caller()::text))
    FROM public.rovodev_tenants t WHERE t.id = found.tenant_id
    RETURNING jsonb_build_object('outcome', 'done', 'delivery', d.id) INTO answer;
    PERFORM rovodev.audit_channel(found.tenant_id, door, 'channel.test', found, answer, address);
    RETURN answer;
END $$;
COMMENT ON FUNCTION public.rovodev_test_channel IS 'rovodev:catalog Asks for a test message.';

DO $$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace IN ('rovodev'::regnamespace, 'public'::regnamespace)
            AND (p.pronamespace = 'rovodev'::regnamespace OR p.proname LIKE 'rovodev\_%')
            AND p.proname ~ 'channel|^masked$|^deliver(y_as_json|ies_of)$|^new_webhook_secret$|^is_target$'
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon, authenticated, service_role', object.name);
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION
    public.rovodev_list_channels(text),
    public.rovodev_show_channel(uuid, integer, bigint),
    public.rovodev_create_channel(jsonb, text, text, text),
    public.rovodev_change_channel(uuid, jsonb, text, text),
    public.rovodev_delete_channel(uuid, text, text),
    public.rovodev_test_channel(uuid, text, text)
TO authenticated;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000016');
