//! From the queue to the end: a job is worked on here, or watched where somebody else has it.

use super::Operator;
use super::rows::is_over;
use crate::core::progress::Event;
use crate::error::{Class, Code, Error, Result};
use crate::tasks::Context;
use crate::tasks::jobs::{Own, Workshop, work_own};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often a job is looked at while it is not ours.
const LOOK: Duration = Duration::from_millis(500);
/// A catalog that is away for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A job that was asked for, and what it works on.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    Backup { id: Uuid, backup: Uuid },
    Restore { id: Uuid, operation: Uuid },
    Delete { id: Uuid },
}

impl Job {
    fn id(self) -> Uuid {
        match self {
            Job::Backup { id, .. } | Job::Restore { id, .. } | Job::Delete { id } => id,
        }
    }
}

/// Works on a job until it is over, in this process where the queue gives it to us. When `ctx` is cancelled the job is
/// cancelled, whoever works on it, and its clean end is waited for.
///
/// # Errors
/// Why it failed, or [`Code::Cancelled`]. [`Code::CatalogUnreachable`] where nobody can tell: the job goes on then, here
/// or with the next tick.
pub async fn carry_out(
    ctx: &Context,
    operator: &Operator,
    workshop: &Workshop,
    job: Job,
) -> Result<()> {
    let stop = CancellationToken::new();
    let mut workshop = workshop.clone();
    workshop.outer = Context {
        cancel: stop.clone(),
        ..ctx.clone()
    };
    let canceller = async {
        ctx.cancel.cancelled().await;
        // The log of the catalog says who; where it cannot be told, the work stops all the same.
        if let Err(error) = operator.cancel(job.id()).await
            && error.code != Code::NotPossible
        {
            ctx.progress
                .notice(format!("the catalog could not be told to cancel: {error}"));
        }
        stop.cancel();
        std::future::pending::<Result<()>>().await
    };
    tokio::select! {
        ended = until_over(ctx, operator, &workshop, job) => ended,
        never = canceller => never,
    }
}

async fn until_over(
    ctx: &Context,
    operator: &Operator,
    workshop: &Workshop,
    job: Job,
) -> Result<()> {
    let (mut told, mut answered, mut said) = (None, Instant::now(), false);
    loop {
        let looked = async {
            if let Own::Worked(error) = work_own(workshop, job.id()).await? {
                told = error;
            }
            look(operator, job).await
        };
        match Box::pin(looked).await {
            Ok(State::Over(None)) => return Ok(()),
            // Our own error says what to do about it, which the catalog does not keep.
            Ok(State::Over(Some(error))) => {
                return Err(told.filter(|t| t.code == error.code).unwrap_or(error));
            }
            Ok(State::Waiting(progress)) => {
                answered = Instant::now();
                if let Some(event) = progress.and_then(|p| serde_json::from_value(p).ok()) {
                    if !said {
                        ctx.progress
                            .notice("Another worker has taken it; watching.");
                        said = true;
                    }
                    ctx.progress.pass(Event {
                        notice: None,
                        ..event
                    });
                }
            }
            Err(e) if e.code.class() != Class::Connect || answered.elapsed() > PATIENCE => {
                return Err(e);
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

enum State {
    Over(Option<Error>),
    /// With its progress, where somebody tells one.
    Waiting(Option<Value>),
}

async fn look(operator: &Operator, job: Job) -> Result<State> {
    match job {
        Job::Backup { backup, .. } => {
            let row = operator.backup(backup).await?;
            Ok(match is_over(&row.status) {
                true => State::Over(row.failure()),
                false => State::Waiting(row.progress),
            })
        }
        Job::Restore { operation, .. } => {
            let row = operator.restores(Some(operation)).await?.pop();
            let row = row.ok_or_else(|| {
                Error::new(
                    Code::OperationNotFound,
                    "the restore's row is gone from the catalog",
                )
            })?;
            Ok(match is_over(&row.status) {
                true => State::Over(row.failure()),
                false => State::Waiting(row.progress),
            })
        }
        // Out of every list already; whatever is left to do, a tick does it.
        Job::Delete { .. } => Ok(State::Over(None)),
    }
}
