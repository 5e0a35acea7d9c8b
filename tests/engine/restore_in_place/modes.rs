//! What each mode does, also to rows that change between the comparison and the merge.

use super::fixture::{Contents, Fixture};
use rovodev::core::restore_plan::Mode;
use rovodev::tasks::Context;

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text, created_at timestamptz DEFAULT '2020-01-01'); \
    CREATE TABLE log (line text); \
    INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 2000) i; \
    INSERT INTO log VALUES ('a'), ('a'), ('b'), (NULL), ('c');";

const BREAK: &str = "DELETE FROM t WHERE id <= 10; UPDATE t SET v = 'changed' WHERE id BETWEEN 11 AND 15; \
    INSERT INTO t VALUES (3000, 'newer', '2024-05-05'), (3001, 'newer', '2024-06-06'); \
    DELETE FROM log WHERE line = 'c'; INSERT INTO log VALUES ('a'), ('new');";

async fn of(contents: &Contents, table: &str) -> Vec<String> {
    contents[&format!("public.{table}")].clone()
}

#[tokio::test]
async fn missing_and_keep_newer_leave_what_came_since() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    f.run(BREAK).await;
    let done = f.restore(&backup, Mode::Missing).await.unwrap();
    assert_eq!(
        (done.rows_added, done.rows_changed, done.rows_removed),
        (11, 0, 0)
    );
    assert_eq!(
        f.value::<i64>("SELECT count(*) FROM t WHERE v = 'changed'")
            .await,
        5
    );
    let done = f.restore(&backup, Mode::KeepNewer).await.unwrap();
    assert_eq!(
        (done.rows_added, done.rows_changed, done.rows_removed),
        (0, 5, 0)
    );
    assert_eq!(
        f.value::<i64>("SELECT count(*) FROM t WHERE v = 'newer'")
            .await,
        2
    );
    assert_eq!(
        of(&f.contents().await, "log").await,
        ["()", "(a)", "(a)", "(a)", "(b)", "(c)", "(new)"]
    );
    f.drop().await;
}

#[tokio::test]
async fn exact_says_what_it_removes_and_from_when() {
    let f = Fixture::new(TABLES).await;
    let before = f.contents().await;
    let backup = f.back_up().await;
    f.run(BREAK).await;
    let broken = f.contents().await;
    let ctx = Context::default();
    let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    let plan = prepared
        .plan()
        .tables
        .iter()
        .find(|t| t.table.name == "t")
        .unwrap()
        .clone();
    assert_eq!(
        (plan.rows_in_backup, plan.add, plan.change, plan.remove),
        (2000, 10, 5, 2)
    );
    let between = plan.removed_between.unwrap();
    assert!(
        between.0.to_rfc3339().starts_with("2024-05-05")
            && between.1.to_rfc3339().starts_with("2024-06-06"),
        "{between:?}"
    );
    assert_eq!(f.contents().await, broken, "a plan changes nothing");
    prepared.apply(&ctx).await.unwrap();
    assert_eq!(f.contents().await, before);
    f.drop().await;
}

/// The merge decides by the live rows under its lock, whatever the comparison saw.
#[tokio::test]
async fn rows_that_change_after_the_comparison_are_decided_anew() {
    for (mode, since) in [
        (
            Mode::Exact,
            "INSERT INTO t VALUES (4000, 'since'), (1, 'since')",
        ),
        (
            Mode::Exact,
            "DELETE FROM t WHERE id BETWEEN 100 AND 110; UPDATE t SET v = 'since' WHERE id BETWEEN 12 AND 300; DELETE FROM t WHERE id = 3000",
        ),
        (
            Mode::Exact,
            "TRUNCATE t; TRUNCATE log; INSERT INTO t VALUES (5, 'v5')",
        ),
        (Mode::Exact, "UPDATE t SET id = id + 10000"),
        (
            Mode::Exact,
            "UPDATE t SET v = 'v' || id, created_at = '2020-01-01' WHERE id < 2500",
        ),
        (
            Mode::KeepNewer,
            "DELETE FROM t WHERE id > 50; UPDATE t SET v = 'since'",
        ),
        (
            Mode::Missing,
            "DELETE FROM t WHERE id > 50; INSERT INTO t VALUES (1, 'since')",
        ),
    ] {
        let f = Fixture::new(TABLES).await;
        let before = f.contents().await;
        let backup = f.back_up().await;
        f.run(BREAK).await;
        let prepared = f.prepare(&f.request(&backup, mode)).await.unwrap();
        f.run(since).await;
        prepared.apply(&Context::default()).await.unwrap();
        let after = f.contents().await;
        match mode {
            Mode::Exact => assert_eq!(after, before, "{since}"),
            _ => {
                let again = f.prepare(&f.request(&backup, mode)).await.unwrap();
                assert!(
                    again.plan().is_empty(),
                    "{mode:?} {since}: {:?}",
                    again.plan().tables
                );
                again.discard().await.unwrap();
            }
        }
        f.drop().await;
    }
}

/// A rewrite moves every row to another place, and a long transaction keeps the horizon back.
#[tokio::test]
async fn a_rewritten_table_and_an_old_transaction_are_no_trap() {
    let f = Fixture::new(TABLES).await;
    let before = f.contents().await;
    let backup = f.back_up().await;
    let other = f.another_session().await;
    f.run("CREATE TABLE held (i int)").await;
    other
        .batch(
            "holding a transaction open",
            "BEGIN; INSERT INTO held VALUES (1)",
        )
        .await
        .unwrap();
    f.run(BREAK).await;
    let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    f.run("DELETE FROM t WHERE id % 2 = 0").await;
    f.run("VACUUM FULL t").await;
    prepared.apply(&Context::default()).await.unwrap();
    other.batch("ending it", "ROLLBACK").await.unwrap();
    let mut after = f.contents().await;
    after.remove("public.held");
    assert_eq!(after, before);
    f.drop().await;
}
