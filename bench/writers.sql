-- Writers whose every step can be done again elsewhere: after k steps of writer w the tables hold the same, in whatever
-- order the writers came. What a restore brings back says itself how far each had come.
CREATE TABLE bench_steps (writer integer PRIMARY KEY, k bigint NOT NULL, events bigint NOT NULL);
INSERT INTO bench_steps SELECT w, 0, (SELECT max(id) FROM call_events) FROM generate_series(1, 2) w;

-- The step that was made; 0 where the server ended it for somebody else's locks.
CREATE FUNCTION bench_step(w integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    step bigint;
    event bigint;
    call uuid;
BEGIN
    UPDATE bench_steps SET k = k + 1 WHERE writer = w
        RETURNING k, 1 + (k * 15485863 + w * 7919) % events INTO step, event;
    UPDATE call_events SET payload = payload || jsonb_build_object('w' || w, step) WHERE id = event
        RETURNING call_id INTO call;
    UPDATE calls SET duration_seconds = coalesce(duration_seconds, 0) + 1 WHERE id = call;
    INSERT INTO call_events (id, call_id, type, payload, created_at)
        VALUES (1000000000 * w + step, call, 'step', '{}', '2026-01-01 00:00+00');
    IF step % 5 = 0 THEN
        DELETE FROM call_events WHERE id = 1000000000 * w + step - 3;
    END IF;
    RETURN step;
EXCEPTION WHEN deadlock_detected THEN
    -- Nothing of the step is left.
    RETURN 0;
END $$;
