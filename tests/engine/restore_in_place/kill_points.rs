//! `rovodev restore` killed at its statements, one after another: the whole command, with its safety backup, what it
//! refreshes and what it cleans. Live data is old or new, what was done is told, and the next run and the undo work.
//! The test that goes by numbers kills at every ninth statement, with `ROVODEV_TEST_EVERY_CALL=1` at every one.

use super::faults::{TABLES, gone};
use super::fixture::{Contents, Fixture};
use super::kill_proxy::{KillProxy, Point};
use crate::cli::Shell;
use Point::{After, Before, Call, Never};
use rovodev::tasks::restore::in_place;
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use uuid::Uuid;

/// The steps in their order, and whether the restore was done when its process died there.
const STEPS: [(Point, bool); 15] = [
    (Before("pg_export_snapshot"), false),
    (After("TO STDOUT"), false),
    (Before("CREATE SCHEMA \"staging_"), false),
    (After("FROM STDIN"), false),
    (Before("CREATE UNIQUE INDEX IF NOT EXISTS"), false),
    (Before("CASE WHEN l.ctid IS NULL"), false),
    (Before("IN SHARE ROW EXCLUSIVE MODE"), false),
    (Before("CREATE SCHEMA \"undo_"), false),
    (After("(d.op = '-' OR d.op = '~' AND d.replace)"), false),
    (After("AND NOT d.replace"), false),
    // Its next statement is the commit.
    (After("(id, backup, backup_name, safety, reverses"), false),
    (Before("REFRESH MATERIALIZED VIEW"), true),
    (After("REFRESH MATERIALIZED VIEW"), true),
    (Before("DROP SCHEMA IF EXISTS \"staging_"), true),
    (Never, true),
];

/// Statements between two kills by number.
const STRIDE: usize = 9;

struct Killed {
    f: Fixture,
    shell: Shell,
    url: String,
    old: Contents,
    new: Contents,
}

impl Killed {
    async fn new() -> Self {
        let f = Fixture::new(TABLES).await;
        let old = f.contents().await;
        let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
        let url = crate::support::changed(&server, |u| u.set_path(f.url.database()));
        let shell = Shell::new().with("DATABASE_URL", url.clone());
        let said = shell.run(&["backup", "--name", "one"]);
        assert_eq!(said.code, 0, "{said:?}");
        f.run("DELETE FROM c WHERE id % 3 = 1; UPDATE p SET v = 'changed' WHERE id % 5 = 1; INSERT INTO p VALUES (30001, 'new'); \
               REFRESH MATERIALIZED VIEW m").await;
        let new = f.contents().await;
        Self {
            f,
            shell,
            url,
            old,
            new,
        }
    }

    fn start(&self, address: &str) -> Child {
        let mut command = self
            .shell
            .rovodev(&["restore", "--input", "one", "--mode", "exact", "--force"]);
        command.env("DATABASE_URL", address);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    async fn done(&self) -> BTreeSet<Uuid> {
        let listed = in_place::operations(&self.f.url).await.unwrap();
        listed.iter().map(|o| o.id).collect()
    }

    /// What `rovodev status` says can be undone.
    fn told(&self) -> BTreeSet<Uuid> {
        let (code, status) = self.shell.json(&["status"]);
        assert!(matches!(code, 0 | 3), "{status}");
        let listed = status["undoable"]["ok"].as_array().unwrap();
        let ids = listed.iter().map(|o| o["id"].as_str().unwrap());
        ids.map(|id| Uuid::parse_str(id).unwrap()).collect()
    }

    /// Kills it there; false where it ended before. Everything is as at the beginning afterwards.
    async fn kill_at(&self, point: Point, was_done: Option<bool>) -> Option<Vec<String>> {
        let (before, told) = (self.done().await, self.told());
        assert_eq!(self.f.contents().await, self.new, "{point:?}");
        let proxy = KillProxy::start(&self.url, point).await;
        let mut child = self.start(&proxy.address);
        let ended = proxy.kill_there(&mut child).await;
        gone(&self.f).await;
        let done: Vec<Uuid> = self.done().await.difference(&before).copied().collect();
        let now_told: Vec<Uuid> = self.told().difference(&told).copied().collect();
        assert_eq!(done, now_told, "{point:?}: status tells what was done");
        assert_eq!(
            Some(done.len() == 1),
            was_done.or(Some(done.len() == 1)),
            "{point:?}"
        );
        let (mut now, mut as_it_was) = (self.f.contents().await, self.new.clone());
        if !done.is_empty() {
            as_it_was = self.old.clone();
            // The view follows the rows, not in their transaction.
            let view = "public.m";
            assert!(
                [&self.old[view], &self.new[view]].contains(&&now[view]),
                "{point:?}"
            );
            now.remove(view);
            as_it_was.remove(view);
        }
        assert_eq!(now, as_it_was, "{point:?}: old or new");

        let next = self
            .shell
            .run(&["restore", "--input", "one", "--mode", "exact", "--force"]);
        assert_eq!(next.code, 0, "{point:?}: {next:?}");
        assert_eq!(self.f.contents().await, self.old, "{point:?}: the next run");
        assert_eq!(self.f.own_schemas("staging_").await, [""; 0], "{point:?}");
        let all: Vec<Uuid> = self.done().await.difference(&before).copied().collect();
        assert_eq!(all.len(), 1, "{point:?}: done once");
        let undone = self
            .shell
            .run(&["restore", "--undo", &all[0].to_string(), "--force"]);
        assert_eq!(undone.code, 0, "{point:?}: {undone:?}");
        assert_eq!(self.f.contents().await, self.new, "{point:?}: undone");
        assert_eq!(self.f.own_schemas("staging_").await, [""; 0], "{point:?}");
        ended
            .is_none()
            .then(|| proxy.seen())
            .or_else(|| (point == Never).then(|| proxy.seen()))
    }

    /// What the dead left in the store is no backup, and hurts none.
    async fn end(self) {
        let said = self.shell.run(&["check"]);
        assert_eq!(said.code, 0, "{said:?}");
        self.f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_live_data_is_old_or_new() {
    let killed = Killed::new().await;
    for (point, was_done) in STEPS {
        let seen = killed.kill_at(point, Some(was_done)).await;
        assert!(seen.is_some(), "{point:?} never came");
    }
    killed.end().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run it by name"]
async fn killed_at_statements_by_their_number() {
    let killed = Killed::new().await;
    let calls = killed.kill_at(Never, Some(true)).await.unwrap().len();
    assert!(calls > 60, "{calls} statements");
    let every = std::env::var_os("ROVODEV_TEST_EVERY_CALL").is_some();
    let stride = if every { 1 } else { STRIDE.max(calls / 14) };
    let mut kills = 0;
    for call in (1..=calls).step_by(stride) {
        kills += usize::from(killed.kill_at(Call(call), None).await.is_some());
    }
    println!("{kills} kills at {calls} statements");
    assert!(kills >= calls / stride / 2, "{kills} of {calls}");
    killed.end().await;
}
