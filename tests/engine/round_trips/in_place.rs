//! In place, by the owner: each mode and its undo, and a process that is killed while it merges.

use super::app;
use crate::cli::Shell;
use crate::restore_database::support::{assert_same, dumped};
use crate::restore_in_place::everything::BREAK;
use crate::restore_in_place::fixture::Fixture;
use crate::restore_in_place::killed::{WAITS, kill_when, staged};
use rovodev::core::restore_plan::{Mode, Outcome};
use rovodev::error::Code;
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::restore::in_place;
use std::collections::BTreeMap;
use std::process::Stdio;

/// Beside [`BREAK`]: a profile is gone whose row in `auth.users` is there.
const GONE: &str = "SET session_replication_role = replica; DELETE FROM public.profiles WHERE id = md5('3')::uuid; \
    SET session_replication_role = origin;";
/// Of what [`BREAK`] adds: what a row that comes back collides with, unless it is removed.
const COLLIDES: &str =
    "DELETE FROM public.bookings WHERE room = 1 AND lower(during) = '2020-01-01 12:00'";
const COLLIDE: &str =
    "INSERT INTO public.bookings VALUES (1, '[2020-01-01 12:00,2020-01-02 12:00)')";

/// Text of each row by its table and its key; equal rows of a table without one are numbered.
type Rows = BTreeMap<(String, String), String>;

/// Of all tables, the platform's too.
async fn rows(f: &Fixture) -> Rows {
    let sql = "SELECT format('SELECT %L, k || '' '' || row_number() OVER (PARTITION BY k), r FROM (SELECT %s AS k, whole::text AS r FROM ONLY %I.%I whole) q',
                 n.nspname || '.' || c.relname, coalesce((SELECT 'ROW(' || string_agg(format('whole.%I', a.attname), ', ') || ')::text' FROM pg_index i
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary), 'whole::text'),
                 n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema|staging_|undo_)'";
    let each = f.session.query("listing", sql, &[]).await.unwrap();
    let each: Vec<String> = each.iter().map(|row| row.get(0)).collect();
    assert!(each.len() >= 20, "{} tables", each.len());
    let found = f
        .session
        .query("reading", &each.join(" UNION ALL "), &[])
        .await
        .unwrap();
    let row = |row: &tokio_postgres::Row| ((row.get(0), row.get(1)), row.get(2));
    found.iter().map(row).collect()
}

/// What a mode makes of these rows.
fn restored(mode: Mode, backup: &Rows, live: &Rows) -> Rows {
    let (under, over) = match mode {
        Mode::Missing => (backup, live),
        Mode::KeepNewer => (live, backup),
        Mode::Exact => return backup.clone(),
    };
    under.clone().into_iter().chain(over.clone()).collect()
}

/// Rows that come, change and go between the two.
fn steps(from: &Rows, to: &Rows) -> (u64, u64, u64) {
    let lacks = |these: &Rows, others: &Rows| {
        these.keys().filter(|k| !others.contains_key(*k)).count() as u64
    };
    let changed = from
        .iter()
        .filter(|(k, row)| to.get(*k).is_some_and(|now| now != *row));
    (lacks(to, from), changed.count() as u64, lacks(from, to))
}

#[track_caller]
fn assert_rows(now: &Rows, then: &Rows, when: &str) {
    let differs = |k: &&(String, String)| now.get(*k) != then.get(*k);
    let mut keys = now.keys().chain(then.keys()).filter(differs);
    let shown = keys.next().map(|k| (k, now.get(k), then.get(k)));
    assert_eq!(shown, None, "{when}: {:?}", steps(then, now));
}

fn counted(done: &Outcome) -> (u64, u64, u64) {
    (done.rows_added, done.rows_changed, done.rows_removed)
}

/// Materialized views hold what their queries say, in their order.
async fn assert_refreshed(f: &Fixture) {
    let views = "SELECT (SELECT count(*) FROM ((SELECT at, count(*) FROM public.events GROUP BY at EXCEPT TABLE public.z_daily)
           UNION ALL (TABLE public.z_daily EXCEPT SELECT at, count(*) FROM public.events GROUP BY at)) a)
         + (SELECT count(*) FROM ((SELECT date_trunc('month', at), sum(n) FROM public.z_daily GROUP BY 1 EXCEPT TABLE public.a_monthly)
           UNION ALL (TABLE public.a_monthly EXCEPT SELECT date_trunc('month', at), sum(n) FROM public.z_daily GROUP BY 1)) b)";
    assert_eq!(f.value::<i64>(views).await, 0);
}

#[tokio::test]
async fn every_mode_restores_everything_and_is_taken_back() {
    let source = app().await;
    let admin = DatabaseUrl::parse(&source.admin_url).unwrap();
    let definitions = || dumped(&admin, &["--schema-only", "--exclude-schema=undo_*"]);
    let f = Fixture::at(source.database(), "SELECT").await;
    let (defined, before) = (definitions(), rows(&f).await);
    let backup = f.back_up().await;
    f.run(BREAK).await;
    f.run(GONE).await;
    f.run(COLLIDES).await;
    for mode in [Mode::Missing, Mode::KeepNewer, Mode::Exact] {
        if mode == Mode::Exact {
            f.run(COLLIDE).await;
            let broken = rows(&f).await;
            let refused = f.restore(&backup, Mode::Missing).await.unwrap_err();
            assert_eq!(refused.code, Code::ConstraintViolated, "{refused}");
            assert_rows(&rows(&f).await, &broken, "left alone");
        }
        let broken = rows(&f).await;
        let expected = restored(mode, &before, &broken);
        let done = f.restore(&backup, mode).await.unwrap();
        assert!(done.warnings.is_empty(), "{mode:?}: {:#?}", done.warnings);
        assert_rows(&rows(&f).await, &expected, &format!("{mode:?}"));
        assert_eq!(counted(&done), steps(&broken, &expected), "{mode:?}");
        assert_refreshed(&f).await;
        assert_same(&defined, &definitions());

        let undone = f.undo(done.operation).await.unwrap();
        assert_rows(&rows(&f).await, &broken, &format!("{mode:?}, taken back"));
        assert_eq!(counted(&undone), steps(&expected, &broken), "{mode:?}");
        assert_refreshed(&f).await;
        assert_same(&defined, &definitions());
    }
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
}

/// The command line, killed in the midst of its merge, and run again.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_merge_changes_nothing_and_the_next_restores_everything() {
    let source = app().await;
    let f = Fixture::at(source.database(), "SELECT").await;
    let before = rows(&f).await;
    let backup = f.back_up().await;
    f.run(BREAK).await;
    f.run(GONE).await;
    let broken = rows(&f).await;
    let shell = Shell::new()
        .with("DATABASE_URL", &source.url)
        .with("BACKUP_STORE", f.folder.path().to_str().unwrap());
    let arguments = ["restore", "--input", &backup.id.to_string(), "--force"];
    let holder = f.another_session().await;
    let hold = "BEGIN; SELECT FROM public.types WHERE id % 5 = 2 FOR UPDATE";
    holder.batch("holding rows", hold).await.unwrap();
    let start = || {
        let mut command = shell.rovodev(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    kill_when(&f, start, WAITS).await;
    holder.batch("letting go", "ROLLBACK").await.unwrap();
    let (_, operation) = staged(&f).await;
    assert!(!in_place::was_done(&f.url, operation).await.unwrap());
    assert_rows(&rows(&f).await, &broken, "left alone");

    let said = shell.run(&arguments);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        in_place::was_done(&f.url, operation).await.unwrap(),
        "it goes on where that one stopped"
    );
    assert_rows(&rows(&f).await, &before, "restored");
    assert_refreshed(&f).await;
    assert_eq!(f.own_schemas("staging_").await, Vec::<String>::new());
}
