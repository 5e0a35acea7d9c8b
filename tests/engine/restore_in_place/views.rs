//! Materialized views whose readers wait for the refresh are named in the plan.

use super::fixture::Fixture;
use rovodev::core::restore_plan::Mode;

const TABLES: &str =
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10);
    CREATE TABLE other (id int PRIMARY KEY);
    CREATE MATERIALIZED VIEW waits AS SELECT count(*) FROM t;
    CREATE VIEW between AS SELECT id FROM t;
    CREATE MATERIALIZED VIEW goes_on AS SELECT id FROM between; CREATE UNIQUE INDEX ON goes_on (id);
    CREATE MATERIALIZED VIEW of_another AS SELECT count(*) FROM other;";

#[tokio::test]
async fn views_whose_readers_wait_are_named() {
    let f = Fixture::new(TABLES).await;
    let backup = f.back_up().await;
    let request = f.request(&backup, Mode::Exact);
    let unchanged = f.prepare(&request).await.unwrap();
    assert_eq!(unchanged.plan().locks.len(), 1);
    unchanged.discard().await.unwrap();
    f.run("DELETE FROM t WHERE id < 4; REFRESH MATERIALIZED VIEW waits")
        .await;
    let prepared = f.prepare(&request).await.unwrap();
    let locks = &prepared.plan().locks[1..];
    assert_eq!(locks.len(), 1, "{locks:#?}");
    assert!(
        locks[0].contains("public.waits") && locks[0].contains("its readers wait"),
        "{locks:?}"
    );
    Box::pin(prepared.apply(&Default::default())).await.unwrap();
    let count: i64 = f.value("SELECT count FROM waits").await;
    assert_eq!(count, 10);
    f.drop().await;
}
