//! Holding one tenant's rows instead of tables: writers of other tenants never wait, and those of the tenant only for
//! rows that the merge writes. What to write is decided by a second session in one snapshot: statements that each saw a
//! later state of busy rows would contradict each other. A row that comes after that snapshot comes after the restore.

use super::work::{Work, may_pass};
use crate::core::merge::{compare, relation};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::{Session, sqlstate};
use crate::tasks::Context;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Decisions until the rows concerned stand still.
const TURNS: usize = 10;
/// Merges that are begun again because another session has a row.
const WAITS: u64 = 12;
/// Merges that are begun again because of what another session wrote: mostly it stays.
const COLLISIONS: u64 = 2;

/// Decides, and holds the rows that are to be changed or removed, until what is held is what was decided.
pub async fn settle<T, F>(work: &Work, decide: impl Fn(Arc<Session>) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 0..TURNS {
        match in_one_snapshot(work, &decide).await {
            Ok(decided) if hold(work).await? => return Ok(decided),
            // Somebody wrote in between; what is held by now stays as it is.
            Ok(_) => {}
            // Where the server is gone, so is the merge, which says so itself.
            Err(e) if may_pass(&e) => work.session.batch("holding rows", "SELECT").await?,
            Err(e) => return Err(e),
        }
    }
    Err(Error::new(
        Code::LockTimeout,
        "rows of this tenant keep changing faster than they can be held",
    )
    .hint("Try again when fewer of its writers are at work.")
    .retry(true))
}

async fn in_one_snapshot<T, F>(work: &Work, decide: impl Fn(Arc<Session>) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let session = Arc::new(work.writer().await?);
    // A migration that waits for the merge keeps this session waiting, which the server cannot know for a deadlock.
    let begin = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '2s'; DELETE FROM {}",
        work.names.decided()
    );
    session.batch("deciding", &begin).await?;
    let decided = decide(session.clone()).await?;
    session.batch("deciding", "COMMIT").await?;
    Ok(decided)
}

/// Whether every row concerned is still in the version that was decided on. Where not, the newer one is held.
async fn hold(work: &Work) -> Result<bool> {
    let mut units: Vec<_> = work.merged().map(|(_, unit)| unit).collect();
    // Two restores would hold rows in the same order of tables.
    units.sort_by_key(|unit| unit.oid);
    let mut all = true;
    for unit in units {
        let live = relation(&unit.table, unit.partitioned);
        let sql = compare::hold_decided(&work.names, unit, &live);
        let doing = format!("holding rows of {}", unit.table);
        let row = work.session.query_one(&doing, &sql, &[]).await?;
        all &= row.get::<_, bool>(0);
    }
    Ok(all)
}

/// Whether a merge that failed is worth another try since somebody was in its way: then it is rolled back, and some
/// time has passed.
pub async fn again(ctx: &Context, work: &Work, failed: &Error, tries: &mut u64) -> Result<bool> {
    if !work.rows_alone || *tries >= worth(failed) {
        return Ok(false);
    }
    *tries += 1;
    ctx.progress
        .notice("Another session writes rows of this tenant; waiting for it.");
    work.session.batch("ending the merge", "ROLLBACK").await?;
    // Never in step with another one who waits.
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
    let pause = tokio::time::sleep(Duration::from_millis(200 * *tries + jitter));
    ctx.or_cancelled(async {
        pause.await;
        Ok(true)
    })
    .await
}

/// How many tries a failure is worth. A key of ours may have been written, or a row have come that refers to one that goes.
fn worth(failed: &Error) -> u64 {
    let collided = sqlstate(failed) == Some(&SqlState::UNIQUE_VIOLATION);
    match failed.code {
        Code::LockTimeout => WAITS,
        Code::MissingParent => COLLISIONS,
        _ if collided => COLLISIONS,
        _ => 0,
    }
}
