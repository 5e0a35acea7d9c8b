//! What a new database will lack or lose is named in the plan and at the end, and is what then is lacking.

use super::support::{PLATFORM, Source, one, request, schema};
use crate::pg_dump::Database;
use rovodev::core::manifest::Warning;
use rovodev::ports::postgres::Session;

fn told<'a>(all: &'a [Warning], code: &str) -> Vec<&'a str> {
    let those = all.iter().filter(|w| w.code == code);
    those.map(|w| w.message.as_str()).collect()
}

const SHOP: &str = "CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('a');
    CREATE TABLE shop.p (id int PRIMARY KEY); INSERT INTO shop.p VALUES (1);
    CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE FUNCTION shop.allowed(int) RETURNS bool LANGUAGE sql AS 'SELECT true';
    CREATE PUBLICATION live FOR TABLE shop.p";

/// What a later migration of the target made beside the schema that comes back.
const ELSEWHERE: &str = "CREATE SCHEMA other; CREATE TABLE other.\"C\" (p int REFERENCES shop.p, mood shop.mood, n int);
    INSERT INTO other.\"C\" VALUES (1, 'a', 2); CREATE INDEX by_mood ON other.\"C\" (mood);
    CREATE VIEW other.v AS SELECT id FROM shop.p; CREATE VIEW other.of_v AS SELECT id FROM other.v;
    CREATE TRIGGER touch AFTER INSERT ON other.\"C\" FOR EACH ROW EXECUTE FUNCTION shop.touch();
    ALTER TABLE other.\"C\" ENABLE ROW LEVEL SECURITY;
    CREATE POLICY by_n ON other.\"C\" USING (shop.allowed(n)); CREATE POLICY all_of_them ON other.\"C\" USING (true);
    CREATE TABLE other.child (more int) INHERITS (shop.p);
    CREATE PUBLICATION mine FOR TABLE shop.p, other.\"C\"";

const LOST: &str = "with schema shop goes what depends on it elsewhere and is not in this restore: \
    policy by_n on other.\"C\"; publication relation shop.p in publication mine; table other.child; \
    table column other.\"C\".mood; table constraint \"C_p_fkey\" on other.\"C\"; trigger touch on other.\"C\"; \
    view other.of_v; view other.v";

#[tokio::test]
async fn what_a_forced_restore_drops_elsewhere_is_named() {
    let source = Source::new(SHOP).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let mut wanted = request(&backup, &target.url);
    let outcome = source.restore(&wanted).await.unwrap();
    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    wanted.force = true;
    let again = source.restore(&wanted).await.unwrap();
    assert!(again.warnings.is_empty(), "{:#?}", again.warnings);
    let session = target.session().await;
    session.batch("elsewhere", ELSEWHERE).await.unwrap();

    let plan = source.plan(&wanted).await.unwrap();
    assert_eq!(told(&plan.warnings, "dropped_elsewhere"), [LOST]);
    let outcome = source.restore(&wanted).await.unwrap();
    assert_eq!(told(&outcome.warnings, "dropped_elsewhere"), [LOST]);
    let left = "SELECT string_agg(what, ' ' ORDER BY what) FROM (
        SELECT relname::text FROM pg_class WHERE relnamespace = 'other'::regnamespace AND relkind IN ('r', 'v', 'i')
        UNION ALL SELECT attname::text FROM pg_attribute WHERE attrelid = 'other.\"C\"'::regclass AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT pubname || '>' || tablename FROM pg_publication_tables
        UNION ALL SELECT polname::text FROM pg_policy UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT conname::text FROM pg_constraint WHERE connamespace = 'other'::regnamespace) AS x(what)";
    assert_eq!(
        one::<String>(&session, left).await,
        "C all_of_them live>p mine>C n p"
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

async fn published(session: &Session) -> Option<String> {
    let sql = "SELECT string_agg(pubname || ' ' || schemaname || '.' || tablename, ', ') FROM pg_publication_tables";
    one(session, sql).await
}

#[tokio::test]
async fn a_part_joins_the_targets_publication_or_says_that_there_is_none() {
    let sql = "CREATE SCHEMA other; CREATE TABLE other.t (id int); CREATE PUBLICATION every FOR TABLE shop.p, other.t;
        ALTER DATABASE CURRENT SET app.note TO 'x'";
    let source = Source::new(SHOP).await;
    let session = source.database.session().await;
    let name = format!("\"{}\"", source.database.url.database());
    session
        .batch("more", &sql.replace("CURRENT", &name))
        .await
        .unwrap();
    let part = source.back_up_part(schema("shop")).await;
    let whole = source.back_up().await;
    let mut of_whole = request(&whole, &source.database.url);
    of_whole.choice.selection = schema("shop");
    for mut wanted in [request(&part, &source.database.url), of_whole] {
        let target = Database::create("restoredb_target").await;
        wanted.target = target.url.clone();
        let none = ["every", "live"].map(|publication| {
            format!(
                "table shop.p is left out of publication {publication:?}, which is neither in this restore nor in the target"
            )
        });
        let plan = source.plan(&wanted).await.unwrap();
        assert_eq!(told(&plan.warnings, "not_restored"), none);
        let outcome = source.restore(&wanted).await.unwrap();
        assert_eq!(told(&outcome.warnings, "not_restored"), none);
        let session = target.session().await;
        assert_eq!(published(&session).await, None);

        let publication = "CREATE PUBLICATION live; CREATE PUBLICATION every";
        session.batch("publication", publication).await.unwrap();
        wanted.force = true;
        let outcome = source.restore(&wanted).await.unwrap();
        assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
        let both = published(&session).await.unwrap();
        assert!(
            both.contains("live shop.p") && both.contains("every shop.p"),
            "{both}"
        );
        drop(session);
        target.drop().await;
    }
    // What belongs to the whole database is named once somebody chooses a part of it.
    let mut wanted = request(&whole, &source.database.url);
    wanted.choice.selection = schema("shop");
    let target = Database::create("restoredb_target").await;
    wanted.target = target.url.clone();
    let plan = source.plan(&wanted).await.unwrap();
    let notes = told(&plan.notes, "not_of_a_part");
    assert_eq!(
        notes,
        ["a part brings nothing that belongs to the whole database: the database: app.note"]
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

/// As on Supabase, where the platform's roles own and grant what nobody else may.
#[tokio::test]
async fn owners_and_default_privileges_are_told_beforehand() {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (keeper, role) = (
        format!("restoredb_keeper_{id}"),
        format!("restoredb_owner_{id}"),
    );
    let source = Source::new(&format!(
        "CREATE ROLE {keeper}; CREATE TABLE t (id int); CREATE TABLE u (id int); ALTER TABLE t OWNER TO {keeper};
         ALTER DEFAULT PRIVILEGES FOR ROLE {keeper} IN SCHEMA public GRANT SELECT ON TABLES TO anon"
    ))
    .await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let owner = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; ALTER DATABASE \"{}\" OWNER TO {role}",
        target.url.database()
    );
    session.batch("owner", &owner).await.unwrap();
    let wanted = request(&backup, &target.url_as(&role, "x"));
    let plan = source.plan(&wanted).await.unwrap();
    let outcome = source.restore(&wanted).await.unwrap();

    let planned = told(&plan.warnings, "roles_missing");
    let to_keeper = format!(
        "left out: changes of owner to \"{keeper}\", of which the role is no member; the objects belong to \"{role}\": TABLE public.t"
    );
    assert!(planned.contains(&to_keeper.as_str()), "{planned:#?}");
    assert_eq!(told(&outcome.warnings, "roles_missing"), planned);
    let note = format!(
        "default privileges of role \"{keeper}\" are left out: only that role may set them"
    );
    assert_eq!(told(&plan.notes, "default_privileges"), [note]);
    assert!(
        !outcome
            .warnings
            .iter()
            .any(|w| w.message.contains("default privileges")),
        "{:#?}",
        outcome.warnings
    );
    drop(session);
    target.drop().await;
    let session = source.database.session().await;
    let gone = format!("DROP OWNED BY {keeper}; DROP ROLE {keeper}");
    session.batch("roles", &gone).await.unwrap();
    drop(session);
    source.database.drop_with_role(&role).await;
}

/// A restore needs them, and whoever may read the store reads them: said when it is taken and when it is restored.
#[tokio::test]
async fn passwords_in_definitions_are_told() {
    let sql = r#"CREATE TABLE t (a int); CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far');
        CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'me', password 'word');
        CREATE SERVER quiet FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'password');
        CREATE FUNCTION call() RETURNS text LANGUAGE sql AS $$ SELECT 'Bearer abcdefghijklmnopqrstuv' $$;
        CREATE FUNCTION called() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER hook AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION called('{"Authorization":"Bearer abcdefghijklmnopqrstuv"}');"#;
    let source = Source::new(sql).await;
    let backup = source.back_up().await;
    let message = told(&backup.left_out, "readable_secrets").concat();
    let named = "FUNCTION public.call(), USER MAPPING ";
    assert!(message.contains(named), "{message}");
    assert!(
        message.contains(" SERVER far, TRIGGER public.t hook ("),
        "{message}"
    );
    assert!(
        !message.contains("word ") && !message.contains("abcdef"),
        "{message}"
    );

    let target = Database::create("restoredb_target").await;
    let plan = source.plan(&request(&backup, &target.url)).await.unwrap();
    assert_eq!(told(&plan.notes, "readable_secrets"), [message]);
    target.drop().await;

    let session = source.database.session().await;
    let sql = "DROP USER MAPPING FOR CURRENT_USER SERVER far; DROP FUNCTION call(); DROP TRIGGER hook ON t";
    session.batch("without secrets", sql).await.unwrap();
    let backup = source.back_up().await;
    assert!(told(&backup.left_out, "readable_secrets").is_empty());
    drop(session);
    source.database.drop().await;
}

/// What the app put into the platform's schemas comes along with them, and where they are there already it is missing.
#[tokio::test]
async fn objects_of_the_app_in_the_platforms_schemas_are_told_where_they_will_be_missing() {
    let own = "CREATE FUNCTION auth.org() RETURNS int LANGUAGE sql AS 'SELECT 7'; CREATE TABLE t (org int DEFAULT auth.org())";
    let source = Source::new(&format!("{PLATFORM} {own}")).await;
    let backup = source.back_up().await;
    let code = "own_objects_in_platform_schemas";
    let missed = told(&backup.warnings, code).concat();
    assert!(missed.contains(": function auth.org ("), "{missed}");

    let plain = Database::create("restoredb_target").await;
    let wanted = request(&backup, &plain.url);
    let plan = source.plan(&wanted).await.unwrap();
    assert_eq!(told(&plan.warnings, code), Vec::<&str>::new());
    source.restore(&wanted).await.unwrap();
    let session = plain.session().await;
    let sql = "INSERT INTO t DEFAULT VALUES RETURNING org";
    assert_eq!(one::<i32>(&session, sql).await, 7);
    drop(session);
    plain.drop().await;

    let project = Database::create("restoredb_target").await;
    let session = project.session().await;
    session.batch("the platform", PLATFORM).await.unwrap();
    let wanted = request(&backup, &project.url);
    let plan = source.plan(&wanted).await.unwrap();
    assert_eq!(told(&plan.warnings, code), [missed]);
    let refused = source.restore(&wanted).await.unwrap_err();
    assert!(refused.message.contains("auth.org"), "{refused}");
    drop(session);
    project.drop().await;
    source.database.drop().await;
}
