-- What would wait for ever ends, and what ended long ago goes.

-- Ends what waited so many hours for a worker of one's own that nobody started. How many jobs.
CREATE FUNCTION public.rovodev_end_unworked(hours integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    job public.rovodev_jobs;
    ended integer := 0;
BEGIN
    FOR job IN
        SELECT * FROM public.rovodev_jobs j
        WHERE j.state = 'queued' AND j.queue = 'rovodev_long_jobs' AND j.long_since < now() - make_interval(hours => hours)
        ORDER BY j.long_since LIMIT 100 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM rovodev.end_job(job, 'failed', jsonb_build_object('error_code', 'gave_up', 'error_message', format(
            'No worker took it up within %s hours, and it takes longer than a function may run. Start a worker with '
            '`rovodev worker`, then ask again.', hours)));
        ended := ended + 1;
    END LOOP;
    RETURN ended;
END $$;
COMMENT ON FUNCTION public.rovodev_end_unworked IS 'rovodev:catalog Ends what no worker took up.';

-- Lets a chore that was not done to its end be claimed again in `seconds`, by whoever claims it once in `every`.
CREATE FUNCTION public.rovodev_put_off_chore(chore text, every integer, seconds integer) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
    UPDATE public.rovodev_chores c SET claimed_at = now() - make_interval(secs => every - seconds) WHERE c.name = chore
    RETURNING true
$$;
COMMENT ON FUNCTION public.rovodev_put_off_chore IS 'rovodev:catalog Gives a chore back.';

-- Drops answers that are not repeated any more, and jobs and messages that ended 30 days ago, some thousands at a time.
-- The audit log stays. How many rows.
CREATE FUNCTION public.rovodev_sweep(most integer DEFAULT 5000) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    old timestamptz := now() - interval '30 days';
    gone integer;
    swept integer := 0;
    queue text;
BEGIN
    DELETE FROM public.rovodev_idempotency_keys k WHERE k.ctid = ANY (ARRAY(
        SELECT o.ctid FROM public.rovodev_idempotency_keys o WHERE o.created_at < now() - interval '25 hours' LIMIT most));
    GET DIAGNOSTICS swept = ROW_COUNT;
    DELETE FROM public.rovodev_jobs j WHERE j.id = ANY (ARRAY(
        SELECT o.id FROM public.rovodev_jobs o WHERE o.ended_at < old AND o.state NOT IN ('queued', 'running') LIMIT most));
    GET DIAGNOSTICS gone = ROW_COUNT;
    swept := swept + gone;
    FOREACH queue IN ARRAY ARRAY['a_rovodev_jobs', 'a_rovodev_long_jobs'] LOOP
        EXECUTE format('DELETE FROM pgmq.%1$I WHERE msg_id = ANY (ARRAY('
            'SELECT msg_id FROM pgmq.%1$I WHERE archived_at < $1 ORDER BY msg_id LIMIT $2))', queue) USING old, most;
        GET DIAGNOSTICS gone = ROW_COUNT;
        swept := swept + gone;
    END LOOP;
    RETURN swept;
END $$;
COMMENT ON FUNCTION public.rovodev_sweep IS 'rovodev:catalog Drops what ended long ago.';

REVOKE ALL ON FUNCTION
    public.rovodev_end_unworked(integer), public.rovodev_put_off_chore(text, integer, integer), public.rovodev_sweep(integer)
FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    public.rovodev_end_unworked(integer), public.rovodev_put_off_chore(text, integer, integer), public.rovodev_sweep(integer)
TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000022');
