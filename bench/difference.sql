-- Makes about 1.5 % of both tables' rows differ: a third deleted, a third changed, a third added.
\set ON_ERROR_STOP on
SELECT setseed(0.7);
BEGIN;
CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT id FROM calls WHERE random() < 0.005;
DELETE FROM call_events e USING gone WHERE e.call_id = gone.id;
DELETE FROM calls c USING gone WHERE c.id = gone.id;
UPDATE calls SET status = 'changed', updated_at = updated_at + interval '1 day' WHERE random() < 0.005;
UPDATE call_events SET payload = payload || '{"changed": true}' WHERE random() < 0.005;
INSERT INTO calls
  SELECT gen_random_uuid(), org_id, created_at, ended_at, updated_at, caller_phone, status, duration_seconds,
    transcript, metadata
  FROM calls WHERE random() < 0.005;
INSERT INTO call_events (call_id, type, payload, created_at)
  SELECT call_id, type, payload, created_at FROM call_events WHERE random() < 0.005;
COMMIT;
