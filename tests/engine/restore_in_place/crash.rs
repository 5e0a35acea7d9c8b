//! A server that crashes between staging and merge: unlogged tables are empty when it is back.

use super::fixture::Fixture;
use local::home::Home;
use local::stack::throw_away_postgres;
use rovodev::core::restore_plan::Mode;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::restore::in_place;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_rows_are_staged_again_and_merged() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let mut server = throw_away_postgres(&home, &folder, None).await.unwrap();
    let name = server.create_database().await.unwrap();
    let url = DatabaseUrl::parse(&server.owner_url(&name)).unwrap();
    let mut f = Fixture::at(
        url.clone(),
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5000) i; \
         CREATE TABLE log (line text); INSERT INTO log VALUES ('a'), ('a');",
    )
    .await;
    let before = f.contents().await;
    let backup = f.back_up().await;
    f.run("DELETE FROM t WHERE id % 2 = 0; UPDATE t SET v = 'x' WHERE id < 100; INSERT INTO log VALUES ('b')").await;
    let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    let operation = prepared.plan().operation;
    server.stop_immediate();
    server.restart().await.unwrap();
    let direct = f.another_session().await;
    let schema = format!("staging_{}", operation.simple());
    let sql = format!(
        "SELECT (SELECT count(*) FROM {schema}.t1) + (SELECT count(*) FROM {schema}.found)"
    );
    let left: i64 = direct
        .query_one("counting", &sql, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0, "the crash emptied what was staged");
    drop(direct);
    let done = prepared.apply(&Context::default()).await.unwrap();
    assert_eq!(
        (done.operation, done.rows_added, done.rows_removed),
        (operation, 2500, 1)
    );
    f.session = f.another_session().await;
    assert_eq!(f.contents().await, before);
    assert!(in_place::was_done(&url, operation).await.unwrap());
    f.drop().await;
}
