-- A bad afternoon in the demo app, on purpose. Run as the owner.
DELETE FROM public.call_events WHERE id % 2 = 0;
DELETE FROM public.calls WHERE number BETWEEN 400 AND 899;
UPDATE public.calls SET transcript = repeat('#', length(transcript)), sentiment = 0 WHERE number % 3 = 0;
UPDATE public.agents SET prompt = 'undefined', temperature = 2;
DELETE FROM public.memberships WHERE role = 'owner';
INSERT INTO public.calls (organization_id, caller_phone, started_at, transcript)
    SELECT id, '+00000000', '2025-12-31 23:59+00', 'imported by mistake' FROM public.organizations;
REFRESH MATERIALIZED VIEW public.daily_call_stats;
