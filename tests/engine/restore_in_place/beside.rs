//! One tenant's restore beside the writers of all of them.

use super::fixture::{Fixture, scope};
use crate::support::wait_for;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::ports::postgres::Session;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const TABLES: &str = "CREATE TABLE calls (id int PRIMARY KEY, org int NOT NULL, n int NOT NULL, note text); \
    INSERT INTO calls SELECT i, i % 2 + 1, 100, 'as it was' FROM generate_series(1, 400) i; \
    CREATE TABLE events (id int PRIMARY KEY, call int NOT NULL REFERENCES calls, note text); \
    INSERT INTO events SELECT i, i, 'as it was' FROM generate_series(1, 400) i;";
/// A statement that waits for anybody else fails.
const IMPATIENT: &str = "SET lock_timeout = '200ms'";

fn of(org: i32) -> String {
    format!(
        "SELECT array(SELECT c::text || coalesce(e::text, '') FROM calls c LEFT JOIN events e ON e.call = c.id \
         WHERE c.org = {org} ORDER BY c.id, e.id)"
    )
}

/// A session waits for a lock.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

/// A transaction of this tenant holds a row that the restore must change: the restore waits for it, and nobody else for
/// the restore. What the tenant writes meanwhile is undone like the rest.
#[tokio::test]
async fn other_tenants_write_on_while_a_row_is_waited_for() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let as_backed_up: Vec<String> = f.value(&of(1)).await;
    f.run("DELETE FROM events WHERE call % 4 = 0; UPDATE calls SET note = 'broken'")
        .await;
    let mut request = f.request(&backup, Mode::Exact);
    request.choice.selection = scope("org", "1");
    let (own, other) = (f.another_session().await, f.another_session().await);
    other.batch("setting", IMPATIENT).await.unwrap();
    let held = "BEGIN; UPDATE calls SET note = 'mine' WHERE id = 2";
    own.batch("writing", held).await.unwrap();
    let beside = async {
        wait_for(f.session.client(), WAITS, 1).await;
        let writes = "UPDATE calls SET note = 'theirs' WHERE org = 2; DELETE FROM events WHERE call = 1; \
             INSERT INTO calls VALUES (1001, 2, 1, 'new'); INSERT INTO events VALUES (1001, 1001, 'new')";
        other
            .batch("writing as another tenant", writes)
            .await
            .unwrap();
        let theirs: Vec<String> = f.value(&of(2)).await;
        let more = "INSERT INTO calls VALUES (1000, 1, 1, 'new'); INSERT INTO events VALUES (1000, 1000, 'new'); \
             UPDATE calls SET note = 'mine too' WHERE id = 4; DELETE FROM events WHERE call = 6; COMMIT";
        own.batch("writing as this tenant", more).await.unwrap();
        theirs
    };
    let (done, theirs) = tokio::join!(f.apply(&request), beside);
    assert!(done.unwrap().rows_removed >= 2);
    assert_eq!(f.value::<Vec<String>>(&of(1)).await, as_backed_up);
    assert_eq!(f.value::<Vec<String>>(&of(2)).await, theirs);
    f.drop().await;
}

/// Each write moves something from one row to another: in the end nothing came or went, in whatever order it fell.
#[tokio::test]
async fn busy_tenants_lose_and_gain_nothing() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let sum = "SELECT array(SELECT sum(n) FROM calls GROUP BY org ORDER BY org)";
    let before: Vec<i64> = f.value(sum).await;
    let mut request = f.request(&backup, Mode::Exact);
    request.choice.selection = scope("org", "1");
    let (over, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let (first, second) = (f.another_session().await, f.another_session().await);
    second.batch("setting", IMPATIENT).await.unwrap();
    let write = async |session: &Session, org: u64, may_fail: bool| {
        let mut turn = 0;
        while !over.load(Ordering::SeqCst) {
            turn += 1;
            let (a, b) = (
                (turn * 7) % 200 * 2 + 3 - org,
                (turn * 13 + 5) % 200 * 2 + 3 - org,
            );
            if a == b {
                continue;
            }
            let sql = format!(
                "UPDATE calls SET n = n + CASE id WHEN {a} THEN -1 ELSE 1 END WHERE id IN ({a}, {b}) AND org = {org}"
            );
            match session.batch("moving", &sql).await {
                Ok(()) => drop(written.fetch_add(1, Ordering::SeqCst)),
                // The server chose us of two that waited for each other.
                Err(e) => assert!(may_fail, "a writer of another tenant was held up: {e}"),
            }
        }
    };
    let restores = async {
        let mut done = 0;
        for _ in 0..5 {
            let already = written.load(Ordering::SeqCst);
            while written.load(Ordering::SeqCst) < already + 50 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            done += f.apply(&request).await.unwrap().rows_changed;
        }
        over.store(true, Ordering::SeqCst);
        done
    };
    let (_, _, changed) = tokio::join!(write(&first, 1, true), write(&second, 2, false), restores);
    assert!(changed > 0, "no restore found anything to do");
    assert_eq!(f.value::<Vec<i64>>(sum).await, before);
    f.drop().await;
}

/// Parents that come with their children are no rows without parents, whatever moment a table was compared at.
#[tokio::test]
async fn families_that_come_meanwhile_break_no_plan() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let request = f.request(&backup, Mode::Exact);
    let writer = f.another_session().await;
    let over = AtomicBool::new(false);
    let write = async {
        let mut id = 1000;
        while !over.load(Ordering::SeqCst) {
            id += 1;
            let family = format!(
                "BEGIN; INSERT INTO calls VALUES ({id}, 1, 1, 'new'); INSERT INTO events VALUES ({id}, {id}, 'new'); COMMIT"
            );
            writer.batch("adding a family", &family).await.unwrap();
            // Some hundreds a second are many.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    let plans = async {
        for _ in 0..8 {
            let prepared = f.prepare(&request).await.unwrap();
            let broken = prepared.plan().broken_references.clone();
            prepared.discard().await.unwrap();
            assert_eq!(broken, []);
        }
        let done = f.apply(&request).await.unwrap();
        over.store(true, Ordering::SeqCst);
        done
    };
    let (_, done) = tokio::join!(write, plans);
    assert!(done.rows_removed > 0);
    f.drop().await;
}

#[tokio::test]
async fn an_undo_of_a_tenants_restore_holds_rows_alone_too() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run("UPDATE calls SET note = 'broken'; DELETE FROM events WHERE call = 2")
        .await;
    let broken: Vec<String> = f.value(&of(1)).await;
    let mut request = f.request(&backup, Mode::Exact);
    request.choice.selection = scope("org", "1");
    let restored = f.apply(&request).await.unwrap().operation;
    let (own, other) = (f.another_session().await, f.another_session().await);
    other.batch("setting", IMPATIENT).await.unwrap();
    let held = "BEGIN; SELECT FROM calls WHERE id = 4 FOR UPDATE";
    own.batch("holding", held).await.unwrap();
    let beside = async {
        wait_for(f.session.client(), WAITS, 1).await;
        let writes = "UPDATE calls SET note = 'theirs' WHERE org = 2; INSERT INTO calls VALUES (1001, 2, 1, 'new')";
        other
            .batch("writing as another tenant", writes)
            .await
            .unwrap();
        let theirs: Vec<String> = f.value(&of(2)).await;
        own.batch("letting go", "COMMIT").await.unwrap();
        theirs
    };
    let (undone, theirs) = tokio::join!(f.undo(restored), beside);
    let undone = undone.unwrap().operation;
    assert_eq!(f.value::<Vec<String>>(&of(1)).await, broken);
    assert_eq!(f.value::<Vec<String>>(&of(2)).await, theirs);
    f.undo(undone).await.unwrap();
    assert_eq!(f.value::<Vec<String>>(&of(2)).await, theirs);
    f.drop().await;
}

/// Switching a trigger off takes a lock on its table.
#[tokio::test]
async fn a_trigger_that_always_fires_is_refused_beforehand() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run(
        "UPDATE calls SET note = 'broken'; CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER loud BEFORE UPDATE ON calls FOR EACH ROW EXECUTE FUNCTION quiet(); \
         ALTER TABLE calls ENABLE ALWAYS TRIGGER loud",
    )
    .await;
    let mut request = f.request(&backup, Mode::Exact);
    f.prepare(&request).await.unwrap().discard().await.unwrap();
    request.choice.selection = scope("org", "1");
    let refused = f.prepare(&request).await.err().unwrap();
    assert_eq!(refused.code, Code::TriggersFire, "{refused}");
    assert!(refused.message.contains("loud"), "{refused}");
    f.drop().await;
}
