//! A server that crashes in the midst of a merge, its commit, an undo or a forgetting: live data is old or new, what was
//! done is known, and everything can be taken up again. Sometimes the process goes down with it.

use super::commit_proxy::{CommitProxy, Cut};
use super::fixture::{Contents, Fixture};
use crate::support::{PATIENCE, wait_for};
use local::home::{Home, ThrowAway};
use local::postgres::Postgres;
use local::stack::throw_away_postgres;
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::Mode;
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::Context;
use rovodev::tasks::restore::{RestoreRequest, in_place};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5000) i; \
    CREATE TABLE log (line text); INSERT INTO log VALUES ('a'), ('a');";
const BREAK: &str = "DELETE FROM t WHERE id % 2 = 0; UPDATE t SET v = 'x' WHERE id < 100; INSERT INTO log VALUES ('b')";
/// A session of ours waits for a lock.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'rovodev' AND wait_event_type = 'Lock'";

/// A server of its own with a backup and a broken app.
struct Crashing {
    _home: Home,
    _folder: ThrowAway,
    server: Postgres,
    url: String,
    f: Fixture,
    backup: Manifest,
    old: Contents,
    new: Contents,
}

impl Crashing {
    async fn start() -> Self {
        let home = Home::open().unwrap();
        let folder = home.throw_away().unwrap();
        let server = throw_away_postgres(&home, &folder, None).await.unwrap();
        let name = server.create_database().await.unwrap();
        let url = server.url(&name);
        let f = Fixture::at(DatabaseUrl::parse(&url).unwrap(), TABLES).await;
        let old = f.contents().await;
        let backup = f.back_up().await;
        f.run(BREAK).await;
        let new = f.contents().await;
        Self {
            _home: home,
            _folder: folder,
            server,
            url,
            f,
            backup,
            old,
            new,
        }
    }

    /// Without a word to anybody, as a power failure.
    async fn crash(&mut self) {
        self.server.stop_immediate();
        self.server.restart().await.unwrap();
        self.f.session = self.f.another_session().await;
    }

    fn request(&self, target: &DatabaseUrl) -> RestoreRequest {
        RestoreRequest {
            target: target.clone(),
            ..self.f.request(&self.backup, Mode::Exact)
        }
    }

    async fn waiting(&self) {
        wait_for(self.f.session.client(), WAITS, 1).await;
    }

    async fn assert_clean(&self) {
        assert_eq!(self.f.own_schemas("staging_").await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_midst_of_a_merge() {
    for dies_too in [false, true] {
        let mut c = Crashing::start().await;
        let prepared = c.f.prepare(&c.request(&c.f.url)).await.unwrap();
        let operation = prepared.plan().operation;
        let holder = c.f.another_session().await;
        let hold = "BEGIN; SELECT FROM t WHERE id = 5 FOR UPDATE";
        holder.batch("holding a row", hold).await.unwrap();
        let merge = tokio::spawn(async move { prepared.apply(&Context::default()).await });
        c.waiting().await;
        if dies_too {
            merge.abort();
        }
        c.crash().await;
        drop(holder);
        if dies_too {
            assert!(merge.await.unwrap_err().is_cancelled());
            assert_eq!(c.f.contents().await, c.new);
            assert!(!in_place::was_done(&c.f.url, operation).await.unwrap());
            assert_eq!(c.f.own_schemas("undo_").await, Vec::<String>::new());
            c.f.restore(&c.backup, Mode::Exact).await.unwrap();
        } else {
            let done = merge.await.unwrap().unwrap();
            assert_eq!(done.operation, operation, "it went on");
        }
        assert_eq!(c.f.contents().await, c.old);
        let kept = in_place::operations(&c.f.url).await.unwrap();
        assert_eq!(kept.len(), 1);
        c.assert_clean().await;
        c.f.undo(kept[0].id).await.unwrap();
        assert_eq!(c.f.contents().await, c.new);
        c.f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_commit() {
    for (cut, dies_too) in [
        (Cut::Before, false),
        (Cut::Before, true),
        (Cut::After, false),
        (Cut::After, true),
    ] {
        let mut c = Crashing::start().await;
        let proxy = CommitProxy::before(&c.url, cut, 1, true).await;
        let prepared = c.f.prepare(&c.request(&proxy.url)).await.unwrap();
        let operation = prepared.plan().operation;
        let merge = tokio::spawn(async move { prepared.apply(&Context::default()).await });
        let reached = tokio::time::timeout(PATIENCE, proxy.reached()).await;
        reached.unwrap();
        if dies_too {
            merge.abort();
        }
        c.crash().await;
        proxy.let_go();
        if dies_too {
            assert!(merge.await.unwrap_err().is_cancelled());
            let was_done = in_place::was_done(&c.f.url, operation).await.unwrap();
            assert_eq!(was_done, cut == Cut::After, "{cut:?}");
            let expected = if was_done { &c.old } else { &c.new };
            assert_eq!(c.f.contents().await, *expected, "{cut:?}");
            c.f.restore(&c.backup, Mode::Exact).await.unwrap();
        } else {
            let done = merge.await.unwrap().unwrap();
            assert_eq!(done.operation, operation, "{cut:?}");
        }
        assert_eq!(c.f.contents().await, c.old, "{cut:?}");
        let kept = in_place::operations(&c.f.url).await.unwrap();
        assert_eq!(kept.len(), 1, "{cut:?}");
        c.assert_clean().await;
        c.f.undo(kept[0].id).await.unwrap();
        assert_eq!(c.f.contents().await, c.new, "{cut:?}");
        c.f.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_midst_of_an_undo() {
    let mut c = Crashing::start().await;
    let restored = c.f.restore(&c.backup, Mode::Exact).await.unwrap().operation;
    let holder = c.f.another_session().await;
    let hold = "BEGIN; SELECT FROM t WHERE id = 5 FOR UPDATE";
    holder.batch("holding a row", hold).await.unwrap();
    let url = c.f.url.clone();
    let undo = tokio::spawn(async move {
        in_place::undo(
            &Context::default(),
            &url,
            in_place::UndoRequest::of(restored),
        )
        .await
    });
    c.waiting().await;
    c.crash().await;
    drop(holder);
    let error = undo.await.unwrap().unwrap_err();
    assert_eq!(error.code, Code::ConnectionLost, "{error}");
    assert_eq!(c.f.contents().await, c.old);
    let kept = in_place::undoable(&c.f.url).await.unwrap();
    assert_eq!(kept.iter().map(|o| o.id).collect::<Vec<_>>(), [restored]);
    c.f.undo(restored).await.unwrap();
    assert_eq!(c.f.contents().await, c.new);
    c.assert_clean().await;
    c.f.drop().await;
}

/// With an undo goes what it had undone; whichever of them is left by a crash, it never looks as if it could be undone.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_midst_of_a_forgetting() {
    for blocked in ["the undo", "what it undid"] {
        let mut c = Crashing::start().await;
        let restored = c.f.restore(&c.backup, Mode::Exact).await.unwrap().operation;
        let undo = c.f.undo(restored).await.unwrap().operation;
        let holder = c.f.another_session().await;
        let of = match blocked {
            "the undo" => undo,
            _ => restored,
        };
        let table = format!(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'undo_{}' LIMIT 1",
            of.simple()
        );
        let table: String = c.f.value(&table).await;
        let hold = format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE");
        holder.batch("holding a table", &hold).await.unwrap();
        let url = c.f.url.clone();
        let forget = tokio::spawn(async move { in_place::forget(&url, &[undo]).await });
        c.waiting().await;
        c.crash().await;
        drop(holder);
        assert!(forget.await.unwrap().is_err());
        assert_eq!(c.f.contents().await, c.new, "{blocked}");
        let undoable = in_place::undoable(&c.f.url).await.unwrap();
        assert!(undoable.is_empty(), "{blocked}: {undoable:?}");
        let left = in_place::operations(&c.f.url).await.unwrap();
        let ids: Vec<_> = left.iter().map(|o| o.id).collect();
        assert!(ids.contains(&undo), "{blocked}: {ids:?}");
        in_place::forget(&c.f.url, &ids).await.unwrap();
        assert_eq!(c.f.own_schemas("undo_").await, Vec::<String>::new());
        c.f.drop().await;
    }
}
