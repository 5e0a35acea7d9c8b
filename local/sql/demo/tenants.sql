-- Who may see and do what: the operators of the whole app, and one customer who sees its own rows alone.
-- Run as the owner after the catalog's migrations. Everybody's password is `demo-password`.
INSERT INTO auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
SELECT '00000000-0000-0000-0000-000000000000', md5('user ' || email)::uuid, 'authenticated', 'authenticated', email,
    extensions.crypt('demo-password', '$2a$06$N9qo8uLOickgx2ZMRZoMye'), '2025-09-01 08:00+00',
    '{"provider": "email", "providers": ["email"]}', '{}', '2025-09-01 08:00+00', '2025-09-01 08:00+00'
FROM unnest(ARRAY['admin@callcenter.example', 'operator@callcenter.example', 'viewer@callcenter.example']) email
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.rovodev_tenants (slug, name, scope_column, scope_value) VALUES
    ('default', 'AI Call Center', NULL, NULL),
    ('northwind-dental', 'Northwind Dental', 'organization_id', md5('organization northwind')::uuid::text)
ON CONFLICT (slug) DO NOTHING;

INSERT INTO public.rovodev_members (tenant_id, user_id, role, email)
SELECT t.id, u.id, p.role, u.email
FROM (VALUES
    ('default', 'admin@callcenter.example', 'admin'),
    ('default', 'operator@callcenter.example', 'operator'),
    ('default', 'viewer@callcenter.example', 'viewer'),
    ('northwind-dental', 'olga.petrova@northwind-dental.example', 'admin'),
    ('northwind-dental', 'james.oneill@northwind-dental.example', 'operator'),
    ('northwind-dental', 'mia.chen@northwind-dental.example', 'viewer')) AS p (slug, email, role)
JOIN public.rovodev_tenants t ON t.slug = p.slug
JOIN auth.users u ON u.email = p.email
ON CONFLICT (tenant_id, user_id) DO NOTHING;
