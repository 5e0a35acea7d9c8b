-- Refusals that no function of the catalog wrote down: those of questions, of pages of another origin, and of tenants that
-- are not the caller's.

-- One row per person, reason and minute, in the tenant that is meant if it is the caller's, else in the caller's first one.
-- Who is in no tenant leaves none: anybody may sign up in an app.
CREATE FUNCTION public.rovodev_note_refusal(
    function text, method text, code text, tenant text DEFAULT NULL, door text DEFAULT 'api', address text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    own uuid := coalesce((rovodev.my_tenant(tenant)).id, (rovodev.my_tenant(NULL)).id);
BEGIN
    -- Reasons are few, so that a caller of PostgREST cannot invent more of them.
    IF own IS NULL OR code IS NULL OR code NOT IN ('forbidden', 'foreign_origin', 'no_tenant', 'scoped') THEN
        RETURN;
    END IF;
    IF rovodev.over_rate(own, 'request.' || code, 1) IS NULL THEN
        PERFORM rovodev.audit(own, door, 'request', 'function', NULL, 'refused', code, address,
            jsonb_build_object('function', left(function, 100), 'method', left(method, 10)));
    END IF;
END $$;
COMMENT ON FUNCTION public.rovodev_note_refusal IS 'rovodev:catalog Writes down that a request was refused.';

REVOKE ALL ON FUNCTION public.rovodev_note_refusal(text, text, text, text, text, text)
FROM PUBLIC, anon, authenticated, service_role;
GRANT EXECUTE ON FUNCTION public.rovodev_note_refusal(text, text, text, text, text, text) TO authenticated;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000023');
