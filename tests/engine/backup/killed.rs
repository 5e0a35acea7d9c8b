//! `rovodev backup` killed at its statements, one after another: there is no backup, nothing stays behind in the database,
//! and the next run makes one that is whole.

use crate::cli::Shell;
use crate::restore_in_place::faults::TABLES;
use crate::restore_in_place::fixture::Fixture;
use crate::restore_in_place::kill_proxy::{KillProxy, Point};
use crate::support::{PATIENCE, changed};
use std::process::Stdio;
use std::time::Duration;

/// About as many kills in one run; with `ROVODEV_TEST_EVERY_CALL=1` one at every statement.
const KILLS: usize = 12;

/// Every object that is there, whoever owns it.
const OBJECTS: &str = "SELECT (SELECT count(*) FROM pg_class) + (SELECT count(*) FROM pg_namespace) + (SELECT count(*) FROM pg_proc)
     + (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database =
       (SELECT oid FROM pg_database WHERE datname = current_database()))";

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'";

/// The statements of a whole run, or nothing where it was killed.
async fn run(shell: &Shell, url: &str, point: Point) -> Option<Vec<String>> {
    let proxy = KillProxy::start(url, point).await;
    let mut command = shell.rovodev(&["backup", "--name", "killed"]);
    command.env("DATABASE_URL", &proxy.address);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let ended = proxy.kill_there(&mut child).await;
    ended.map(|_| proxy.seen())
}

/// Until the server has noticed that its clients are dead.
async fn alone(f: &Fixture, sessions: i64) {
    tokio::time::timeout(PATIENCE, async {
        while f.value::<i64>(SESSIONS).await > sessions {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("sessions of the dead go on");
}

fn names(shell: &Shell) -> Vec<String> {
    let (code, listed) = shell.json(&["list"]);
    assert_eq!(code, 0, "{listed}");
    let backups = listed["backups"].as_array().unwrap().iter();
    backups
        .map(|b| b["name"].as_str().unwrap().to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_statements_there_is_no_backup_and_the_next_is_whole() {
    let f = Fixture::new(TABLES).await;
    let sessions = f.value::<i64>(SESSIONS).await;
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    let url = changed(&server, |u| u.set_path(f.url.database()));
    let shell = Shell::new().with("DATABASE_URL", url.clone());
    let all = run(&shell, &url, Point::Never).await.unwrap();
    assert!(all.len() > KILLS, "{all:#?}");
    let (rows, objects) = (f.contents().await, f.value::<i64>(OBJECTS).await);
    assert_eq!(names(&shell), ["killed"]);

    let stride = match std::env::var_os("ROVODEV_TEST_EVERY_CALL") {
        Some(_) => 1,
        None => all.len().div_ceil(KILLS),
    };
    for call in (1..=all.len()).step_by(stride) {
        let ended = run(&shell, &url, Point::Call(call)).await;
        assert_eq!(ended, None, "{call} of {}", all.len());
        alone(&f, sessions).await;
        assert_eq!(f.value::<i64>(OBJECTS).await, objects, "{call}");
        assert_eq!(names(&shell), ["killed"], "{call}");
    }
    let next = shell.run(&["backup", "--name", "next"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(shell.run(&["check"]).code, 0);
    f.run("UPDATE p SET v = 'lost'; DELETE FROM c").await;
    let back = shell.run(&["restore", "--input", "next", "--force"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(f.contents().await, rows);
    f.drop().await;
}
