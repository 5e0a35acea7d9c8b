-- Rovodev's catalog: where what nobody may call from outside lives, and which migrations were applied.
-- Every object carries a comment that begins with `rovodev:catalog`; backups and restores leave those out.
CREATE SCHEMA IF NOT EXISTS rovodev;
COMMENT ON SCHEMA rovodev IS 'rovodev:catalog Rights and rules of the backup catalog. Not exposed.';
REVOKE ALL ON SCHEMA rovodev FROM PUBLIC;
GRANT USAGE ON SCHEMA rovodev TO authenticated, service_role;

CREATE TABLE rovodev.migrations (
    version text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rovodev.migrations IS 'rovodev:catalog Migrations that were applied, by whatever tool.';
REVOKE ALL ON rovodev.migrations FROM PUBLIC, anon, authenticated, service_role;

-- The person who calls, from the verified token alone; NULL for jobs and for nobody.
CREATE FUNCTION rovodev.caller() RETURNS uuid LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
CREATE FUNCTION rovodev.caller_email() RETURNS text LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
$$;

-- A UUID of version 7: begins with the time in milliseconds, so that ids sort as they were made.
CREATE FUNCTION rovodev.new_id() RETURNS uuid LANGUAGE sql VOLATILE SET search_path = '' AS $$
    SELECT encode(
        set_bit(
            set_bit(
                overlay(
                    uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                    FROM 1 FOR 6
                ),
                52, 1
            ),
            53, 1
        ),
        'hex'
    )::uuid
$$;

-- What functions for people answer when they refuse: a value, never an exception, so that its audit row stays.
CREATE FUNCTION rovodev.refusal(code text, message text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT jsonb_build_object('outcome', 'refused', 'code', code, 'message', message)
$$;

-- An argument of type jsonb as it was sent: one PostgREST hands it over as the text of a JSON string.
CREATE FUNCTION rovodev.unwrapped(argument jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = '' AS $$
    SELECT CASE jsonb_typeof(argument) WHEN 'string' THEN (argument #>> '{}')::jsonb ELSE argument END
$$;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000001');
