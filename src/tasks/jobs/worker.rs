//! A worker of one's own: takes what functions take, and what they could not end, without a deadline.

use super::{Outcome, Workshop, read_back_due, run, take};
use crate::core::counted::counted;
use crate::error::{Code, Error, Result};
use crate::tasks::{Context, exports};
use futures_util::future::join_all;
use serde::Serialize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often an idle worker looks into the queues.
const LOOK: Duration = Duration::from_secs(1);
/// How long it leaves a catalog alone that does not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How often exports that ended are dropped.
const SWEEP: Duration = Duration::from_secs(300);
/// So long a backup is read back before the queues are looked into again.
const READING: Duration = Duration::from_secs(15);
/// How often it is asked what is to be read back, where nothing was or the store was silent.
const READ_BACK: Duration = Duration::from_secs(60);

/// What became of the jobs that were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Worked {
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Back in the queue: to be tried again, or because the worker was stopped.
    pub given_back: u64,
    /// Taken by another worker meanwhile.
    pub lost: u64,
    /// Of what went from the catalog meanwhile.
    pub gone: u64,
    /// Backups that were read back from the store to their end.
    pub read_back: u64,
}

impl Worked {
    pub fn jobs(&self) -> u64 {
        self.completed + self.failed + self.cancelled + self.given_back + self.lost + self.gone
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Completed => self.completed += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::GivenBack => self.given_back += 1,
            Outcome::Lost => self.lost += 1,
            Outcome::Gone => self.gone += 1,
        }
    }
}

/// Works on up to `at_once` jobs until `ctx` is cancelled, or with `once` until nothing waits. Jobs that run then are
/// stopped cleanly and given back.
///
/// # Errors
/// What keeps a worker from beginning at all, such as a key that the catalog refuses. Later ones are told and waited
/// out; with `once` they end it.
pub async fn work(
    ctx: &Context,
    workshop: &Workshop,
    at_once: usize,
    once: bool,
) -> Result<Worked> {
    let workshop = workshop.stopped_by(&ctx.cancel);
    let worked = Mutex::new(Worked::default());
    let hands = (0..at_once).map(|hand| {
        let (workshop, worked) = (&workshop, &worked);
        async move {
            let hand = Hand {
                ctx,
                workshop,
                worked,
                sweeps: hand == 0,
            };
            hand.work(once).await
        }
    });
    let ended = join_all(hands).await;
    workshop.told().await;
    ended.into_iter().collect::<Result<Vec<()>>>()?;
    let worked = worked.into_inner();
    Ok(worked.unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// One job at a time.
struct Hand<'a> {
    ctx: &'a Context,
    workshop: &'a Workshop,
    worked: &'a Mutex<Worked>,
    /// One of them looks after what ended.
    sweeps: bool,
}

impl Hand<'_> {
    async fn work(&self, once: bool) -> Result<()> {
        let (mut reached, mut swept, mut read) = (false, None::<Instant>, None::<Instant>);
        while self.ctx.check().is_ok() {
            if self.sweeps && swept.is_none_or(|at| at.elapsed() > SWEEP) {
                swept = Some(Instant::now());
                self.sweep().await;
            }
            let wait = match self.one().await {
                Ok(true) => Duration::ZERO,
                Ok(false) if self.sweeps && read.is_none_or(|at| at.elapsed() > READ_BACK) => {
                    if !self.read_back().await {
                        read = Some(Instant::now());
                    }
                    Duration::ZERO
                }
                Ok(false) if once => return Ok(()),
                Ok(false) => LOOK,
                Err(e) if once || (!reached && !e.retry) => return Err(e),
                Err(e) => {
                    self.ctx
                        .progress
                        .notice(format!("The catalog cannot be asked for work: {e}"));
                    AFTER_FAILURE
                }
            };
            reached |= wait != AFTER_FAILURE;
            // Only a stop ends the wait early.
            let _ = self
                .ctx
                .or_cancelled(async {
                    tokio::time::sleep(wait).await;
                    Ok::<_, Error>(())
                })
                .await;
        }
        Ok(())
    }

    /// Whether there was something to do. What only workers can end goes first.
    async fn one(&self) -> Result<bool> {
        let job = match take(self.workshop, None, true).await? {
            Some(job) => job,
            None => match take(self.workshop, None, false).await? {
                Some(job) => job,
                None => return Ok(false),
            },
        };
        let what = format!(
            "{} {} of {}",
            job.kind.label(),
            job.subject(),
            job.tenant.slug
        );
        let attempt = match job.token {
            1 => String::new(),
            n => format!(" (attempt {n})"),
        };
        self.ctx.progress.notice(format!("Took {what}{attempt}"));
        let began = Instant::now();
        let outcome = run(self.workshop, job).await;
        let seconds = began.elapsed().as_secs_f64();
        self.ctx
            .progress
            .notice(format!("{what}: {} after {seconds:.1} s", outcome.label()));
        let mut worked = self.worked.lock();
        match &mut worked {
            Ok(worked) => worked.count(outcome),
            Err(poisoned) => poisoned.get_mut().count(outcome),
        }
        Ok(true)
    }

    /// Reads a backup back while nothing else waits. Whether there is more to read.
    async fn read_back(&self) -> bool {
        let until = Instant::now() + READING;
        let read = match read_back_due(self.workshop, Some(until)).await {
            Ok(read) => read,
            Err(e) if e.code == Code::Cancelled => return false,
            Err(error) => {
                tracing::warn!(%error, "a backup was not read back and will be");
                return false;
            }
        };
        if read > 0 {
            let what = counted(read as u64, "backup");
            self.ctx.progress.notice(format!("Read {what} back"));
        }
        let mut worked = self
            .worked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        worked.read_back += read as u64;
        // With time left there was nothing more.
        Instant::now() >= until
    }

    async fn sweep(&self) {
        self.workshop.begin_telling();
        match exports::drop_ended(&self.workshop.catalog, &self.workshop.store).await {
            Ok(0) => {}
            Ok(n) => self
                .ctx
                .progress
                .notice(format!("Dropped {n} exports that ended")),
            Err(e) if e.code == Code::Cancelled => {}
            Err(error) => tracing::warn!(%error, "exports that ended could not be dropped"),
        }
    }
}
