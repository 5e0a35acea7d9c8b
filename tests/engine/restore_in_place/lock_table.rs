//! What passes the check of the lock table passes the merge: on a server of its own with a small one.

use super::fixture::Fixture;
use crate::support::assert_told;
use local::home::Home;
use local::stack::throw_away_postgres;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;

/// Every table has values that lie in its TOAST, an index beside its key, and a sequence.
const MAKE: &str = "DO $$ BEGIN FOR i IN 1..120 LOOP
    EXECUTE format('CREATE TABLE t%s (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text UNIQUE, big text)', i);
    EXECUTE format('ALTER TABLE t%s ALTER big SET STORAGE EXTERNAL', i);
    EXECUTE format('INSERT INTO t%s (v, big) SELECT i, repeat(''x'', 10000) FROM generate_series(1, 3) i', i);
    COMMIT; END LOOP; END $$";
const BREAK: &str = "DO $$ BEGIN FOR i IN 1..120 LOOP
    EXECUTE format('UPDATE t%s SET big = ''y'' || big WHERE id = 1', i);
    EXECUTE format('DELETE FROM t%s WHERE id = 2', i);
    COMMIT; END LOOP; END $$";

#[tokio::test]
async fn what_passes_the_check_passes_the_merge() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let mut server = throw_away_postgres(&home, &folder, None).await.unwrap();
    let name = server.create_database().await.unwrap();
    let mut f = Fixture::at(DatabaseUrl::parse(&server.url(&name)).unwrap(), MAKE).await;
    let backup = f.back_up().await;
    let old = f.contents().await;
    f.run(BREAK).await;
    f.run("ALTER SYSTEM SET max_locks_per_transaction = 10")
        .await;
    server.stop();
    server.restart().await.unwrap();
    f.session = f.another_session().await;
    let mut request = f.request(&backup, Mode::Exact);
    let refused = f.apply(&request).await.unwrap_err();
    let told = [
        "locks on tables and indexes",
        "max_locks_per_transaction (now 10)",
        "choose fewer tables",
    ];
    assert_told(&refused, Code::LockTableFull, &told);
    assert!(f.own_schemas("staging_").await.is_empty());
    // The most that is let in.
    let mut most = 65;
    let outcome = loop {
        most -= 5;
        let names = (1..=most).map(|i| crate::support::public(&format!("t{i}")));
        request.choice.selection.tables = names.collect();
        match f.apply(&request).await {
            Err(refused) => assert_eq!(refused.code, Code::LockTableFull, "{most}: {refused:?}"),
            Ok(outcome) => break outcome,
        }
    };
    println!("{most} tables");
    assert!(most >= 20, "{most}");
    assert_eq!(outcome.rows_changed + outcome.rows_added, 2 * most as u64);
    let now = f.contents().await;
    for i in 1..=most {
        let table = format!("public.t{i}");
        assert_eq!(now[&table], old[&table]);
    }
    f.undo(outcome.operation).await.unwrap();
    f.drop().await;
}
