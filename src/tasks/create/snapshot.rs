//! The start of a backup: a list of tables, locked, and a snapshot in which exactly these are read.

use super::CreateRequest;
use super::selected::{Selected, select};
use crate::core::ident::QName;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::source::{self, LockRoom};
use crate::ports::postgres::{DatabaseUrl, Purpose, Session, sqlstate};
use crate::tasks::Context;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Tables that come, go or change shape while we start make us start again, this often at most.
const STARTS: u32 = 10;
/// The first of them follow at once, since what counts is the time between a list and the locks.
const AT_ONCE: u32 = 5;
/// Entries of the lock table that are left to others and to the catalogs that we read.
const LOCKS_LEFT: u64 = 150;

/// A transaction that holds the snapshot and a lock on every table in it.
pub struct Snapshot {
    pub session: Session,
    /// For `SET TRANSACTION SNAPSHOT` and `pg_dump --snapshot`.
    pub name: String,
    pub selected: Selected,
    pub locks: LockBudget,
    pub backend: i32,
}

/// How freely locks may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockBudget {
    /// Every reader locks every table, pg_dump runs beside them.
    Plenty,
    /// The lock table holds little more than one lock per table: readers share the tables out, pg_dump
    /// runs before them, and locks on indexes are given back.
    Scarce,
}

/// Refuses what [`begin`] would refuse, as far as it shows without a lock.
pub async fn beforehand(ctx: &Context, request: &CreateRequest, url: &DatabaseUrl) -> Result<()> {
    ctx.or_cancelled(async {
        let session = Session::connect(url, Purpose::Read).await?;
        let room = source::lock_room(&session).await?;
        let selected = select(source::list(&session).await?, request)?;
        lock_budget(&selected, request, room).map(drop)
    })
    .await
}

pub async fn begin(ctx: &Context, request: &CreateRequest, url: &DatabaseUrl) -> Result<Snapshot> {
    let session = Session::connect(url, Purpose::Read).await?;
    let room = source::lock_room(&session).await?;
    let (mut last, mut known) = (None, None);
    for start in 0..STARTS {
        ctx.check()?;
        if start > 0 {
            session.batch("starting again", "ROLLBACK").await?;
        }
        if start >= AT_ONCE {
            tokio::time::sleep(Duration::from_millis(25 << start.min(4))).await;
        }
        match session
            .cancellable(&ctx.cancel, attempt(&session, request, room, &mut known))
            .await
        {
            Ok((name, backend, selected, locks)) => {
                return Ok(Snapshot {
                    session,
                    name,
                    selected,
                    locks,
                    backend,
                });
            }
            Err(error) if starts_again(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    let cause = last.unwrap_or_else(|| Error::new(Code::TablesChanged, "tables changed"));
    Err(Error::new(
        Code::TablesChanged,
        format!("tables kept changing while the backup started: {cause}"),
    )
    .hint("Run the backup again when migrations are done.")
    .retry(true)
    .source(cause))
}

/// Catalog functions name what was dropped under their hands by OID, as an internal error.
fn starts_again(error: &Error) -> bool {
    let gone = || {
        error.message.contains("could not open relation with OID")
            || error.message.contains("cache lookup failed")
    };
    match sqlstate(error) {
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME) => true,
        Some(&SqlState::INTERNAL_ERROR) => gone(),
        _ => error.code == Code::TablesChanged,
    }
}

async fn attempt(
    session: &Session,
    request: &CreateRequest,
    room: LockRoom,
    known: &mut Option<Selected>,
) -> Result<(String, i32, Selected, LockBudget)> {
    // What the start before this one saw is newer than a list would be once it has come.
    let before = match known.take() {
        Some(seen) => seen,
        None => select(source::list(session).await?, request)?,
    };
    let locks = lock_budget(&before, request, room)?;
    // LOCK TABLE takes no snapshot; whatever took one before the locks could read a table that is being
    // truncated as empty.
    let lock = lock_statement(before.tables.iter().map(|t| &t.listed.name), "");
    session
        .batch(
            "locking the tables for reading",
            &format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {lock}"),
        )
        .await?;
    let row = session
        .query_one(
            "exporting the snapshot",
            "SELECT pg_export_snapshot(), pg_backend_pid()",
            &[],
        )
        .await?;
    let mut inside = select(source::list(session).await?, request)?;
    if !inside.same_tables(&before) {
        *known = Some(inside);
        return Err(Error::new(
            Code::TablesChanged,
            "tables were created, dropped or altered meanwhile",
        ));
    }
    inside.measure(session).await?;
    Ok((row.get(0), row.get(1), inside, locks))
}

/// `LOCK TABLE ONLY a, ONLY b … IN ACCESS SHARE MODE`; nothing for no tables.
pub fn lock_statement<'a>(tables: impl Iterator<Item = &'a QName>, wait: &str) -> String {
    let names: Vec<String> = tables.map(|t| format!("ONLY {}", t.sql())).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "LOCK TABLE {} IN ACCESS SHARE MODE {wait}",
        names.join(", ")
    )
}

/// Refuses beforehand what would fill the lock table, which stops every session of the server.
fn lock_budget(selected: &Selected, request: &CreateRequest, room: LockRoom) -> Result<LockBudget> {
    let tables = selected.tables.len() as u64;
    let indexes: u64 = selected
        .tables
        .iter()
        .map(|t| u64::from(t.listed.indexes))
        .sum();
    let free = room.free().saturating_sub(LOCKS_LEFT);
    let dumps = 3;
    let readers = request.readers as u64;
    if tables * (1 + readers + dumps) + indexes * readers <= free {
        return Ok(LockBudget::Plenty);
    }
    if tables <= free {
        return Ok(LockBudget::Scarce);
    }
    let per_slot = room.objects / room.per_transaction.max(1);
    Err(Error::new(
        Code::LockTableFull,
        format!(
            "{tables} tables need as many locks; the server's lock table holds {} ({} in use)",
            room.objects, room.used
        ),
    )
    .hint(format!(
        "Raise max_locks_per_transaction (now {}) to at least {} and restart the server, or choose fewer tables.",
        room.per_transaction,
        (tables + LOCKS_LEFT + room.used) / per_slot.max(1) + 1
    )))
}
