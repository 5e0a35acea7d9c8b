//! Backups of a database that does not stand still.

use crate::restore_database::support::request;
use crate::support::{Source, assert_told, restore, table, wait_for};
use rovodev::core::manifest::Manifest;
use rovodev::core::restore_plan::Outcome;
use rovodev::error::Code;
use rovodev::tasks::Context;
use rovodev::tasks::progress::Progress;
use rovodev::tasks::restore::in_place;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

const BANK: &str = "
    CREATE TABLE accounts (id int PRIMARY KEY, amount bigint NOT NULL) WITH (fillfactor = 60, autovacuum_enabled = off);
    CREATE TABLE vaults (id int PRIMARY KEY, amount bigint NOT NULL, padding text) WITH (fillfactor = 60, autovacuum_enabled = off);
    CREATE TABLE transfers (id bigserial PRIMARY KEY, amount bigint NOT NULL);
    CREATE INDEX ON vaults (amount);
    INSERT INTO accounts SELECT i, 1000 FROM generate_series(1, 2000) i;
    INSERT INTO vaults SELECT i, 1000, repeat('x', 1500) FROM generate_series(1, 2000) i;";

const ALL_MONEY: i64 = 4_000_000;

/// Runs `sql` again and again until dropped.
struct Loop {
    stop: Arc<AtomicBool>,
    running: tokio::task::JoinHandle<u64>,
}

impl Loop {
    /// Statements that fail because of another loop are part of the trouble.
    fn start(client: Client, sql: impl Fn(u64) -> String + Send + 'static) -> Loop {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            let mut times = 0;
            while !stopped.load(Ordering::Relaxed) {
                if client.batch_execute(&sql(times)).await.is_err() {
                    let _ = client.batch_execute("ROLLBACK").await;
                }
                times += 1;
            }
            times
        });
        Loop { stop, running }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap()
    }
}

/// The money of all, as one snapshot sees it.
async fn money(of: &Source) -> i64 {
    let sql = "SELECT ((SELECT sum(amount) FROM accounts) + (SELECT sum(amount) FROM vaults)
        + (SELECT coalesce(sum(amount), 0) FROM transfers))::bigint";
    of.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// A sum over each table's rows.
async fn contents(of: &Source) -> Vec<String> {
    let each = ["accounts", "vaults", "transfers"].map(|t| {
        format!("SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM {t} t")
    });
    let sql = format!("SELECT array({})", each.join(" UNION ALL "));
    of.client().await.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn restore_in_place(source: &Source, backup: &Manifest) -> Outcome {
    let (ctx, store) = (Context::default(), &source.opened.store);
    let wanted = request(backup, &source.database());
    let prepared = Box::pin(in_place::prepare(&ctx, store, &wanted, None)).await;
    Box::pin(prepared.unwrap().apply(&ctx)).await.unwrap()
}

/// In every copy that is restored, elsewhere and in place, while all go on writing.
#[tokio::test]
async fn money_that_moves_is_neither_lost_nor_doubled() {
    let source = Source::new(BANK).await;
    let transfer = |n: u64| {
        let (a, b, amount) = (n * 7919 % 2000 + 1, n * 104_729 % 2000 + 1, n % 90 + 1);
        format!(
            "BEGIN; UPDATE accounts SET amount = amount - {amount} WHERE id = {a}; \
             UPDATE vaults SET amount = amount + {amount} - 1 WHERE id = {b}; \
             INSERT INTO transfers (amount) VALUES (1); COMMIT;"
        )
    };
    let back = |n: u64| {
        let (a, b) = (n * 31 % 2000 + 1, n * 37 % 2000 + 1);
        format!(
            "BEGIN; WITH gone AS (DELETE FROM transfers WHERE id = (SELECT min(id) FROM transfers) RETURNING amount) \
             UPDATE vaults SET amount = amount - 5 + coalesce((SELECT sum(amount) FROM gone), 0) WHERE id = {b}; \
             UPDATE accounts SET amount = amount + 5 WHERE id = {a}; COMMIT;"
        )
    };
    let restoring = |n: u64| match n % 3 {
        0 => "VACUUM accounts, vaults, transfers".to_string(),
        1 => "ANALYZE vaults".to_string(),
        _ => format!(
            "UPDATE vaults SET padding = repeat('y', {}) WHERE id % 50 = 0",
            1000 + n % 500
        ),
    };
    let loops = [
        Loop::start(source.client().await, transfer),
        Loop::start(source.client().await, back),
        Loop::start(source.client().await, restoring),
    ];
    let mut backups = Vec::new();
    for _ in 0..5 {
        backups.push(source.back_up(|_| {}).await.unwrap());
    }
    let copy = Source::new("").await;
    let mut copied = Vec::new();
    for manifest in &backups {
        let mut wanted = request(manifest, &copy.database());
        // Each but the first finds the one before it.
        wanted.force = true;
        restore(&source.opened.store, &wanted).await.unwrap();
        assert_eq!(money(&copy).await, ALL_MONEY);
        copied.push(contents(&copy).await);
    }
    for manifest in [&backups[0], &backups[4]] {
        let done = restore_in_place(&source, manifest).await;
        assert!(done.rows_changed > 0, "{done:?}");
        assert_eq!(money(&source).await, ALL_MONEY);
    }
    for (one, name) in loops.into_iter().zip(["transfer", "back", "vacuum"]) {
        assert!(one.stop().await > 3, "{name} did not move");
    }
    let snapshots: std::collections::BTreeSet<_> = backups
        .iter()
        .map(|b| b.source.clone().unwrap().snapshot)
        .collect();
    assert_eq!(snapshots.len(), 5, "nothing moved between the backups");
    // Once all stand still, both ways lead to the same rows.
    restore_in_place(&source, &backups[2]).await;
    assert_eq!(contents(&source).await, copied[2]);
    source.assert_sound().await;
}

#[tokio::test]
async fn a_table_that_changes_while_the_backup_starts() {
    let source = Source::new("
        CREATE TABLE kept (a int); INSERT INTO kept SELECT generate_series(1, 1000);
        CREATE TABLE comes (a int, b int); INSERT INTO comes SELECT i, i FROM generate_series(1, 1000) i;
        CREATE TABLE moves (a int); INSERT INTO moves SELECT generate_series(1, 1000);
        CREATE TABLE refilled (a int); INSERT INTO refilled SELECT generate_series(1, 1000);
        CREATE SEQUENCE counter;").await;
    let changes = |n: u64| {
        // Longer and longer, so that a machine however busy finds time for a backup between two of them.
        let pause = format!("SELECT pg_sleep({});", 0.05 + n as f64 * 0.002);
        match n % 6 {
            0 => format!(
                "{pause} BEGIN; DROP TABLE comes; CREATE TABLE comes (a int, b int); INSERT INTO comes SELECT i, i FROM generate_series(1, 1000) i; COMMIT;"
            ),
            1 => format!("{pause} ALTER TABLE moves RENAME TO moved;"),
            2 => format!(
                "{pause} BEGIN; TRUNCATE refilled; INSERT INTO refilled SELECT generate_series(1, 1000); COMMIT;"
            ),
            3 => format!("{pause} ALTER TABLE moved RENAME TO moves;"),
            4 => format!(
                "{pause} ALTER TABLE kept ADD COLUMN c{n} int DEFAULT {n}; DROP SEQUENCE counter; CREATE SEQUENCE counter;"
            ),
            _ => format!(
                "{pause} CREATE TABLE new_{n} (a int); INSERT INTO new_{n} SELECT generate_series(1, 1000); DROP TABLE IF EXISTS new_{};",
                n.saturating_sub(6)
            ),
        }
    };
    let ddl = Loop::start(source.client().await, changes);
    let begun = Instant::now();
    let (mut whole, mut refused) = (0, 0);
    while begun.elapsed() < Duration::from_secs(5)
        || whole == 0 && begun.elapsed() < Duration::from_secs(90)
    {
        match source
            .back_up(|r| r.pg_dump = Some("/no/such".into()))
            .await
        {
            Ok(manifest) => {
                for table in &manifest.tables {
                    assert_eq!(table.rows, 1000, "{}", table.name);
                    let text = source.rows(&manifest, table).await;
                    let tabs = text.iter().filter(|b| **b == b'\t').count();
                    assert_eq!(tabs, (table.columns.len() - 1) * 1000, "{}", table.name);
                }
                assert!(
                    (4..=6).contains(&manifest.tables.len()),
                    "{}",
                    manifest.tables.len()
                );
                whole += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error.code, Code::TablesChanged | Code::LockTimeout),
                    "{error:?}"
                );
                assert!(error.retry, "{error:?}");
                refused += 1;
            }
        }
    }
    assert!(ddl.stop().await > 5);
    assert!(whole > 0, "{refused} refused and none whole");
    source.no_sessions().await;
}

/// Between its list of tables and its locks, each try of the backup finds one more: whoever holds `t` makes it while the
/// backup waits, and the next one is in the queue by then.
#[tokio::test]
async fn tables_that_never_stand_still_are_told() {
    let source = Source::new("CREATE TABLE t (a int)").await;
    let admin = source.admin().await;
    let (mut holder, mut next) = (source.client().await, source.client().await);
    let lock = "BEGIN; LOCK TABLE t";
    holder.batch_execute(lock).await.unwrap();
    let waiting = |n: i64| {
        let sql =
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.t'::regclass";
        wait_for(&admin, sql, n)
    };
    let changing = async {
        for n in 0.. {
            waiting(1).await;
            let made = async {
                waiting(2).await;
                let make = format!("CREATE TABLE x{n} (a int); COMMIT");
                holder.batch_execute(&make).await.unwrap();
            };
            let (locked, ()) = tokio::join!(next.batch_execute(lock), made);
            locked.unwrap();
            std::mem::swap(&mut holder, &mut next);
        }
    };
    let backup = source.back_up(|r| r.pg_dump = Some("/no/such".into()));
    let done = tokio::select! {
        done = backup => done,
        () = changing => unreachable!("it never ends"),
    };
    assert_told(
        &done.unwrap_err(),
        Code::TablesChanged,
        &["kept changing", "migrations"],
    );
    source.assert_nothing_left(&[]).await;
}

/// A store that holds the readers up, so that the backup is at work until the test is done.
fn slow(source: &Source, seconds: u64) -> rovodev::tasks::open_store::OpenedStore {
    use rovodev::ports::store::{Fault, Op, Rule, Store, Unreliable, When};
    let stall = Rule::new(When::From(1), Fault::Stall(Duration::from_secs(seconds)))
        .on(Op::PutNew, "segments/");
    let mut opened = source.opened.clone();
    opened.store = Store::Unreliable(Unreliable::new(opened.store, vec![stall]));
    opened
}

/// A reader that reads has been given its locks.
const READING: &str = "SELECT (count(*) > 0)::int::bigint FROM pg_stat_activity \
    WHERE application_name = 'rovodev' AND datname = current_database() AND query LIKE 'COPY%'";

#[tokio::test]
async fn a_migration_is_let_through() {
    let source =
        Source::new("CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100000)")
            .await;
    let (progress, mut events) = Progress::channel();
    let ctx = Context {
        progress,
        ..Context::default()
    };
    let opened = slow(&source, 100);
    let backup = source.back_up_with(&ctx, &opened, |r| {
        r.pg_dump = Some("/no/such".into());
        r.yield_after = Duration::from_millis(600);
    });
    let migration = async {
        let client = source.client().await;
        wait_for(&client, READING, 1).await;
        let begun = Instant::now();
        client
            .batch_execute("ALTER TABLE t ADD COLUMN b int")
            .await
            .unwrap();
        begun.elapsed()
    };
    let (backup, waited) = tokio::join!(backup, migration);
    assert_told(
        &backup.unwrap_err(),
        Code::Yielded,
        &["public.t", "gave way", "Run the backup again"],
    );
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    drop(ctx);
    let mut notices = Vec::new();
    while let Ok(event) = events.try_recv() {
        notices.extend(event.notice);
    }
    assert!(
        notices
            .iter()
            .any(|n| n.contains("waits for our lock on public.t")),
        "{notices:?}"
    );
    source.assert_nothing_left(&[]).await;
    let manifest = source.back_up(|_| {}).await.unwrap();
    source.assert_exact(&manifest).await;
}

#[tokio::test]
async fn a_query_of_the_app_never_queues_behind_us_and_a_migration() {
    let source =
        Source::new("CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE TABLE u (a int);")
            .await;
    let (holder, migration) = (source.client().await, source.client().await);
    // The app reads t; a migration waits for it; our readers must not wait in that queue, holding u.
    holder
        .batch_execute("BEGIN; SELECT * FROM t")
        .await
        .unwrap();
    let pid: i32 = migration
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let waiting =
        migration.batch_execute("SET lock_timeout = '60s'; ALTER TABLE t ADD COLUMN b int");
    let backup = source.back_up(|r| r.pg_dump = Some("/no/such".into()));
    let watching = async {
        let admin = source.admin().await;
        wait_for(
            &admin,
            &format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {pid}"),
            1,
        )
        .await;
        // The coordinator waits for its turn, which blocks no reader of u.
        wait_for(&admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rovodev' AND wait_event_type = 'Lock' AND datname = current_database()", 1).await;
        admin
            .batch_execute("SET lock_timeout = '2s'; SELECT * FROM public.u")
            .await
            .unwrap();
        holder.batch_execute("COMMIT").await.unwrap();
    };
    let started = async {
        let admin = source.admin().await;
        wait_for(
            &admin,
            &format!("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = {pid}"),
            1,
        )
        .await;
        backup.await
    };
    let (waited, backup, ()) = tokio::join!(waiting, started, watching);
    waited.unwrap();
    let manifest = backup.unwrap();
    assert_eq!(
        table(&manifest, "t").columns.len(),
        2,
        "read as the migration left it"
    );
    source.assert_exact(&manifest).await;
}
