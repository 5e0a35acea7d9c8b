//! One tenant's rows are held one by one: writers of other tenants never wait, and those of the tenant only for rows
//! that the restore writes. A row of the tenant that comes after the last decision comes after the restore.

use super::merge;
use super::work::Work;
use crate::core::merge::{compare, relation};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::sqlstate;
use crate::ports::postgres::target::TargetTable;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Decisions until the rows concerned stand still.
const TURNS: usize = 10;
/// Merges that are begun again because another session was in the way.
pub const TRIES: u64 = 6;

/// What keeps the tables' shape while the merge runs: the lock that any writer takes, and none of them waits for.
pub fn table_lock(work: &Work) -> &'static str {
    match work.scope {
        Some(_) => "ROW EXCLUSIVE",
        None => "SHARE ROW EXCLUSIVE",
    }
}

/// Decides, holds the rows that would be changed or removed, and decides again, until both times it is the same: then
/// what was decided is held, and nobody can change it.
pub async fn settle(work: &Work, now: &[TargetTable]) -> Result<()> {
    let mut held = None;
    for _ in 0..TURNS {
        let refused = match merge::decide_once(work, now).await {
            // Two statements may have seen two versions of a row that somebody wrote in between.
            Err(e) if [Code::SharedRows, Code::MissingParent].contains(&e.code) => Err(e),
            decided => Ok(decided?),
        };
        let decided = fingerprint(work).await?;
        if held.as_ref() == Some(&decided) {
            return refused;
        }
        hold(work).await?;
        held = Some(decided);
    }
    Err(Error::new(
        Code::LockTimeout,
        "rows of this tenant keep changing faster than they can be held",
    )
    .hint("Try again when fewer of its writers are at work.")
    .retry(true))
}

/// Everybody holds rows in the same order of tables.
async fn hold(work: &Work) -> Result<()> {
    let mut units: Vec<_> = work.merged().map(|(_, unit)| unit).collect();
    units.sort_by_key(|unit| unit.oid);
    for unit in units {
        let live = relation(&unit.table, unit.partitioned);
        let sql = compare::hold_decided(&work.names, unit, &live);
        let doing = format!("holding rows of {}", unit.table);
        work.session.query(&doing, &sql, &[]).await?;
    }
    Ok(())
}

/// Two sets of decisions are the same if this is.
async fn fingerprint(work: &Work) -> Result<(i64, String)> {
    let sql = compare::fingerprint(&work.names);
    let row = work.session.query_one("deciding", &sql, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

/// Whether another session was in the way of a merge that holds rows alone: it has a row, or wrote a key of ours.
pub fn in_the_way(work: &Work, error: &Error) -> bool {
    let collided = sqlstate(error) == Some(&SqlState::UNIQUE_VIOLATION);
    work.scope.is_some() && (error.code == Code::LockTimeout || collided)
}

/// Before the next try, never in step with another one who waits.
pub async fn pause(tries: u64) {
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
    tokio::time::sleep(Duration::from_millis(100 * tries + jitter)).await;
}
