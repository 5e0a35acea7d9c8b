use super::support::{EVERYTHING, PLATFORM, Source, assert_same, dumped, request};
use crate::pg_dump::Database;
use rovodev::core::ident::QName;
use rovodev::ports::postgres::Session;

async fn count(session: &Session, sql: &str) -> i64 {
    session
        .query_one("counting", sql, &[])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn everything_comes_back_beside_the_platforms_schemas() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    session.batch("platform", PLATFORM).await.unwrap();

    let outcome = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();

    assert_eq!(
        outcome.rows_added, backup.totals.rows,
        "{:#?}",
        outcome.warnings
    );
    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    assert_same(
        &dumped(&source.database.url, &[]),
        &dumped(&target.url, &[]),
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_bare_target_gets_the_platforms_schemas_without_their_rows() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;

    let outcome = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();

    let codes: Vec<_> = outcome.warnings.iter().map(|w| w.code.as_str()).collect();
    assert_eq!(codes, ["missing_parent"], "{:#?}", outcome.warnings);
    let message = &outcome.warnings[0].message;
    assert!(
        message.contains("profiles_id_fkey") && message.contains("3 rows"),
        "{message}"
    );
    let definitions = ["--schema-only"];
    let after = dumped(&target.url, &definitions).replace(
        "REFERENCES auth.users(id) ON DELETE CASCADE NOT VALID;",
        "REFERENCES auth.users(id) ON DELETE CASCADE;",
    );
    assert_same(&dumped(&source.database.url, &definitions), &after);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn chosen_tables_bring_what_they_need_and_nothing_else() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let mut some = request(&backup, &target.url);
    let names = [
        ("public", "types"),
        ("public", "events"),
        ("Ünï \"code\"", "ta.b;le\" x"),
    ];
    some.choice.selection.tables = names.iter().map(|(s, n)| QName::new(*s, *n)).collect();

    let outcome = source.restore(&some).await.unwrap();

    assert_eq!(
        outcome.rows_added,
        502 + 1500 + 3,
        "{:#?}",
        outcome.warnings
    );
    let session = target.session().await;
    let tables = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'auth')";
    assert_eq!(count(&session, tables).await, 2 + 6);
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND connamespace NOT IN ('pg_catalog'::regnamespace, 'auth'::regnamespace)";
    assert_eq!(count(&session, keys).await, 2 + 6);
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

/// As on Supabase: the role owns the database and is no superuser; the source's objects belong to others.
#[tokio::test]
async fn an_owner_without_superuser_gets_everything_but_foreign_owners() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let role = format!("restoredb_owner_{}", uuid::Uuid::new_v4().simple());
    let owner = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'x'; ALTER DATABASE \"{}\" OWNER TO {role}",
        target.url.database()
    );
    session.batch("owner", &owner).await.unwrap();
    let url = target.url_as(&role, "x");

    let outcome = source.restore(&request(&backup, &url)).await.unwrap();

    assert_eq!(
        outcome.rows_added, backup.totals.rows,
        "{:#?}",
        outcome.warnings
    );
    let told: Vec<_> = outcome
        .warnings
        .iter()
        .map(|w| w.message.as_str())
        .collect();
    let left_out = |what: &str| told.iter().any(|message| message.contains(what));
    assert!(left_out("changes of owner to"), "{told:#?}");
    let without_owners = [
        "--schema-only",
        "--no-owner",
        "--no-privileges",
        "--exclude-schema=auth",
    ];
    let before = dumped(&source.database.url, &without_owners);
    let after = dumped(&target.url, &without_owners).replace(
        "REFERENCES auth.users(id) ON DELETE CASCADE NOT VALID;",
        "REFERENCES auth.users(id) ON DELETE CASCADE;",
    );
    assert_same(&before, &after);
    drop(session);
    target.drop().await;
    source.database.drop_with_role(&role).await;
}

#[tokio::test]
async fn settings_come_back_without_their_secrets() {
    let source = Source::new("CREATE TABLE t (id int)").await;
    let session = source.database.session().await;
    let alter = format!("ALTER DATABASE \"{}\" SET", source.database.url.database());
    let settings = format!(
        "{alter} search_path TO \"$user\", \"odd, name\", public; {alter} app.settings.note TO 'it''s %L';
         {alter} app.settings.jwt_secret TO 'hush'; GRANT SELECT ON t TO anon;
         ALTER ROLE anon IN DATABASE \"{}\" SET statement_timeout TO '3s'",
        source.database.url.database()
    );
    session.batch("settings", &settings).await.unwrap();
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;

    let outcome = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();

    let told: Vec<_> = outcome
        .warnings
        .iter()
        .map(|w| w.message.as_str())
        .collect();
    assert_eq!(
        told,
        ["not part of the backup: secret setting app.settings.jwt_secret"]
    );
    let settings = "SELECT string_agg(coalesce(rolname, '-') || ' ' || c, E'\\n' ORDER BY rolname, c)
        FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
        WHERE datname = current_database()";
    let restored = target.session().await;
    let before: String = session.query_one("", settings, &[]).await.unwrap().get(0);
    let after: String = restored.query_one("", settings, &[]).await.unwrap().get(0);
    assert_eq!(
        after,
        before.replace("- app.settings.jwt_secret=hush\n", "")
    );
    drop((session, restored));
    target.drop().await;
    source.database.drop().await;
}

/// `TimeZone` decides what a CHECK and a view say of an instant.
#[tokio::test]
async fn rows_are_judged_and_views_refreshed_under_the_sources_settings() {
    let sql = "CREATE TABLE t (at timestamptz CHECK (at::date = '2024-12-31'));
        CREATE MATERIALIZED VIEW v AS SELECT at::text AS at FROM t";
    let source = Source::new("").await;
    let name = source.database.url.database();
    let session = source.database.session().await;
    let settings = format!(
        "ALTER DATABASE \"{name}\" SET TimeZone TO 'America/New_York';
         ALTER ROLE CURRENT_USER IN DATABASE \"{name}\" SET DateStyle TO 'German'"
    );
    session.batch("settings", &settings).await.unwrap();
    let session = source.database.session().await;
    let rows = "INSERT INTO t VALUES ('2025-01-01 04:00+00'); REFRESH MATERIALIZED VIEW v";
    session.follow_database().await.unwrap();
    session.batch("source", sql).await.unwrap();
    session.batch("rows", rows).await.unwrap();
    let read_only = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only TO on");
    session.batch("settings", &read_only).await.unwrap();
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;

    let outcome = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap();

    assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
    let restored = target.session().await;
    let at = restored
        .query_one("", "SELECT at FROM v", &[])
        .await
        .unwrap();
    assert_eq!(at.get::<_, String>(0), "31.12.2024 23:00:00 EST");
    drop((session, restored));
    target.drop().await;
    source.database.drop().await;
}
