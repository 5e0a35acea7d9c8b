//! A restore that is killed, in a process of its own (this test program, started again), and what follows it.

use super::support::{EVERYTHING, PLATFORM, Source, assert_same, dumped, one, request};
use crate::pg_dump::Database;
use crate::support::{TENANT, assert_told, changed, directory};
use rovodev::core::manifest::{Manifest, Scope, Selection};
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, unfinished};
use rovodev::tasks::progress::Progress;
use rovodev::tasks::restore::database;
use rovodev::tasks::{Context, backups};
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

const STORE: &str = "ROVODEV_TEST_CHILD_STORE";
const TARGET: &str = "ROVODEV_TEST_CHILD_TARGET";
const BACKUP: &str = "ROVODEV_TEST_CHILD_BACKUP";
const STAGE: &str = "ROVODEV_TEST_CHILD_STAGE";

/// Restores into `target`, which is the tests' server's, and dies as soon as the stage begins.
fn child(source: &Source, backup: &Manifest, target: &Database, stage: &str) -> ExitStatus {
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let url = changed(&server, |url| url.set_path(target.url.database()));
    child_at(source.folder.path(), backup, &url, stage)
}

/// The same with a store's folder and the address of a target, as whom that names.
pub fn child_at(store: &Path, backup: &Manifest, target: &str, stage: &str) -> ExitStatus {
    let name = "restore_database::kills::child_process";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(STORE, store)
        .env(TARGET, target)
        .env(BACKUP, backup.id.to_string())
        .env(STAGE, stage)
        .status()
        .unwrap()
}

/// On one thread, so that nothing of the stage is done before its announcement is read.
#[test]
#[ignore = "started by the other test of this file"]
fn child_process() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let variable = |name: &str| std::env::var(name).unwrap();
    let stage = variable(STAGE);
    let (progress, mut events) = Progress::channel();
    let dying = async {
        while let Some(event) = events.recv().await {
            if format!("{:?}", event.stage) == stage {
                kill_process(getpid(), Signal::KILL).unwrap();
            }
        }
    };
    let restoring = async {
        let ctx = Context {
            progress,
            ..Context::default()
        };
        let store = directory(variable(STORE).as_ref());
        let backup = backups::find(&store, TENANT, &variable(BACKUP))
            .await
            .unwrap();
        let url = DatabaseUrl::parse(&variable(TARGET)).unwrap();
        let wanted = request(&backup, &url);
        let plan = database::plan(&Context::default(), &store, &wanted)
            .await
            .unwrap();
        database::apply(&ctx, &store, &wanted, &plan).await.unwrap();
    };
    runtime.block_on(async { tokio::join!(restoring, dying) });
}

#[tokio::test]
async fn a_killed_restore_is_told_and_begun_anew() {
    let source = Source::new(EVERYTHING).await;
    let backup = source.back_up().await;
    let before = dumped(&source.database.url, &[]);
    for stage in [
        "Schema",
        "Rows",
        "Indexes",
        "ForeignKeys",
        "Refresh",
        "Finish",
    ] {
        let target = Database::create("restoredb_target").await;
        let session = target.session().await;
        session.batch("platform", PLATFORM).await.unwrap();
        let ended = child(&source, &backup, &target, stage);
        assert_eq!(ended.signal(), Some(9), "{stage}: {ended:?}");

        let marked = unfinished::restores(&session).await.unwrap();
        assert_eq!(marked.len(), 1, "{stage}");
        assert!(marked[0].1.contains(&backup.name), "{marked:?}");
        let half = source.back_up_other(&target.url).await.unwrap_err();
        let told = ["incomplete", &backup.name, &marked[0].0];
        assert_told(&half, Code::RestoreUnfinished, &told);
        let mut wanted = request(&backup, &target.url);
        let refused = source.restore(&wanted).await.unwrap_err();
        let told = ["holds a restore that never ended", &backup.name, "--force"];
        assert_told(&refused, Code::NotEmpty, &told);

        wanted.force = true;
        let plan = source.plan(&wanted).await.unwrap();
        assert!(plan.warnings.iter().any(|w| w.code == "unfinished_restore"));
        let outcome = source.restore(&wanted).await.unwrap();
        assert!(
            outcome.warnings.is_empty(),
            "{stage}: {:#?}",
            outcome.warnings
        );
        assert_eq!(outcome.rows_added, backup.totals.rows, "{stage}");
        assert_same(&before, &dumped(&target.url, &[]));
        assert!(unfinished::restores(&session).await.unwrap().is_empty());
        drop(session);
        target.drop().await;
    }
    source.database.drop().await;
}

/// What the app's migrations make; `bills` is none of the tenant's and refers to what the restore fills.
const APP: &str = "CREATE TABLE kinds (id int PRIMARY KEY);
    CREATE TABLE calls (id int PRIMARY KEY, tenant_id int NOT NULL, kind int REFERENCES kinds);
    CREATE TABLE bills (id int PRIMARY KEY, kind int REFERENCES kinds);";
const CALLS: &str = "SELECT (SELECT count(*) FROM calls) * 1000 + (SELECT count(*) FROM kinds)";

#[tokio::test]
async fn killed_rows_alone_are_taken_back_and_begun_anew() {
    let rows = "INSERT INTO kinds VALUES (1), (2); INSERT INTO calls SELECT i, i % 2, 1 + i % 2 FROM generate_series(1, 100) i;";
    let source = Source::new(&format!("{APP}{rows}")).await;
    let tenant = Selection {
        scope: Some(Scope::new("tenant_id", "1")),
        ..Selection::default()
    };
    let backup = source.back_up_part(tenant).await;
    for (stage, left) in [("Rows", 0), ("Finish", 50_001)] {
        let target = Database::create("restoredb_target").await;
        let session = target.session().await;
        session.batch("migrations", APP).await.unwrap();
        let ended = child(&source, &backup, &target, stage);
        assert_eq!(ended.signal(), Some(9), "{stage}: {ended:?}");
        assert_eq!(one::<i64>(&session, CALLS).await, left, "{stage}");

        let mut wanted = request(&backup, &target.url);
        let refused = source.restore(&wanted).await.unwrap_err();
        let told = ["holds a restore that never ended", &backup.name, "--force"];
        assert_told(&refused, Code::NotEmpty, &told);
        wanted.force = true;
        let outcome = source.restore(&wanted).await.unwrap();
        assert!(outcome.warnings.is_empty(), "{:#?}", outcome.warnings);
        assert_eq!(one::<i64>(&session, CALLS).await, 50_001, "{stage}");
        let markers = unfinished::restores(&session).await.unwrap();
        assert!(markers.is_empty(), "{markers:?}");
        source.back_up_other(&target.url).await.unwrap();
        drop(session);
        target.drop().await;
    }
    source.database.drop().await;
}

/// Tables that a killed restore has half made are not made whole by rows; and what rows alone left elsewhere goes before
/// definitions are made anew.
#[tokio::test]
async fn killed_restores_of_the_two_kinds_do_not_pass_for_each_other() {
    let rows = "INSERT INTO kinds VALUES (1), (2); INSERT INTO calls SELECT i, i % 2, 1 + i % 2 FROM generate_series(1, 100) i;";
    let source = Source::new(&format!("{APP}{rows}")).await;
    let whole = source.back_up().await;
    let target = Database::create("restoredb_target").await;
    let ended = child(&source, &whole, &target, "Finish");
    assert_eq!(ended.signal(), Some(9), "{ended:?}");
    let tenant = Selection {
        scope: Some(Scope::new("tenant_id", "1")),
        ..Selection::default()
    };
    let part = source.back_up_part(tenant).await;
    let mut wanted = request(&part, &target.url);
    wanted.force = true;
    let refused = source.restore(&wanted).await.unwrap_err();
    let told = ["never ended", &whole.name, "rows alone", "--force"];
    assert_told(&refused, Code::NotEmpty, &told);

    let other = Database::create("restoredb_target").await;
    let session = other.session().await;
    session.batch("migrations", APP).await.unwrap();
    let ended = child(&source, &part, &other, "Finish");
    assert_eq!(ended.signal(), Some(9), "{ended:?}");
    let mut wanted = request(&whole, &other.url);
    wanted.force = true;
    source.restore(&wanted).await.unwrap();
    assert_eq!(one::<i64>(&session, CALLS).await, 100_002);
    let markers = unfinished::restores(&session).await.unwrap();
    assert!(markers.is_empty(), "{markers:?}");
    drop(session);
    for database in [target, other, source.database] {
        database.drop().await;
    }
}
