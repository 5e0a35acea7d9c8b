//! Connections that break, staging that is lost, restores that are cancelled or die: live data is old or new.

use super::fixture::{Contents, Fixture};
use rovodev::core::manifest::Manifest;
use rovodev::core::progress::Stage;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::progress::Progress;
use rovodev::tasks::{Context, restore::in_place};

pub const TABLES: &str = "CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i; \
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); INSERT INTO c SELECT i, i FROM generate_series(1, 20000) i; \
    CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM c;";
const BREAK: &str = "DELETE FROM c WHERE id % 3 = 0; UPDATE p SET v = 'changed' WHERE id % 5 = 0; INSERT INTO p VALUES (30000, 'new');";

pub async fn broken() -> (Fixture, Manifest, Contents, Contents) {
    let f = Fixture::new(TABLES).await;
    let old = f.contents().await;
    let backup = f.back_up().await;
    f.run(BREAK).await;
    f.run("REFRESH MATERIALIZED VIEW m").await;
    let new = f.contents().await;
    (f, backup, old, new)
}

/// Ends every session of ours at the first event of a stage, and says whether there was one.
async fn terminate_at(f: &Fixture, wanted: Stage) -> (Context, tokio::task::JoinHandle<bool>) {
    let (progress, mut events) = Progress::channel();
    let killer = f.another_session().await;
    killer
        .batch("naming the session", "SET application_name = 'killer'")
        .await
        .unwrap();
    let watch = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if event.stage == wanted {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'rovodev' AND query NOT LIKE '%a test''s%'";
                killer.query("terminating", sql, &[]).await.unwrap();
                return true;
            }
        }
        false
    });
    (
        Context {
            progress,
            ..Context::default()
        },
        watch,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_at_any_stage_leaves_old_or_new() {
    for stage in [
        Stage::Plan,
        Stage::Stage,
        Stage::Compare,
        Stage::Merge,
        Stage::ForeignKeys,
        Stage::Refresh,
        Stage::Finish,
    ] {
        let (mut f, backup, old, new) = broken().await;
        let request = f.request(&backup, Mode::Exact);
        let (ctx, watch) = terminate_at(&f, stage).await;
        let restored = async {
            in_place::prepare(&ctx, &f.store.store, &request, None)
                .await?
                .apply(&ctx)
                .await
        };
        let restored = Box::pin(restored).await;
        drop(ctx);
        assert!(watch.await.unwrap(), "{stage:?} never came");
        f.session = f.another_session().await;
        let mut after = f.contents().await;
        let operations = in_place::operations(&f.url).await.unwrap();
        match &restored {
            Ok(done) => {
                if done.warnings.iter().any(|w| w.code == "refresh_failed") {
                    f.run("REFRESH MATERIALIZED VIEW m").await;
                    after = f.contents().await;
                }
                assert_eq!(after, old, "{stage:?}");
                assert_eq!(operations.len(), 1);
                assert!(in_place::was_done(&f.url, done.operation).await.unwrap());
            }
            Err(e) => {
                assert_eq!(e.code, Code::ConnectionLost, "{stage:?}: {e}");
                assert_eq!(after, new, "{stage:?}");
                assert!(operations.is_empty());
            }
        }
        in_place::drop_leftovers(&f.url).await.unwrap();
        assert_eq!(
            f.own_schemas("staging_").await,
            Vec::<String>::new(),
            "{stage:?}"
        );
        f.drop().await;
    }
}

/// A crash of the server empties unlogged tables; a merge from what is left would delete live rows.
#[tokio::test]
async fn lost_staging_is_staged_again() {
    let (f, backup, old, _) = broken().await;
    for lose in [
        "TRUNCATE %s.t0, %s.t1, %s.found, %s.decided",
        "DELETE FROM %s.t1 WHERE id = 5",
        "TRUNCATE %s.found",
    ] {
        f.run(
            BREAK
                .split_inclusive(';')
                .take(2)
                .collect::<String>()
                .as_str(),
        )
        .await;
        let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
        let schema = f.own_schemas("staging_").await.remove(0);
        f.run(&lose.replace("%s", &schema)).await;
        prepared.apply(&Context::default()).await.unwrap();
        assert_eq!(f.contents().await, old, "{lose}");
    }
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_at_any_stage_nothing_changes_and_nothing_stays() {
    for wanted in [
        Stage::Stage,
        Stage::Compare,
        Stage::Merge,
        Stage::ForeignKeys,
    ] {
        let (f, backup, _, new) = broken().await;
        let (progress, mut events) = Progress::channel();
        let ctx = Context {
            progress,
            ..Context::default()
        };
        let cancel = ctx.cancel.clone();
        let watch = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if event.stage == wanted {
                    cancel.cancel();
                }
            }
        });
        let request = f.request(&backup, Mode::Exact);
        let restored = Box::pin(async {
            in_place::prepare(&ctx, &f.store.store, &request, None)
                .await?
                .apply(&ctx)
                .await
        })
        .await;
        drop(ctx);
        watch.await.unwrap();
        assert_eq!(restored.unwrap_err().code, Code::Cancelled, "{wanted:?}");
        assert_eq!(f.contents().await, new, "{wanted:?}");
        assert_eq!(
            f.own_schemas("staging_").await,
            Vec::<String>::new(),
            "{wanted:?}"
        );
        assert_eq!(
            f.own_schemas("undo_").await,
            Vec::<String>::new(),
            "{wanted:?}"
        );
        f.drop().await;
    }
}

/// A restore whose process died is taken up where it stopped, or dropped.
#[tokio::test]
async fn a_dead_restore_is_taken_up_or_dropped() {
    let (f, backup, old, new) = broken().await;
    let request = f.request(&backup, Mode::Exact);
    let dead = f.prepare(&request).await.unwrap();
    let operation = dead.plan().operation;
    drop(dead);
    gone(&f).await;
    let next = f.prepare(&request).await.unwrap();
    assert_eq!(next.plan().operation, operation);
    drop(next);
    gone(&f).await;
    assert_eq!(in_place::drop_leftovers(&f.url).await.unwrap().len(), 1);
    assert_eq!(f.contents().await, new);
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, old);
    f.drop().await;
}

/// A restore that died between its commit and its cleaning up is done, and is not taken up.
#[tokio::test]
async fn a_restore_that_was_committed_is_not_taken_up() {
    let (f, backup, old, _) = broken().await;
    let request = f.request(&backup, Mode::Exact);
    let prepared = f.prepare(&request).await.unwrap();
    let schema = f.own_schemas("staging_").await.remove(0);
    let stamp: String = f
        .value(&format!("SELECT obj_description('{schema}'::regnamespace)"))
        .await;
    let done = prepared.apply(&Context::default()).await.unwrap();
    f.run(&format!(
        "CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS '{stamp}'"
    ))
    .await;
    let next = f.prepare(&request).await.unwrap();
    assert_ne!(next.plan().operation, done.operation);
    assert!(next.plan().is_empty());
    assert!(
        !f.own_schemas("staging_").await.contains(&schema),
        "what it left is dropped by the next one"
    );
    next.discard().await.unwrap();
    assert_eq!(f.contents().await, old);
    f.drop().await;
}

/// Waits until the server noticed that the dead restore's session is gone.
pub async fn gone(f: &Fixture) {
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while f.value::<i64>(held).await > 0 {
        tokio::task::yield_now().await;
    }
}
