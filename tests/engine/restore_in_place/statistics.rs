//! Statistics that mislead the planner: its plans over them would take the square of the rows.

use super::fixture::Fixture;
use rovodev::core::restore_plan::Mode;
use rovodev::tasks::Context;
use rovodev::tasks::restore::in_place;

const EXPECTED: &str = "SELECT array(SELECT reltuples::bigint FROM pg_class WHERE relname IN ('c1', 'few', 'p') ORDER BY relname)";

/// Tables that were analyzed with one row and filled since, partitions too; one that has not grown is left alone.
#[tokio::test]
async fn of_tables_that_have_grown_are_gathered_anew() {
    let f = Fixture::new(
        "CREATE TABLE p (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = off); INSERT INTO p VALUES (0, ''); \
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE) PARTITION BY RANGE (id); \
         CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (100000) WITH (autovacuum_enabled = off); \
         INSERT INTO c VALUES (0, 0); \
         CREATE TABLE few (id int PRIMARY KEY, p int REFERENCES p) WITH (autovacuum_enabled = off); INSERT INTO few VALUES (0, 0); \
         ANALYZE p, c1, few",
    )
    .await;
    let backup = f.back_up().await;
    f.run(
        "INSERT INTO p SELECT i, repeat('x', 100) FROM generate_series(1, 9000) i; \
         INSERT INTO c SELECT i, i FROM generate_series(1, 9000) i; INSERT INTO few VALUES (1, 1)",
    )
    .await;
    assert_eq!(f.value::<Vec<i64>>(EXPECTED).await, [1, 1, 1]);
    let request = f.request(&backup, Mode::Exact);
    let ctx = Context::default();
    let plan = Box::pin(in_place::plan(&ctx, &f.store.store, &request)).await;
    assert_eq!(plan.unwrap().broken_references, []);
    assert_eq!(f.value::<Vec<i64>>(EXPECTED).await, [9001, 1, 9001]);
    f.drop().await;
}
