//! What restores keep for an undo goes after its date: not before, not what is somebody else's, and not under somebody
//! who needs it.

use super::fixture::Fixture;
use crate::support::wait_for;
use chrono::{TimeDelta, Utc};
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::{Mode, Outcome};
use rovodev::error::Code;
use rovodev::tasks::restore::in_place;
use uuid::Uuid;

const TABLES: &str =
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)";
const NONE: [Uuid; 0] = [];

fn schema(operation: Uuid) -> String {
    format!("undo_{}", operation.simple())
}

async fn restored(f: &Fixture, backup: &Manifest, id: u32) -> Outcome {
    f.run(&format!("DELETE FROM t WHERE id = {id}")).await;
    f.restore(backup, Mode::Exact).await.unwrap()
}

/// As if the date had passed.
async fn pass(f: &Fixture, operation: Uuid) {
    let record = format!("{}.operation", schema(operation));
    f.run(&format!("UPDATE {record} SET undo_until = now()"))
        .await;
}

async fn drop_expired(f: &Fixture) -> Vec<Uuid> {
    in_place::drop_expired(&f.url).await.unwrap()
}

#[tokio::test]
async fn what_is_kept_goes_after_its_date_and_not_before() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let first = restored(&f, &backup, 1).await;
    let second = restored(&f, &backup, 2).await;
    let undated = restored(&f, &backup, 3).await.operation;
    f.run(&format!(
        "ALTER TABLE {}.operation DROP COLUMN undo_until",
        schema(undated)
    ))
    .await;
    let kept = in_place::operations(&f.url).await.unwrap();
    let dates: Vec<_> = kept.iter().map(|o| o.undo_until).collect();
    assert_eq!(dates, [None, second.undo_until, first.undo_until]);
    let left = first.undo_until.unwrap() - Utc::now();
    assert!(
        left <= TimeDelta::days(7) && left > TimeDelta::days(6),
        "{left}"
    );
    assert_eq!(drop_expired(&f).await, NONE);

    pass(&f, first.operation).await;
    assert_eq!(drop_expired(&f).await, [first.operation]);
    assert_eq!(drop_expired(&f).await, NONE);
    let gone = f.undo(first.operation).await.unwrap_err();
    assert_eq!(gone.code, Code::OperationNotFound);
    f.undo(undated).await.unwrap();
    f.undo(second.operation).await.unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 7);
    f.drop().await;
}

#[tokio::test]
async fn what_is_somebody_elses_stays() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let own = restored(&f, &backup, 1).await.operation;
    pass(&f, own).await;
    let [empty, other, copied] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()].map(schema);
    f.run(&format!(
        "CREATE SCHEMA undo_of_my_own; CREATE SCHEMA {empty}; CREATE TABLE {empty}.rows (id int); \
         CREATE SCHEMA {other}; CREATE TABLE {other}.operation AS SELECT 1 AS id, now() AS undo_until; \
         CREATE SCHEMA {copied}; CREATE TABLE {copied}.operation AS TABLE {}.operation",
        schema(own)
    ))
    .await;
    assert_eq!(in_place::operations(&f.url).await.unwrap().len(), 1);
    assert_eq!(drop_expired(&f).await, [own]);
    let mut theirs = vec!["undo_of_my_own".to_string(), empty, other, copied];
    theirs.sort();
    assert_eq!(f.own_schemas("undo_").await, theirs);
    f.drop().await;
}

/// Without the undo a restore that was undone would look as if it could be undone.
#[tokio::test]
async fn an_undo_stays_as_long_as_what_it_reversed() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let restore = restored(&f, &backup, 1).await.operation;
    let undo = f.undo(restore).await.unwrap().operation;
    let again = f.undo(undo).await.unwrap().operation;
    pass(&f, undo).await;
    pass(&f, again).await;
    assert_eq!(drop_expired(&f).await, NONE);
    pass(&f, restore).await;
    assert_eq!(drop_expired(&f).await, [restore, undo, again]);
    f.drop().await;
}

#[tokio::test]
async fn the_next_restore_drops_what_expired() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let first = restored(&f, &backup, 1).await.operation;
    pass(&f, first).await;
    let planned = f.request(&backup, Mode::Exact);
    let ctx = rovodev::tasks::Context::default();
    let plan = Box::pin(in_place::plan(&ctx, &f.store.store, &planned)).await;
    assert_eq!(plan.unwrap().undo_days, Some(7));
    let kept = f.own_schemas("undo_").await;
    assert_eq!(kept, [schema(first)], "a plan drops nothing");
    let second = restored(&f, &backup, 2).await.operation;
    assert_eq!(f.own_schemas("undo_").await, [schema(second)]);
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_under_who_restores_undoes_or_looks() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let first = restored(&f, &backup, 1).await.operation;

    let request = f.request(&backup, Mode::Exact);
    let prepared = f.prepare(&request).await.unwrap();
    pass(&f, first).await;
    assert_eq!(drop_expired(&f).await, NONE, "a restore is under way");
    prepared.discard().await.unwrap();

    // Of a dry run of an undo.
    let looking = f.another_session().await;
    let lock = "SELECT pg_advisory_lock_shared(1919907695, 2)";
    looking.query("looking on", lock, &[]).await.unwrap();
    assert_eq!(drop_expired(&f).await, NONE, "somebody looks");
    let unlock = "SELECT pg_advisory_unlock_shared(1919907695, 2)";
    looking.query("looking on", unlock, &[]).await.unwrap();

    // The undo waits for a writer, and works though the date has passed.
    let writer = f.another_session().await;
    let write = "BEGIN; UPDATE t SET id = id WHERE id = 9";
    writer.batch("writing", write).await.unwrap();
    let meanwhile = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass";
        wait_for(f.session.client(), waits, 1).await;
        let dropped = drop_expired(&f).await;
        writer.batch("writing", "COMMIT").await.unwrap();
        dropped
    };
    let (undone, dropped) = tokio::join!(f.undo(first), meanwhile);
    assert_eq!(dropped, NONE, "an undo is under way");
    let undo = undone.unwrap().operation;
    assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 8);
    assert_eq!(drop_expired(&f).await, [first]);
    assert_eq!(f.own_schemas("undo_").await, [schema(undo)]);
    f.drop().await;
}

/// A dump of the whole database, say: it is left alone, and so is not what nobody reads.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_what_is_kept_is_not_waited_for_long() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let [read, other] = [
        restored(&f, &backup, 1).await.operation,
        restored(&f, &backup, 2).await.operation,
    ];
    pass(&f, read).await;
    pass(&f, other).await;
    let reader = f.another_session().await;
    let look = format!("BEGIN; SELECT * FROM {}.operation", schema(read));
    reader.batch("reading", &look).await.unwrap();
    assert_eq!(drop_expired(&f).await, [other]);
    reader.batch("reading", "COMMIT").await.unwrap();
    assert_eq!(drop_expired(&f).await, [read]);
    f.drop().await;
}

/// Nobody is asked when it goes by itself.
#[tokio::test]
async fn what_somebody_made_of_kept_rows_keeps_them() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let [viewed, beside] = [
        restored(&f, &backup, 1).await.operation,
        restored(&f, &backup, 2).await.operation,
    ];
    f.run(&format!(
        "CREATE VIEW kept AS SELECT added FROM {}.operation; CREATE TABLE {}.notes (id int)",
        schema(viewed),
        schema(beside)
    ))
    .await;
    pass(&f, viewed).await;
    pass(&f, beside).await;
    assert_eq!(drop_expired(&f).await, NONE);
    assert_eq!(f.value::<i64>("SELECT added FROM kept").await, 1);
    assert_eq!(in_place::operations(&f.url).await.unwrap().len(), 2);
    f.run(&format!(
        "DROP VIEW kept; DROP TABLE {}.notes",
        schema(beside)
    ))
    .await;
    assert_eq!(drop_expired(&f).await, [viewed, beside]);
    f.drop().await;
}
