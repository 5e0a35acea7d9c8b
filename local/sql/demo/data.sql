-- Rows of the demo app, the same on every machine. Run as the owner inside one transaction.
SELECT setseed(0.1145);

INSERT INTO auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
    confirmation_token, recovery_token, email_change_token_new, email_change,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
SELECT '00000000-0000-0000-0000-000000000000', md5('user ' || email)::uuid, 'authenticated', 'authenticated', email,
    extensions.crypt('demo-password', '$2a$06$N9qo8uLOickgx2ZMRZoMye'), '2025-09-01 08:00+00', '', '', '', '',
    '{"provider": "email", "providers": ["email"]}', jsonb_build_object('full_name', name),
    '2025-09-01 08:00+00', '2025-09-01 08:00+00'
FROM (VALUES
    ('olga.petrova@northwind-dental.example', 'Ольга Петрова'),
    ('james.oneill@northwind-dental.example', 'James O''Neill'),
    ('mia.chen@northwind-dental.example', 'Mia Chen'),
    ('sofia.garcia@harbor-homes.example', 'Sofía García'),
    ('kwame.mensah@harbor-homes.example', 'Kwame Mensah')) AS person (email, name);

INSERT INTO public.organizations (id, name, slug, time_zone, settings, created_at, updated_at) VALUES
    (md5('organization northwind')::uuid, 'Northwind Dental', 'northwind-dental', 'Europe/Berlin',
        '{"plan": "pro", "recording": true}', '2025-09-01 08:00+00', '2025-09-01 08:00+00'),
    (md5('organization harbor')::uuid, 'Harbor Homes', 'harbor-homes', 'America/New_York',
        '{"plan": "starter", "recording": false}', '2025-09-01 08:00+00', '2025-09-01 08:00+00');

INSERT INTO public.profiles (id, full_name, locale, created_at, updated_at)
SELECT id, raw_user_meta_data ->> 'full_name', CASE WHEN email LIKE 'olga%' THEN 'ru' ELSE 'en' END,
    created_at, created_at FROM auth.users ORDER BY email;

INSERT INTO public.memberships (organization_id, profile_id, role, joined_at)
SELECT o.id, u.id,
    CASE WHEN u.email ~ '^(olga|sofia)' THEN 'owner' WHEN u.email ~ '^(james|kwame)' THEN 'supervisor'
        ELSE 'analyst' END::public.member_role, '2025-09-02 08:00+00'
FROM auth.users u JOIN public.organizations o ON split_part(u.email, '@', 2) = o.slug || '.example'
ORDER BY u.email;

-- Each agent covers for another one, in a circle.
INSERT INTO public.agents (id, organization_id, name, model, voice, language, prompt, temperature, fallback_agent_id,
    created_at, updated_at)
SELECT md5('agent ' || a.name)::uuid, o.id, a.name, a.model, a.voice, a.language,
    format(E'You are %s, the voice of %s.\nGreet the caller, find out what they need, and help.\nNever promise a price.',
        a.name, o.name),
    a.temperature, md5('agent ' || a.fallback)::uuid, '2025-09-03 09:00+00', '2025-09-03 09:00+00'
FROM (VALUES
    ('northwind-dental', 'Anna', 'gpt-4o-realtime', 'alloy', 'de-DE', 0.3, 'Boris'),
    ('northwind-dental', 'Boris', 'gpt-4o-realtime', 'onyx', 'ru-RU', 0.4, 'Night desk'),
    ('northwind-dental', 'Night desk', 'gpt-4o-mini-realtime', 'nova', 'en-GB', 0.1, 'Anna'),
    ('harbor-homes', 'Luis', 'gpt-4o-realtime', 'echo', 'es-US', 0.5, 'Grace'),
    ('harbor-homes', 'Grace', 'gpt-4o-realtime', 'shimmer', 'en-US', 0.7, 'Luis')
) AS a (slug, name, model, voice, language, temperature, fallback) JOIN public.organizations o USING (slug);

WITH phrases AS (
    SELECT ARRAY[
        'I would like to book an appointment for next week.', 'Can I move my appointment to Thursday?',
        'The invoice you sent shows a wrong amount.', 'Is the apartment on Main Street still available?',
        'My tooth has been hurting since yesterday.', 'Do you accept my insurance?',
        'I am calling back about the viewing on Saturday.', 'Could somebody call me back in the evening?',
        'Меня интересует стоимость консультации.', '¿Tienen algo libre el viernes por la tarde?',
        'Please cancel my order, I changed my mind.', 'How long is the waiting list at the moment?',
        'Thank you, that was very helpful.', 'I still have not received the confirmation e-mail.'] AS caller,
        ARRAY[
        'Of course, let me look that up for you.', 'I have found two free slots, Tuesday at 10:30 or Friday at 9.',
        'May I have your date of birth, please?', 'I have sent you a confirmation by text message.',
        'I will pass this on to a colleague, who calls you back today.', 'Is there anything else I can do for you?',
        'One moment, I am checking the calendar.', 'I am sorry to hear that.'] AS agent
), drawn AS MATERIALIZED (
    SELECT i, i % 5 = 0 OR i % 7 = 0 AS second_tenant, random() AS about, random() AS mood, random() AS length,
        random() AS state, random() AS phone, 2 + (random() * 9)::int AS turns
    FROM generate_series(1, 1145) AS i
), spoken AS (
    SELECT d.i, string_agg(
        format(E'[%s] Caller: %s\n[%s] Agent: %s', to_char(t * interval '17 s', 'MI:SS'),
            p.caller[1 + (d.i * 31 + t * 7) % cardinality(p.caller)],
            to_char(t * interval '17 s' + interval '6 s', 'MI:SS'),
            p.agent[1 + (d.i * 13 + t * 5) % cardinality(p.agent)]), E'\n' ORDER BY t) AS transcript
    FROM drawn d CROSS JOIN phrases p CROSS JOIN LATERAL generate_series(1, d.turns) AS t GROUP BY d.i
), calls AS (
    SELECT d.*, s.transcript,
        '2025-09-04 07:00+00'::timestamptz + d.i * interval '71 minutes' AS started_at,
        CASE WHEN d.state < 0.86 THEN 'completed' WHEN d.state < 0.93 THEN 'missed' WHEN d.state < 0.97 THEN 'failed'
            WHEN d.state < 0.985 THEN 'in_progress' ELSE 'queued' END::public.call_status AS status
    FROM drawn d JOIN spoken s USING (i)
)
INSERT INTO public.calls (id, organization_id, agent_id, caller_phone, status, started_at, ended_at, sentiment, cost,
    transcript, summary, tags, metadata, created_at, updated_at)
SELECT md5('call ' || i)::uuid,
    md5(CASE WHEN second_tenant THEN 'organization harbor' ELSE 'organization northwind' END)::uuid,
    md5('agent ' || CASE WHEN second_tenant THEN (ARRAY['Luis', 'Grace'])[1 + i % 2]
        ELSE (ARRAY['Anna', 'Boris', 'Night desk'])[1 + i % 3] END)::uuid,
    '+' || CASE WHEN second_tenant THEN '1' ELSE '49' END || (2000000000 + (phone * 7999999999)::bigint),
    status, started_at,
    CASE WHEN status IN ('completed', 'failed') THEN started_at + (20 + (length * 560)::int) * interval '1 s' END,
    CASE WHEN status = 'completed' THEN mood * 2 - 1 END,
    CASE WHEN status = 'completed' THEN round((0.004 + length * 0.31)::numeric, 6) ELSE 0 END,
    CASE WHEN status IN ('completed', 'failed') THEN transcript END,
    CASE WHEN status = 'completed' THEN
        (ARRAY['Appointment booked.', 'Question about an invoice, passed on.', 'Viewing arranged.',
            'Caller wants to be called back.', 'General question, answered.'])[1 + (about * 4.99)::int % 5] END,
    (ARRAY['{}', '{booking}', '{billing,"follow up"}', '{urgent}', '{viewing}']::text[])[1 + (about * 4.99)::int % 5]::text[],
    jsonb_build_object('channel', CASE WHEN i % 4 = 0 THEN 'web' ELSE 'phone' END, 'latency_ms', 180 + (length * 420)::int,
        'consent', about > 0.1, 'carrier', jsonb_build_object('name', 'sip-' || i % 3, 'codec', 'opus')),
    started_at, started_at + interval '10 minutes'
FROM calls ORDER BY i;

INSERT INTO public.call_events (call_id, type, payload, created_at)
SELECT c.id, (ARRAY['ringing', 'answered', 'speech', 'tool_call', 'transferred', 'hangup'])[1 + (c.number + e) % 6],
    jsonb_build_object('sequence', e, 'confidence', round((0.5 + random() / 2)::numeric, 3), 'source', 'media-server'),
    c.started_at + e * interval '4 s'
FROM public.calls c CROSS JOIN generate_series(1, 2) AS e WHERE c.number <= 51 ORDER BY c.number, e;

REFRESH MATERIALIZED VIEW public.daily_call_stats;
