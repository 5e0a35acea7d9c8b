//! What restores keep and leave behind: listed, dropped, and never in the way of a dry run.

use super::fixture::Fixture;
use crate::support::assert_told;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::restore::in_place;

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)";

async fn ids(operations: &[in_place::Operation]) -> Vec<uuid::Uuid> {
    operations.iter().map(|o| o.id).collect()
}

#[tokio::test]
async fn what_can_be_undone_follows_undos_and_their_undos() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1").await;
    let first = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    f.run("DELETE FROM t WHERE id = 2").await;
    let second = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    let undoable = async || ids(&in_place::undoable(&f.url).await.unwrap()).await;
    assert_eq!(undoable().await, [second, first]);
    let undo = f.undo(second).await.unwrap().operation;
    assert_eq!(undoable().await, [first]);
    assert_eq!(f.undo(second).await.unwrap_err().code, Code::UndoConflict);
    f.undo(undo).await.unwrap();
    assert_eq!(undoable().await, [second, first], "the undo was undone");
    f.undo(second).await.unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 1);
    f.drop().await;
}

/// With an undo goes what it had undone, or that would look as if it could be undone.
#[tokio::test]
async fn what_is_forgotten_cannot_be_undone() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1").await;
    let first = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    f.run("DELETE FROM t WHERE id = 2").await;
    let second = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    let undo = f.undo(second).await.unwrap().operation;
    let all = in_place::operations(&f.url).await.unwrap();
    assert!(all.iter().all(|o| o.bytes > 0), "{all:?}");
    let forgotten = in_place::forget(&f.url, &[undo]).await.unwrap();
    assert_eq!(ids(&forgotten).await, [undo, second]);
    assert_eq!(
        ids(&in_place::operations(&f.url).await.unwrap()).await,
        [first]
    );
    assert!(!in_place::was_done(&f.url, second).await.unwrap());
    in_place::forget(&f.url, &[first]).await.unwrap();
    assert_eq!(f.own_schemas("undo_").await, Vec::<String>::new());
    let error = f.undo(first).await.unwrap_err();
    assert_told(&error, Code::OperationNotFound, &["--list-undo"]);
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_works_beside_a_restore_and_is_not_cleared_away() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id = 1").await;
    let request = f.request(&backup, Mode::Exact);
    let prepared = f.prepare(&request).await.unwrap();
    let ctx = Context::default();
    let planned = Box::pin(in_place::plan(&ctx, &f.store.store, &request))
        .await
        .unwrap();
    assert_ne!(planned.operation, prepared.plan().operation);
    assert_eq!(planned.tables, prepared.plan().tables);
    assert_eq!(
        f.own_schemas("staging_").await.len(),
        1,
        "that of the restore"
    );
    let done = Box::pin(prepared.apply(&ctx)).await.unwrap().operation;
    let other = f.prepare(&request).await.unwrap();
    in_place::undo(
        &ctx,
        &f.url,
        in_place::UndoRequest {
            dry_run: true,
            ..in_place::UndoRequest::of(done)
        },
    )
    .await
    .unwrap();
    assert_eq!(f.value::<i64>("SELECT count(*) FROM t").await, 2);
    other.discard().await.unwrap();
    // A dry run under way holds this lock; its staging stays until it is gone.
    let looking = f.another_session().await;
    let lock = "SELECT pg_advisory_lock_shared(1919907695, 2)";
    looking.query("looking on", lock, &[]).await.unwrap();
    let schema = format!("staging_{}", uuid::Uuid::new_v4().simple());
    f.run(&format!(
        "CREATE SCHEMA {schema}; COMMENT ON SCHEMA {schema} IS 'rovodev dry run of a restore'"
    ))
    .await;
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.own_schemas("staging_").await, [schema]);
    drop(looking);
    crate::support::wait_for(
        f.session.client(),
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        0,
    )
    .await;
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}
