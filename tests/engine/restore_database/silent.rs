//! A database that falls silent while rows are written into it.

use super::support::{Source, one, request};
use crate::backup::proxy::{Answer, address, start, through};
use crate::pg_dump::Database;
use crate::support::assert_told;
use rovodev::error::Code;
use rovodev::ports::postgres::{DatabaseUrl, unfinished};
use std::time::{Duration, Instant};

/// Neither end closes, and keepalive is answered. What the silent sessions hold is held until the pooler lets go.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_falls_silent_is_given_up() {
    let rows = "CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 300000) i; ALTER TABLE t ADD PRIMARY KEY (i)";
    let source = Source::new(rows).await;
    let backup = source.back_up().await;
    let target = Database::create("restoredb_silent").await;
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let direct = crate::support::changed(&server, |u| u.set_path(target.url.database()));
    let to = address(&direct);
    let freezes = move |_| Answer::Freeze {
        to,
        after: 1 << 20,
        of_client: true,
    };
    let pooler = tokio::runtime::Runtime::new().unwrap();
    let at = pooler.spawn(start(freezes)).await.unwrap();
    let url = through(&direct, at) + "?silence_timeout=2";
    let begun = Instant::now();
    let wanted = request(&backup, &DatabaseUrl::parse(&url).unwrap());
    let error = source.restore(&wanted).await.unwrap_err();
    let took = begun.elapsed();
    println!("{took:?}: {error} | {:?}", error.hint);
    let told = [
        "writing rows",
        "no word from the database for 2 s",
        "silence_timeout",
    ];
    assert_told(&error, Code::ConnectionLost, &told);
    assert!(took < Duration::from_secs(60), "{took:?}");

    // What the silent sessions held is free again.
    pooler.shutdown_background();
    let session = target.session().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
                  AND backend_type = 'client backend'";
    while one::<i64>(&session, others).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "sessions stay");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Nothing passes for a restored database: it is empty again, or marked, and every door says so.
    let marked = unfinished::restores(&session).await.unwrap();
    let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let mut wanted = request(&backup, &target.url);
    match marked.len() {
        0 => assert_eq!(one::<i64>(&session, tables).await, 0),
        _ => {
            let half = source.back_up_other(&target.url).await.unwrap_err();
            assert_told(&half, Code::RestoreUnfinished, &[&backup.name]);
            wanted.force = true;
        }
    }
    let outcome = source.restore(&wanted).await.unwrap();
    assert_eq!(outcome.rows_added, 300_000);
    let sum = "SELECT count(*) FROM t WHERE v = md5(i::text)";
    assert_eq!(one::<i64>(&session, sum).await, 300_000);
    assert!(unfinished::restores(&session).await.unwrap().is_empty());
    drop(session);
    target.drop().await;
    source.database.drop().await;
}
