-- The demo app: an AI call centre with two tenants. Run as the owner, `postgres`.
CREATE TYPE public.call_status AS ENUM ('queued', 'ringing', 'in_progress', 'completed', 'missed', 'failed');
CREATE TYPE public.member_role AS ENUM ('owner', 'supervisor', 'analyst');

CREATE TABLE public.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9-]+$'),
    time_zone text NOT NULL DEFAULT 'UTC',
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.profiles (
    id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
    full_name text NOT NULL,
    locale text NOT NULL DEFAULT 'en',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.memberships (
    organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    profile_id uuid NOT NULL REFERENCES public.profiles (id) ON DELETE CASCADE,
    role public.member_role NOT NULL DEFAULT 'analyst',
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, profile_id)
);

CREATE TABLE public.agents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    name text NOT NULL,
    model text NOT NULL,
    voice text NOT NULL,
    language text NOT NULL,
    prompt text NOT NULL,
    temperature real NOT NULL CHECK (temperature BETWEEN 0 AND 2),
    fallback_agent_id uuid REFERENCES public.agents (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, name)
);

CREATE TABLE public.calls (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
    agent_id uuid REFERENCES public.agents (id) ON DELETE SET NULL,
    caller_phone text NOT NULL,
    status public.call_status NOT NULL DEFAULT 'queued',
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    duration_seconds integer GENERATED ALWAYS AS (EXTRACT(epoch FROM ended_at - started_at)::integer) STORED,
    sentiment double precision CHECK (sentiment BETWEEN -1 AND 1),
    cost numeric(12, 6) NOT NULL DEFAULT 0,
    transcript text,
    summary text,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (ended_at IS NULL OR ended_at >= started_at)
);
CREATE INDEX calls_by_organization ON public.calls (organization_id, started_at DESC);
CREATE INDEX calls_by_agent ON public.calls (agent_id);
CREATE INDEX calls_open ON public.calls (started_at) WHERE status IN ('queued', 'ringing', 'in_progress');
CREATE INDEX calls_by_tag ON public.calls USING gin (tags);
CREATE INDEX calls_by_transcript ON public.calls USING gin (to_tsvector('english', coalesce(transcript, '')));

CREATE TABLE public.call_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id uuid NOT NULL REFERENCES public.calls (id) ON DELETE CASCADE,
    type text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX call_events_by_call ON public.call_events (call_id, created_at);

CREATE VIEW public.recent_calls WITH (security_invoker = true) AS
    SELECT c.id, c.number, c.organization_id, a.name AS agent, c.status, c.started_at, c.duration_seconds, c.summary
    FROM public.calls c LEFT JOIN public.agents a ON a.id = c.agent_id
    ORDER BY c.started_at DESC;

CREATE VIEW public.agent_performance WITH (security_invoker = true) AS
    SELECT a.id, a.organization_id, a.name, count(c.id) AS calls,
        avg(c.sentiment) AS sentiment, sum(c.cost) AS cost
    FROM public.agents a LEFT JOIN public.calls c ON c.agent_id = a.id
    GROUP BY a.id;

CREATE MATERIALIZED VIEW public.daily_call_stats AS
    SELECT organization_id, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls,
        count(*) FILTER (WHERE status = 'missed') AS missed, sum(cost) AS cost
    FROM public.calls GROUP BY 1, 2;
CREATE UNIQUE INDEX daily_call_stats_key ON public.daily_call_stats (organization_id, day);
-- A materialized view knows no row security: it is the server's alone.
REVOKE ALL ON public.daily_call_stats FROM anon, authenticated;

CREATE FUNCTION public.set_updated_at() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
CREATE TRIGGER set_updated_at BEFORE UPDATE ON public.organizations
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON public.profiles
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON public.agents
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON public.calls
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

ALTER TABLE public.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.call_events ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION public.my_organizations() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT organization_id FROM public.memberships WHERE profile_id = auth.uid()
$$;
CREATE POLICY "members see their organization" ON public.organizations FOR SELECT TO authenticated
    USING (id IN (SELECT public.my_organizations()));
CREATE POLICY "people see and change themselves" ON public.profiles TO authenticated
    USING (id = auth.uid()) WITH CHECK (id = auth.uid());
CREATE POLICY "members see who else is in" ON public.memberships FOR SELECT TO authenticated
    USING (organization_id IN (SELECT public.my_organizations()));
CREATE POLICY "members work with their agents" ON public.agents TO authenticated
    USING (organization_id IN (SELECT public.my_organizations()))
    WITH CHECK (organization_id IN (SELECT public.my_organizations()));
CREATE POLICY "members work with their calls" ON public.calls TO authenticated
    USING (organization_id IN (SELECT public.my_organizations()))
    WITH CHECK (organization_id IN (SELECT public.my_organizations()));
CREATE POLICY "members see the events of their calls" ON public.call_events FOR SELECT TO authenticated
    USING (call_id IN (SELECT id FROM public.calls WHERE organization_id IN (SELECT public.my_organizations())));

ALTER PUBLICATION supabase_realtime ADD TABLE public.calls, public.call_events;
