//! What needs a server of its own: thousands of tables, a small lock table, a crash, a second cluster.

use super::proxy::{Answer, address, start, through};
use crate::support::{Source, assert_told, changed, wait_for};
use local::home::Home;
use local::postgres::Postgres;
use rovodev::core::manifest::SchemaStatus;
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::Context;
use std::path::Path;
use std::time::{Duration, Instant};

const TABLES: i64 = 5000;
/// Each in a transaction of its own, or making them would fill the lock table.
const MAKE: &str = "DO $$ BEGIN FOR i IN 1..5000 LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v int); INSERT INTO t%s VALUES (%s, 1)', i, i, i);
    IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END $$";

#[tokio::test]
async fn a_server_of_our_own() {
    let home = Home::open().unwrap();
    let folder = home.throw_away().unwrap();
    let mut server = local::stack::throw_away_postgres(&home, &folder, None)
        .await
        .unwrap();
    let source = Source::on(&server.url("postgres"), &server.owner_url("postgres"), MAKE).await;
    many_tables(&source, &folder.path().join("postgres/log")).await;
    two_servers(&source, &server).await;
    crash(&source, &mut server).await;
    small_lock_table(&source, &mut server).await;
}

async fn many_tables(source: &Source, log: &Path) {
    let before = std::fs::read_to_string(log).unwrap();
    let name = source.database().database().to_string();
    let admin = source.admin().await;
    admin
        .batch_execute(&format!("ALTER DATABASE {name} SET log_statement = 'all'"))
        .await
        .unwrap();
    let begun = Instant::now();
    let manifest = source.back_up(|_| {}).await.unwrap();
    println!("{TABLES} tables: {:?}", begun.elapsed());
    assert_eq!((manifest.totals.tables, manifest.totals.rows), (5000, 5000));
    assert_eq!(
        manifest.schema.status,
        SchemaStatus::Captured,
        "{:?}",
        manifest.schema.reason
    );
    admin
        .batch_execute(&format!("ALTER DATABASE {name} RESET log_statement"))
        .await
        .unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    let log = log.strip_prefix(&before).unwrap();
    let statements = log
        .lines()
        .filter(|l| l.contains("statement: ") || l.contains("execute "));
    let (rows, others): (Vec<&str>, Vec<&str>) =
        statements.partition(|l| l.contains("COPY (SELECT ctid, xmin"));
    assert_eq!(rows.len(), 5000);
    // pg_dump before version 16 locks table by table; that is its own.
    let ours = |l: &&&str| l.contains("LOCK TABLE ONLY") || !l.contains("LOCK TABLE ");
    let others = others.iter().filter(ours).count();
    println!("{others} statements beside these");
    assert!(
        others < 1000,
        "{others} statements beside the rows of {TABLES} tables"
    );
    source.assert_nothing_left(&[&manifest]).await;
}

async fn two_servers(source: &Source, server: &Postgres) {
    let main = std::env::var("ROVODEV_TEST_OWNER_URL").unwrap();
    let password = url::Url::parse(&main)
        .unwrap()
        .password()
        .unwrap()
        .to_string();
    let admin = source.admin().await;
    admin
        .batch_execute(&format!("ALTER ROLE postgres PASSWORD '{password}'"))
        .await
        .unwrap();
    let (first, later) = (address(&main), address(&server.url("postgres")));
    let spread = start(move |n| Answer::Pass {
        to: if n == 0 { first } else { later },
        database: None,
    });
    let url = changed(&through(&main, spread.await), |url| {
        url.set_path("postgres")
    });
    let url = DatabaseUrl::parse(&url).unwrap();
    let error = source
        .back_up(|r| r.database = Some(url))
        .await
        .unwrap_err();
    assert_told(
        &error,
        Code::DatabaseMismatch,
        &["different servers", "direct connection"],
    );
    let own = url::Url::parse(&server.owner_url("postgres"))
        .unwrap()
        .password()
        .unwrap()
        .to_string();
    admin
        .batch_execute(&format!("ALTER ROLE postgres PASSWORD '{own}'"))
        .await
        .unwrap();
}

async fn crash(source: &Source, server: &mut Postgres) {
    let stall =
        Rule::new(When::From(1), Fault::Stall(Duration::from_secs(20))).on(Op::PutNew, "segments/");
    source
        .client()
        .await
        .batch_execute("UPDATE t1 SET v = 2; UPDATE t2 SET v = 2; UPDATE t3 SET v = 2")
        .await
        .unwrap();
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(Unreliable::new(opened.store, vec![stall]));
    let admin = source.admin().await;
    let ctx = Context::default();
    let chosen = ["t1", "t2", "t3"].map(crate::support::public).to_vec();
    let backup = source.back_up_with(&ctx, &opened, |r| {
        r.selection.tables = chosen;
        r.pg_dump = Some("/no/such".into());
    });
    let crashing = async {
        let joined = "SELECT (count(*) >= 2)::int::bigint FROM pg_stat_activity WHERE application_name = 'rovodev'";
        wait_for(&admin, joined, 1).await;
        server.stop_immediate();
    };
    let (done, ()) = tokio::join!(backup, crashing);
    let error = done.unwrap_err();
    assert!(
        matches!(error.code, Code::ConnectionLost | Code::DatabaseUnreachable),
        "{error:?}"
    );
    server.restart().await.unwrap();
    source.assert_nothing_left_but(1).await;
    let again = ["t1", "t2", "t3"].map(crate::support::public).to_vec();
    let manifest = source
        .back_up(|r| r.selection.tables = again)
        .await
        .unwrap();
    source.assert_exact(&manifest).await;
}

async fn small_lock_table(source: &Source, server: &mut Postgres) {
    let admin = source.admin().await;
    admin
        .batch_execute("ALTER SYSTEM SET max_locks_per_transaction = 10")
        .await
        .unwrap();
    drop(admin);
    server.stop();
    server.restart().await.unwrap();
    let error = source.back_up(|_| {}).await.unwrap_err();
    assert_told(
        &error,
        Code::LockTableFull,
        &[
            "5000 tables",
            "max_locks_per_transaction (now 10)",
            "choose fewer tables",
        ],
    );
    source.assert_nothing_left_but(2).await;
    let some: Vec<_> = (1..=500)
        .map(|i| crate::support::public(&format!("t{i}")))
        .collect();
    let manifest = source.back_up(|r| {
        r.selection.tables = some;
        r.pg_dump = Some("/no/such".into());
    });
    assert_eq!(manifest.await.unwrap().totals.rows, 500);
}
