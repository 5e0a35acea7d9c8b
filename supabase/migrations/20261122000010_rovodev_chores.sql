-- Chores: what the tick does now and then, however often it is called.
CREATE TABLE public.rovodev_chores (
    name text PRIMARY KEY,
    claimed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.rovodev_chores IS 'rovodev:catalog When each chore was last claimed.';
ALTER TABLE public.rovodev_chores ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.rovodev_chores FROM PUBLIC, anon, authenticated, service_role;

-- True for the one caller who shall do it now: nobody claimed it within `seconds`.
CREATE FUNCTION public.rovodev_claim_chore(chore text, seconds integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    INSERT INTO public.rovodev_chores AS c (name) VALUES (chore)
    ON CONFLICT (name) DO UPDATE SET claimed_at = now()
        WHERE c.claimed_at < now() - make_interval(secs => seconds);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION public.rovodev_claim_chore IS 'rovodev:catalog Claims a chore of the tick.';
REVOKE ALL ON FUNCTION public.rovodev_claim_chore FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION public.rovodev_claim_chore TO service_role;

INSERT INTO rovodev.migrations (version) VALUES ('20261122000010');
