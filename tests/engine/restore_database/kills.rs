//! A restore that is killed, in a process of its own (this test program, started again), and what follows it.

use super::support::{EVERYTHING, PLATFORM, Source, assert_same, dumped, request};
use crate::pg_dump::Database;
use crate::support::{TENANT, assert_told, directory};
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, unfinished};
use rovodev::tasks::progress::Progress;
use rovodev::tasks::restore::database;
use rovodev::tasks::{Context, backups};
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

const STORE: &str = "ROVODEV_TEST_CHILD_STORE";
const TARGET: &str = "ROVODEV_TEST_CHILD_TARGET";
const STAGE: &str = "ROVODEV_TEST_CHILD_STAGE";

/// Restores into `target`, which is the tests' server's, and dies as soon as the stage begins.
fn child(source: &Source, target: &Database, stage: &str) -> ExitStatus {
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(target.url.database());
    let name = "restore_database::kills::child_process";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(STORE, source.folder.path())
        .env(TARGET, url.as_str())
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
        let backup = backups::find(&store, TENANT, "latest").await.unwrap();
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
        let ended = child(&source, &target, stage);
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
