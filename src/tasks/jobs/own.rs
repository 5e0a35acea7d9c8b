//! Working on a job that one asked for oneself, at a terminal.

use super::heartbeat::Held;
use super::{Ended, Workshop, attempt, end, take, worth_a_retry};
use crate::error::{Error, Result};
use uuid::Uuid;

/// What came of one look at the queue.
#[derive(Debug)]
pub enum Own {
    /// Somebody else holds the job, it waits for its next attempt, or it is over.
    NotTaken,
    /// An attempt ended here; how, is in the catalog. The error is the one that ended it, with what to do about it.
    Worked(Option<Error>),
}

/// Takes the job where the queue gives it to us, and works on it until the attempt ends. `workshop.outer` hears its
/// progress and may cancel it.
pub async fn work_own(workshop: &Workshop, job: Uuid) -> Result<Own> {
    let taken = match take(workshop, Some(job), false).await? {
        Some(job) => Some(job),
        None => take(workshop, Some(job), true).await?,
    };
    let Some(job) = taken else {
        return Ok(Own::NotTaken);
    };
    let (held, ctx) = Held::begin(workshop, &job);
    let ended = attempt(&ctx, workshop, &job, &held).await;
    drop(ctx);
    let told = match &ended {
        Ended::Failed(error) => {
            if worth_a_retry(error) {
                let notice = format!("{error}; it will be tried again");
                workshop.outer.progress.notice(notice);
            }
            Some(copy(error))
        }
        Ended::Completed(_) | Ended::Cancelled => None,
    };
    end(workshop, &job, held, ended).await;
    workshop.told().await;
    Ok(Own::Worked(told))
}

/// What a person is told of it; its cause stays with the one that is written down.
fn copy(error: &Error) -> Error {
    let told = Error::new(error.code, error.message.clone()).retry(error.retry);
    match &error.hint {
        Some(hint) => told.hint(hint.clone()),
        None => told,
    }
}
