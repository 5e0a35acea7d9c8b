//! From backup to restore, into another database and in place, by the owner that a platform like Supabase gives, who is
//! no superuser: everything that an app may hold, and every type.

mod elsewhere;
mod in_place;
mod types;

use crate::support::Source;

const EVERYTHING: &str = include_str!("restore_database/everything.sql");
/// Its statements that the platform has run before any app's.
const OF_PLATFORM: [&str; 5] = [
    "CREATE SCHEMA auth;",
    "CREATE TABLE auth.users ",
    "CREATE FUNCTION auth.uid() ",
    "ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;",
    "CREATE POLICY app_reads ON auth.users ",
];
/// What an app does otherwise where there is the platform.
const BESIDE_PLATFORM: [(&str, &str); 2] = [
    (
        "INSERT INTO auth.users SELECT",
        "INSERT INTO auth.users (id, email) SELECT",
    ),
    (
        "CREATE PUBLICATION supabase_realtime FOR TABLE",
        "ALTER PUBLICATION supabase_realtime ADD TABLE",
    ),
];
/// Nobody but the owner of `auth.users` may make a policy on it, and that is the platform.
const POLICY: &str =
    "CREATE POLICY app_reads ON auth.users FOR SELECT TO authenticated USING (id = auth.uid())";

/// What the platform grants to everybody by default is taken back where it must not be seen.
const NARROWED: &str = "
    REVOKE ALL ON public.a_monthly, public.parent, public.keyed, public.generated_id_seq FROM anon, authenticated;
    GRANT SELECT (y) ON public.child TO authenticated; REVOKE ALL ON public.child FROM anon, authenticated, service_role;
    CREATE FUNCTION public.secret(int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; CREATE PROCEDURE public.secret() LANGUAGE sql AS $$ SELECT 1 $$;
    REVOKE ALL ON FUNCTION public.secret(int) FROM anon, authenticated, PUBLIC; REVOKE ALL ON PROCEDURE public.secret() FROM anon;";

/// `everything.sql` as the owner can run it.
fn everything() -> String {
    let is_platforms = |line: &&str| OF_PLATFORM.iter().any(|start| line.starts_with(start));
    let (platforms, apps): (Vec<&str>, Vec<&str>) = EVERYTHING.lines().partition(is_platforms);
    assert_eq!(platforms.len(), OF_PLATFORM.len(), "{platforms:?}");
    let mut sql = apps.join("\n");
    for (alone, beside) in BESIDE_PLATFORM {
        assert_eq!(sql.matches(alone).count(), 1, "{alone}");
        sql = sql.replace(alone, beside);
    }
    sql
}

async fn app() -> Source {
    let source = Source::new("").await;
    let admin = source.admin().await;
    admin.batch_execute(POLICY).await.unwrap();
    let owner = source.client().await;
    let is_super = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    let is_super: bool = owner.query_one(is_super, &[]).await.unwrap().get(0);
    assert!(!is_super);
    owner.batch_execute(&everything()).await.unwrap();
    owner.batch_execute(NARROWED).await.unwrap();
    source
}
