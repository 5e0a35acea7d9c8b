//! One very large row, all the ways it can go, by the real program; and what memory that takes.
//! `ROVODEV_TEST_LARGE_ROW=200000000` for the size that is promised.

use super::{Shell, url};
use crate::pg_dump::Database;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// Runs it to its end, and answers with the most memory that it held. Its own view of that only grows.
fn peak(mut command: Command) -> u64 {
    let shown = format!("{command:?}");
    let mut told = tempfile::tempfile().unwrap();
    command.stdout(Stdio::null());
    command.stderr(told.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&file).unwrap_or_default();
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        if let Some(kib) = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
            peak = peak.max(kib * 1024);
        }
        if let Some(ended) = child.try_wait().unwrap() {
            let mut text = String::new();
            told.rewind().unwrap();
            told.read_to_string(&mut text).unwrap();
            assert!(ended.success(), "{shown}: {ended}: {text}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

async fn sum(database: &Database) -> String {
    let sql =
        "SELECT string_agg(id || ' ' || length(t) || ' ' || md5(t), ',' ORDER BY id) FROM huge";
    let session = database.session().await;
    session.query_one("reading", sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_large_row_goes_every_way() {
    let size = std::env::var("ROVODEV_TEST_LARGE_ROW").map_or(24_000_000, |n| n.parse().unwrap());
    let database = Database::create("large").await;
    let fill = format!(
        "CREATE TABLE huge (id int PRIMARY KEY, t text); INSERT INTO huge VALUES (2, 'small'), \
         (1, repeat((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 31250) i), {}))",
        size / 1_000_000
    );
    database
        .session()
        .await
        .batch("filling", &fill)
        .await
        .unwrap();
    let old = sum(&database).await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let measured = |arguments: &[&str]| {
        let used = peak(shell.rovodev(arguments));
        println!("{}: {} MiB", arguments[..2].join(" "), used / MIB);
        assert!(
            used > 0 && used <= 150 * MIB + 4 * size,
            "{arguments:?}: {} MiB",
            used / MIB
        );
    };
    measured(&["backup", "--name", "one"]);

    let change = "UPDATE huge SET t = reverse(t) WHERE id = 1";
    database
        .session()
        .await
        .batch("changing", change)
        .await
        .unwrap();
    let new = sum(&database).await;
    measured(&["restore", "--input", "one", "--force"]);
    assert_eq!(sum(&database).await, old, "in place");
    measured(&["restore", "--undo", "latest", "--force"]);
    assert_eq!(sum(&database).await, new, "undone");
    let gone = "DELETE FROM huge WHERE id = 1";
    database
        .session()
        .await
        .batch("deleting", gone)
        .await
        .unwrap();
    measured(&["restore", "--input", "one", "--force"]);
    assert_eq!(sum(&database).await, old, "added in place");

    let other = Database::create("large").await;
    measured(&["restore", "--input", "one", "--target-url", &url(&other)]);
    assert_eq!(sum(&other).await, old, "into an empty database");

    let loaded = Database::create("large").await;
    measured(&["download", "one", "-o", "one.sql.zst"]);
    let script = "zstd -dc one.sql.zst | psql -Xq -d \"$1\" > /dev/null";
    crate::store::psql::shell(shell.folder.path(), script, &[&url(&loaded)]);
    assert_eq!(sum(&loaded).await, old, "by psql");
    for each in [database, other, loaded] {
        each.drop().await;
    }
}
