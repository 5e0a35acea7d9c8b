//! Many tables of which few changed: writers wait for the few.

use super::fixture::Fixture;
use local::home::Home;
use local::stack::throw_away_postgres;
use rovodev::core::restore_plan::Mode;
use rovodev::ports::postgres::DatabaseUrl;

const TABLES: i64 = 400;
const MAKE: &str = "DO $$ BEGIN FOR i IN 1..400 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v int); INSERT INTO t%s SELECT i, 1 FROM generate_series(1, 5) i', i, i);
    IF i % 50 = 0 THEN COMMIT; END IF; END LOOP; END $$";

/// Statements of ours from the first line that holds `from` to the next that holds `to`.
fn between<'a>(log: &'a [String], from: &str, to: &str) -> &'a [String] {
    let first = log.iter().position(|l| l.contains(from)).unwrap();
    let last = log[first..].iter().position(|l| l.contains(to)).unwrap();
    &log[first..first + last]
}

#[tokio::test]
async fn tables_in_which_nothing_changed_cost_no_round_trip_under_the_lock() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let server = throw_away_postgres(&home, &folder, None).await.unwrap();
    let name = server.create_database().await.unwrap();
    let f = Fixture::at(DatabaseUrl::parse(&server.url(&name)).unwrap(), MAKE).await;
    let backup = f.back_up().await;
    let old = f.contents().await;
    let broken = "DELETE FROM t7 WHERE id = 1; UPDATE t8 SET v = 2; INSERT INTO t9 VALUES (99, 1); TRUNCATE t10";
    f.run(broken).await;
    let log = folder.path().join("postgres/log");
    f.run(&format!("ALTER DATABASE {name} SET log_statement = 'all'"))
        .await;
    let prepared = f.prepare(&f.request(&backup, Mode::Exact)).await.unwrap();
    // What is written after the comparison is seen under the lock.
    f.run("UPDATE t11 SET v = 3 WHERE id = 2; DELETE FROM t12; UPDATE t7 SET v = 4 WHERE id = 2")
        .await;
    let outcome = Box::pin(prepared.apply(&Default::default())).await.unwrap();
    assert_eq!(f.contents().await, old);
    let changed: Vec<_> = outcome
        .changes
        .iter()
        .map(|c| c.table.name.as_str())
        .collect();
    assert_eq!(changed, ["t10", "t11", "t12", "t7", "t8", "t9"]);

    let log = std::fs::read_to_string(log).unwrap();
    let statements = log
        .lines()
        .filter(|l| l.contains("LOG:  statement: ") || l.contains("LOG:  execute "));
    let statements: Vec<String> = statements.map(String::from).collect();
    let locked = between(
        &statements,
        "IN SHARE ROW EXCLUSIVE MODE",
        "statement: COMMIT",
    )
    .len() as i64;
    let compared = between(
        &statements,
        "CREATE UNIQUE INDEX IF NOT EXISTS t",
        "IN SHARE ROW EXCLUSIVE MODE",
    )
    .len() as i64;
    println!("{locked} statements under the lock, {compared} to compare");
    assert!(
        (10..120).contains(&locked),
        "{locked} statements while writers of {TABLES} tables wait"
    );
    assert!(
        compared < TABLES,
        "{compared} statements to compare {TABLES} tables"
    );
    f.drop().await;
}
