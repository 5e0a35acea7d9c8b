//! Cancelled at any stage, a backup ends at once and leaves nothing.

use crate::support::{Source, assert_told, wait_for};
use rovodev::error::Code;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const STALL: Fault = Fault::Stall(Duration::from_secs(600));
const ROWS: &str = "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i; CREATE TABLE u (a int);";

/// Cancels once `reached` counts `count`, with a store that follows `rules`.
async fn cancelled_when(
    source: &Source,
    rules: Vec<Rule>,
    reached: &str,
    count: i64,
    pg_dump: Option<&str>,
) {
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(Unreliable::new(opened.store, rules));
    let ctx = Context::default();
    let backup = source.back_up_with(&ctx, &opened, |r| {
        if let Some(program) = pg_dump {
            r.pg_dump = Some(program.into());
        }
    });
    let cancelling = async {
        wait_for(&source.admin().await, reached, count).await;
        ctx.cancel.cancel();
        Instant::now()
    };
    let (done, at) = tokio::join!(backup, cancelling);
    assert_told(&done.unwrap_err(), Code::Cancelled, &["cancelled"]);
    assert!(
        at.elapsed() < Duration::from_secs(8),
        "{reached}: {:?}",
        at.elapsed()
    );
    source.assert_nothing_left(&[]).await;
}

#[tokio::test]
async fn at_every_stage() {
    let source = Source::new(ROWS).await;
    let ours =
        "FROM pg_stat_activity WHERE application_name = 'rovodev' AND datname = current_database()";
    // While it waits for a lock.
    let holder = source.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE u").await.unwrap();
    cancelled_when(
        &source,
        vec![],
        &format!("SELECT count(*) {ours} AND wait_event_type = 'Lock'"),
        1,
        None,
    )
    .await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    // While the store takes no segment.
    let segments = Rule::new(When::From(1), STALL).on(Op::PutNew, "segments/");
    cancelled_when(
        &source,
        vec![segments],
        &format!("SELECT count(*) {ours}"),
        3,
        None,
    )
    .await;
    // While it looks for the backup before.
    let listing = Rule::new(When::From(1), STALL).on(Op::Folders, "backups/default");
    cancelled_when(&source, vec![listing], "SELECT 0::bigint", 0, None).await;
    // While the definitions are stored: the locks are gone by then.
    let schema = Rule::new(When::From(1), STALL).on(Op::PutNew, "schema/");
    cancelled_by_store(&source, schema).await;
    // While pg_dump works.
    let sleeper = source.folder.path().join("sleeper");
    std::fs::write(&sleeper, "#!/bin/sh\ncase \"$1\" in --version) echo 'pg_dump (PostgreSQL) 99.1'; exit;; esac\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&sleeper, PermissionsExt::from_mode(0o755)).unwrap();
    cancelled_when(
        &source,
        vec![],
        &format!("SELECT count(*) {ours}"),
        1,
        sleeper.to_str(),
    )
    .await;
    // And after all that it works.
    let manifest = source.back_up(|_| {}).await.unwrap();
    source.assert_exact(&manifest).await;
}

/// Cancels when the store stalls at `rule` and the database has been let go.
async fn cancelled_by_store(source: &Source, rule: Rule) {
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(Unreliable::new(opened.store, vec![rule]));
    let ctx = Context::default();
    let backup = source.back_up_with(&ctx, &opened, |_| {});
    tokio::pin!(backup);
    let stalled = async {
        let ours = "SELECT (count(*) > 0)::int::bigint FROM pg_stat_activity \
            WHERE application_name = 'rovodev' AND datname = current_database()";
        wait_for(&source.admin().await, ours, 1).await;
        source.no_sessions().await;
    };
    tokio::select! {
        done = &mut backup => panic!("{done:?}"),
        () = stalled => {}
    }
    ctx.cancel.cancel();
    assert_told(&backup.await.unwrap_err(), Code::Cancelled, &["cancelled"]);
    source.assert_nothing_left(&[]).await;
}

#[tokio::test]
async fn a_backup_that_is_dropped_lets_go_of_the_database() {
    let source = Source::new(ROWS).await;
    let client = source.client().await;
    // Every row takes a while, so that the COPY is under way.
    client.batch_execute("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 100000) i").await.unwrap();
    let segments = Rule::new(When::From(1), STALL).on(Op::PutNew, "segments/");
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(Unreliable::new(opened.store, vec![segments]));
    let ctx = Context::default();
    let backup = source.back_up_with(&ctx, &opened, |_| {});
    let copying = "SELECT (count(*) > 0)::int::bigint FROM pg_stat_activity WHERE application_name = 'rovodev' \
        AND datname = current_database() AND wait_event = 'ClientWrite'";
    let admin = source.admin().await;
    tokio::select! {
        done = backup => panic!("{done:?}"),
        () = wait_for(&admin, copying, 1) => {}
    }
    source.no_sessions().await;
}
