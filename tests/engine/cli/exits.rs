//! Every exit code, and one JSON object in each case.

use super::{Said, Shell, app, url};
use std::process::Stdio;

#[tokio::test]
async fn every_exit_code() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let codes: Vec<(i32, &[&str], Option<&str>)> = vec![
        (0, &["backup", "--name", "one"], None),
        (2, &["backup", "--bogus"], Some("usage")),
        (2, &["restore"], Some("usage")),
        (2, &["backup", "--table", "nope"], Some("nothing_selected")),
        (4, &["show", "nope"], Some("backup_not_found")),
        (
            4,
            &["restore", "--undo", "latest"],
            Some("operation_not_found"),
        ),
        (
            5,
            &["restore", "--input", "one"],
            Some("confirmation_needed"),
        ),
        (5, &["delete", "one"], Some("confirmation_needed")),
        (6, &["check", "--store", "./nowhere"], Some("store_missing")),
        (
            6,
            &["backup", "--database-url", "postgres://a:b@127.0.0.1:1/x"],
            Some("database_unreachable"),
        ),
        (
            6,
            &[
                "backup",
                "--database-url",
                "postgres://a:b@127.0.0.1:6543/x",
            ],
            Some("pooler_transaction_mode"),
        ),
    ];
    for (expected, arguments, error) in codes {
        let (code, value) = shell.json(arguments);
        assert_eq!(code, expected, "{arguments:?}: {value}");
        assert_eq!(
            value["error"]["code"].as_str(),
            error,
            "{arguments:?}: {value}"
        );
        if expected != 0 {
            assert_ne!(value["error"]["message"].as_str(), None, "{value}");
            let said = shell.run(arguments);
            assert_eq!(
                (said.code, said.out.as_str()),
                (expected, ""),
                "{arguments:?}"
            );
        }
    }
    database.drop().await;
}

#[tokio::test]
async fn warnings_are_an_exit_code_of_their_own() {
    let database = app().await;
    let shell = Shell::new()
        .with("DATABASE_URL", url(&database))
        .with("PG_DUMP", "/no/pg_dump");
    let (code, value) = shell.json(&["backup"]);
    assert_eq!(
        (code, value["schema"]["status"].as_str()),
        (3, Some("missing")),
        "{value}"
    );
    database.drop().await;
}

#[tokio::test]
async fn damage_fails_a_check() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    assert_eq!(shell.run(&["backup"]).code, 0);
    assert_eq!(shell.run(&["check"]).code, 0);
    let script = "find backups/segments -type f | head -n 1 | xargs -I{} sh -c 'chmod u+w {}; printf x > {}'";
    assert!(
        shell
            .command("sh")
            .args(["-c", script])
            .status()
            .unwrap()
            .success()
    );
    let (code, value) = shell.json(&["check"]);
    assert_eq!(
        (code, value["problems"][0]["code"].as_str()),
        (1, Some("object_damaged")),
        "{value}"
    );
    database.drop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_backup_stops_cleanly() {
    use rustix::process::{Pid, Signal, kill_process};
    let database = app().await;
    let locker = database.session().await;
    locker
        .batch(
            "locking",
            "BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE",
        )
        .await
        .unwrap();
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let mut command = shell.rovodev(&["backup", "--json"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = \
                 (SELECT oid FROM pg_database WHERE datname = current_database())";
    let begun = std::time::Instant::now();
    while locker
        .query_one("looking", waits, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        assert!(
            begun.elapsed().as_secs() < 60,
            "the backup never waited for the lock"
        );
        tokio::task::yield_now().await;
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, 130, "{said:?}");
    assert!(
        said.out.contains("\"cancelled\"") && said.err.contains("Ctrl-C again"),
        "{said:?}"
    );
    locker.batch("ending", "ROLLBACK").await.unwrap();
    drop(locker);
    let (_, list) = shell.json(&["list"]);
    assert_eq!(
        list["total"], 0,
        "an interrupted backup leaves none: {list}"
    );
    database.drop().await;
}

#[tokio::test]
async fn events_come_before_the_one_result() {
    let database = app().await;
    let shell = Shell::new().with("DATABASE_URL", url(&database));
    let said = shell.run(&["backup", "--json", "--progress"]);
    let lines: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let (last, events) = lines.split_last().unwrap();
    assert!(!events.is_empty() && events.iter().all(|e| e["event"]["stage"].is_string()));
    assert_eq!(last["totals"]["rows"], 1247, "{last}");
    database.drop().await;
}
