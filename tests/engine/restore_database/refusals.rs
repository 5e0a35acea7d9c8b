use super::support::{EVERYTHING, Source, one, request};
use crate::pg_dump::Database;
use crate::support::assert_told;
use rovodev::core::manifest::{SchemaStatus, Scope};
use rovodev::core::progress::Stage;
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, Session};
use rovodev::tasks::Context;
use rovodev::tasks::progress::Progress;
use rovodev::tasks::restore::database;

const SMALL: &str = "CREATE TABLE t (id int PRIMARY KEY, x text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 1000) i";

async fn relations(session: &Session) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname !~ '^(pg_|information_schema)')
                 + (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)') + (SELECT count(*) FROM pg_publication)";
    one(session, sql).await
}

#[tokio::test]
async fn a_target_that_is_not_empty_is_refused_unless_forced() {
    let source = Source::new(SMALL).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let old = "CREATE TABLE old (id int); INSERT INTO old VALUES (1); ANALYZE old; CREATE SCHEMA more; CREATE TYPE more.mood AS ENUM ('a');
        GRANT USAGE ON SCHEMA public TO pg_monitor";
    session.batch("old content", old).await.unwrap();
    let mut wanted = request(&backup, &target.url);

    let refused = source.restore(&wanted).await.unwrap_err();
    assert_eq!(refused.code, Code::NotEmpty);
    assert!(
        refused.message.contains("more (1 object,")
            && refused.message.contains("public (1 object, about 1 row)"),
        "{refused}"
    );
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM old").await, 1);

    wanted.force = true;
    let plan = database::plan(&Context::default(), &source.opened.store, &wanted)
        .await
        .unwrap();
    assert_eq!(
        plan.schemas_to_drop,
        [("public".to_string(), 1)],
        "a schema that the backup does not make stays"
    );
    source.restore(&wanted).await.unwrap();
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM t").await, 1000);
    assert!(
        !one::<bool>(
            &session,
            "SELECT to_regclass('old') IS NOT NULL OR to_regnamespace('more') IS NULL"
        )
        .await
    );
    assert!(one::<bool>(&session, "SELECT has_schema_privilege('pg_monitor', 'public', 'USAGE') AND nspowner = 'pg_database_owner'::regrole FROM pg_namespace WHERE nspname = 'public'").await);
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_second_restore_and_an_unfinished_one_are_told() {
    let source = Source::new(SMALL).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let mut wanted = request(&backup, &target.url);

    session
        .batch("lock", "SELECT pg_advisory_lock(1919907695, 1)")
        .await
        .unwrap();
    let error = source.restore(&wanted).await.unwrap_err();
    let pid = session.query_one("", "SELECT pg_backend_pid()", &[]);
    let pid: i32 = pid.await.unwrap().get(0);
    let (who, way_out) = (
        format!("(process {pid}, its last statement at 20"),
        format!("SELECT pg_terminate_backend({pid});"),
    );
    assert_told(&error, Code::RestoreRunning, &[&who, &way_out]);
    session
        .batch("unlock", "SELECT pg_advisory_unlock_all()")
        .await
        .unwrap();

    let marker = "CREATE SCHEMA \"rovodev_restore_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e\"; COMMENT ON SCHEMA \"rovodev_restore_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e\" IS 'restore of backup x'; CREATE TABLE half (id int)";
    session
        .batch("what a killed restore leaves", marker)
        .await
        .unwrap();
    let refused = source.restore(&wanted).await.unwrap_err();
    assert_eq!(refused.code, Code::NotEmpty);
    assert!(refused.message.contains("restore of backup x"), "{refused}");
    wanted.force = true;
    source.restore(&wanted).await.unwrap();
    assert!(
        one::<bool>(
            &session,
            "SELECT count(*) = 0 FROM pg_namespace WHERE nspname ~ 'rovodev_restore'"
        )
        .await
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_cancelled_restore_leaves_the_target_empty() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let before = relations(&session).await;
    for stop_at in [
        Stage::Schema,
        Stage::Rows,
        Stage::Indexes,
        Stage::ForeignKeys,
        Stage::Refresh,
        Stage::Finish,
    ] {
        let (progress, mut events) = Progress::channel();
        let ctx = Context {
            progress,
            ..Context::default()
        };
        let cancel = ctx.cancel.clone();
        let stopper = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if event.stage == stop_at {
                    cancel.cancel();
                    return;
                }
            }
        });
        let done = source
            .restore_with(&ctx, &request(&backup, &target.url))
            .await;
        drop(ctx);
        stopper.await.unwrap();
        match done {
            Err(error) => {
                assert_eq!(error.code, Code::Cancelled, "{stop_at:?}: {error}");
                assert!(
                    error.message.contains("as empty as before"),
                    "{stop_at:?}: {error}"
                );
                assert_eq!(relations(&session).await, before, "{stop_at:?}");
            }
            // The last statement may win.
            Ok(_) => assert_eq!(stop_at, Stage::Finish),
        }
    }
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn an_altered_segment_stops_the_restore_and_leaves_nothing() {
    let source = Source::new(SMALL).await;
    let mut backup = source.back_up().await;
    backup.tables[0].ranges[0].segments[0].stored_hash = "0".repeat(64);
    let target = Database::create("restoredb_target").await;
    let refused = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ObjectDamaged);
    assert!(refused.message.contains("public.t"), "{refused}");
    let session = target.session().await;
    assert_eq!(relations(&session).await, 0);
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn rows_without_definitions_need_empty_tables() {
    let source = Source::new(SMALL).await;
    let mut backup = source.back_up().await;
    backup.schema.status = SchemaStatus::Missing;
    (
        backup.schema.pre_data,
        backup.schema.post_data,
        backup.schema.extras,
    ) = (None, None, None);
    let target = Database::create("restoredb_target").await;
    let wanted = request(&backup, &target.url);
    let refused = source.restore(&wanted).await.unwrap_err();
    assert_told(&refused, Code::SchemaMissing, &[&backup.name, "migrations"]);
    let mut tenant = request(&backup, &target.url);
    tenant.backup.selection.scope = Some(Scope::new("id", "1"));
    let refused = source.restore(&tenant).await.unwrap_err();
    let told = ["one tenant holds rows alone", "whole database"];
    assert_told(&refused, Code::SchemaMissing, &told);
    let session = target.session().await;
    session
        .batch("table", "CREATE TABLE t (x text, id int PRIMARY KEY)")
        .await
        .unwrap();
    source.restore(&wanted).await.unwrap();
    assert_eq!(
        one::<String>(&session, "SELECT max(x) FROM t WHERE id = 1000").await,
        "x1000"
    );
    assert_eq!(
        source.restore(&wanted).await.unwrap_err().code,
        Code::NotEmpty
    );
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_broken_foreign_key_is_named_with_its_rows() {
    let broken = "CREATE TABLE p (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE c (x int, y text, FOREIGN KEY (x, y) REFERENCES p);
        SET session_replication_role = replica; INSERT INTO c SELECT i, 'gone' FROM generate_series(1, 7) i; INSERT INTO c VALUES (NULL, 'x')";
    let source = Source::new(broken).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let refused = source
        .restore(&request(&backup, &target.url))
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ConstraintViolated);
    assert!(refused.message.starts_with("7 rows of table public.c refer by \"c_x_y_fkey\" to rows of public.p that do not exist: (x, y) = ("), "{refused}");
    let session = target.session().await;
    assert_eq!(relations(&session).await, 0);
    session
        .batch("filling", "CREATE TABLE old (id int)")
        .await
        .unwrap();
    let mut forced = request(&backup, &target.url);
    forced.force = true;
    let refused = source.restore(&forced).await.unwrap_err();
    assert_told(
        &refused,
        Code::ConstraintViolated,
        &[
            "marks it as not to be used",
            "mend them there",
            "run the same command again",
        ],
    );
    assert!(!refused.hint.unwrap().contains("--force"));
    drop(session);
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn a_disk_that_is_told_to_be_small_is_refused_beforehand() {
    let source = Source::new(SMALL).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let mut wanted = request(&backup, &target.url);
    wanted.room = Some(1000);
    assert_eq!(
        source.restore(&wanted).await.unwrap_err().code,
        Code::NoSpace
    );
    wanted.room = Some(1 << 30);
    source.restore(&wanted).await.unwrap();
    target.drop().await;
    source.database.drop().await;
}

#[tokio::test]
async fn the_apps_own_database_is_never_dropped_as_another() {
    let source = Source::new(SMALL).await;
    let backup = source.back_up().await;
    let text = |database: &Database, more: &str| {
        let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(database.url.database());
        url.set_query(Some(more));
        DatabaseUrl::parse(url.as_str()).unwrap()
    };
    let own = text(&source.database, "sslmode=disable");
    let mut wanted = request(&backup, &text(&source.database, "connect_timeout=9"));
    wanted.source = Some(own.clone());
    for force in [false, true] {
        wanted.force = force;
        let refused = source.restore(&wanted).await.unwrap_err();
        assert_told(
            &refused,
            Code::NotEmpty,
            &["DATABASE_URL itself", "Leave out --target-url"],
        );
    }
    let session = source.database.session().await;
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM t").await, 1000);
    drop(session);
    // Where DATABASE_URL does not answer, the backup says where it came from.
    wanted.source = Some(DatabaseUrl::parse("postgres://nobody:x@127.0.0.1:1/gone").unwrap());
    assert_eq!(
        source.restore(&wanted).await.unwrap_err().code,
        Code::NotEmpty
    );

    // An empty one is filled, and begun anew where that did not end.
    let lost = Database::create("restoredb_target").await;
    wanted = request(&backup, &lost.url);
    wanted.source = Some(text(&lost, "sslmode=disable"));
    source.restore(&wanted).await.unwrap();
    wanted.force = true;
    assert_eq!(
        source.restore(&wanted).await.unwrap_err().code,
        Code::NotEmpty
    );
    let session = lost.session().await;
    let marker = "CREATE SCHEMA \"rovodev_restore_0190f9a0-7e0b-7c3d-8a3f-3d8b2b1c4d5e\"";
    session.batch("marking", marker).await.unwrap();
    source.restore(&wanted).await.unwrap();
    // Another database of the same server is another database.
    wanted.source = Some(own);
    source.restore(&wanted).await.unwrap();
    drop(session);
    lost.drop().await;
    source.database.drop().await;
}

/// Supabase switches a project to read-only when its disk is nearly full.
#[tokio::test]
async fn a_target_that_is_switched_to_read_only_is_refused() {
    let source = Source::new(SMALL).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let session = target.session().await;
    let switch = format!(
        "ALTER DATABASE \"{}\" SET default_transaction_read_only TO on",
        target.url.database()
    );
    session.batch("switching", &switch).await.unwrap();
    let mut wanted = request(&backup, &target.url);
    for refused in [
        source.plan(&wanted).await.err(),
        source.restore(&wanted).await.err(),
    ] {
        let told = ["switched to read-only", "disk", "--even-read-only"];
        assert_told(&refused.unwrap(), Code::NoSpace, &told);
    }
    assert_eq!(relations(&session).await, 0);
    wanted.target = wanted.target.even_read_only();
    source.restore(&wanted).await.unwrap();
    assert_eq!(one::<i64>(&session, "SELECT count(*) FROM t").await, 1000);
    // Reading needs no leave.
    source.back_up_other(&target.url).await.unwrap();
    drop(session);
    target.drop().await;
    source.database.drop().await;
}
