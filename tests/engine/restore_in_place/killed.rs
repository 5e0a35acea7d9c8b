//! A restore whose process is killed in the midst of its work: live data is old or new, what was done is known, and
//! the next restore goes on or clears up. The child is this test program, started again.

use super::commit_proxy::{CommitProxy, Cut};
use super::faults::{broken, gone};
use super::fixture::Fixture;
use crate::support::{PATIENCE, TENANT, directory};
use rovodev::core::manifest::Manifest;
use rovodev::core::merge::names;
use rovodev::core::restore_plan::Mode;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
use rovodev::tasks::restore::{RestoreRequest, in_place};
use rovodev::tasks::{Context, backups};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use uuid::Uuid;

const URL: &str = "ROVODEV_TEST_CHILD_URL";
const FOLDER: &str = "ROVODEV_TEST_CHILD_FOLDER";
const BACKUP: &str = "ROVODEV_TEST_CHILD_BACKUP";
const UNDO: &str = "ROVODEV_TEST_CHILD_UNDO";
/// The number of the first call to the store that hangs.
const HANGS: &str = "ROVODEV_TEST_CHILD_HANGS";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests of this file"]
async fn child_process() {
    let given = |name: &str| std::env::var(name).unwrap();
    let target = DatabaseUrl::parse(&given(URL)).unwrap();
    let ctx = Context::default();
    if let Ok(operation) = std::env::var(UNDO) {
        let operation = Uuid::parse_str(&operation).unwrap();
        in_place::undo(&ctx, &target, in_place::UndoRequest::of(operation))
            .await
            .unwrap();
        return;
    }
    let mut store = directory(given(FOLDER).as_ref());
    let id = Uuid::parse_str(&given(BACKUP)).unwrap();
    let backup = backups::read(&store, TENANT, id).await.unwrap();
    if let Ok(from) = std::env::var(HANGS) {
        let hangs = Fault::Stall(Duration::from_secs(600));
        let rule = Rule::new(When::From(from.parse().unwrap()), hangs).on(Op::Get, "segments/");
        store = Store::Unreliable(Unreliable::new(store, vec![rule]));
    }
    let request = RestoreRequest {
        operation: None,
        backup,
        target,
        source: None,
        mode: Mode::Exact,
        choice: Default::default(),
        force: false,
        leave_out_orphans: false,
        writers: 1,
        room: None,
        undo_days: 7,
    };
    let prepared = in_place::prepare(&ctx, &store, &request, None)
        .await
        .unwrap();
    Box::pin(prepared.apply(&ctx)).await.unwrap();
}

fn start(url: &str, f: &Fixture, backup: &Manifest, more: &[(&str, String)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "restore_in_place::killed::child_process",
            "--ignored",
        ])
        .env(URL, url)
        .env(FOLDER, f.folder.path())
        .env(BACKUP, backup.id.to_string())
        .envs(more.iter().map(|(n, v)| (*n, v)))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

fn url(f: &Fixture) -> String {
    let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
    crate::support::changed(&server, |u| u.set_path(f.url.database()))
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts children until one could be killed while the query gave true: a lock that it waits for may time out.
pub async fn kill_when(f: &Fixture, start: impl Fn() -> Child, sql: &str) {
    let deadline = Instant::now() + PATIENCE * 2;
    let mut child = start();
    while Instant::now() < deadline {
        if f.value::<bool>(sql).await {
            kill(child);
            gone(f).await;
            return;
        }
        if child.try_wait().unwrap().is_some() {
            child = start();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    kill(child);
    panic!("never: {sql}");
}

pub async fn staged(f: &Fixture) -> (String, Uuid) {
    let schema = f.own_schemas("staging_").await.remove(0);
    let operation = names::operation_of(&schema, "staging_").unwrap();
    (schema, operation)
}

pub const WAITS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'rovodev' AND wait_event_type = 'Lock' AND query LIKE 'UPDATE%')";

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_stages() {
    let (f, backup, old, new) = broken().await;
    // One table is staged and noted, the next one hangs.
    let run = || start(&url(&f), &f, &backup, &[(HANGS, "2".into())]);
    let some = "SELECT EXISTS (SELECT FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid \
        WHERE s.relname = 'chunks' AND s.schemaname LIKE 'staging_%' AND pg_relation_size(c.oid) > 0)";
    kill_when(&f, run, some).await;
    let (_, operation) = staged(&f).await;
    assert_eq!(f.contents().await, new);
    assert!(!in_place::was_done(&f.url, operation).await.unwrap());
    let done = f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(
        done.operation, operation,
        "it goes on where that one stopped"
    );
    assert_eq!(f.contents().await, old);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_merges() {
    let (f, backup, old, new) = broken().await;
    let holder = f.another_session().await;
    let hold = "BEGIN; SELECT FROM p WHERE id = 5 FOR UPDATE";
    holder.batch("holding a row", hold).await.unwrap();
    kill_when(&f, || start(&url(&f), &f, &backup, &[]), WAITS).await;
    holder.batch("letting go", "ROLLBACK").await.unwrap();
    let (schema, operation) = staged(&f).await;
    assert_eq!(f.contents().await, new);
    assert!(!in_place::was_done(&f.url, operation).await.unwrap());
    assert_eq!(f.own_schemas("undo_").await, Vec::<String>::new());
    // Another restore than that one: what it left is of no use, and dropped.
    let mut other = f.request(&backup, Mode::Exact);
    other.choice.selection.tables = vec![crate::support::public("c")];
    let prepared = f.prepare(&other).await.unwrap();
    assert!(!f.own_schemas("staging_").await.contains(&schema));
    prepared.discard().await.unwrap();
    f.restore(&backup, Mode::Exact).await.unwrap();
    assert_eq!(f.contents().await, old);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_commits() {
    for cut in [Cut::Before, Cut::After] {
        let (f, backup, old, new) = broken().await;
        let proxy = CommitProxy::start(&f, cut, 1, true).await;
        let child = start(&proxy.address, &f, &backup, &[]);
        tokio::time::timeout(PATIENCE, proxy.reached())
            .await
            .unwrap();
        kill(child);
        proxy.let_go();
        gone(&f).await;
        let (_, operation) = staged(&f).await;
        let was_done = in_place::was_done(&f.url, operation).await.unwrap();
        assert_eq!(was_done, cut == Cut::After);
        let mut now = f.contents().await;
        if was_done {
            // What the dead one could not do any more is done by who finds its commit.
            let warnings = in_place::refresh_after(&f.url, operation).await.unwrap();
            assert_eq!(warnings, []);
            now = f.contents().await;
        }
        assert_eq!(now, if was_done { old.clone() } else { new }, "{cut:?}");
        f.restore(&backup, Mode::Exact).await.unwrap();
        assert_eq!(f.contents().await, old);
        assert_eq!(
            in_place::operations(&f.url).await.unwrap().len(),
            1,
            "{cut:?}"
        );
        assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
        f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_undoes() {
    let (f, backup, old, new) = broken().await;
    let done = f.restore(&backup, Mode::Exact).await.unwrap().operation;
    let holder = f.another_session().await;
    let hold = "BEGIN; SELECT FROM p WHERE id = 5 FOR UPDATE";
    holder.batch("holding a row", hold).await.unwrap();
    let run = || start(&url(&f), &f, &backup, &[(UNDO, done.to_string())]);
    kill_when(&f, run, WAITS).await;
    holder.batch("letting go", "ROLLBACK").await.unwrap();
    let (_, undo) = staged(&f).await;
    assert_eq!(f.contents().await, old);
    assert!(!in_place::was_done(&f.url, undo).await.unwrap());
    f.undo(done).await.unwrap();
    assert_eq!(f.contents().await, new);
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
    f.drop().await;
}
