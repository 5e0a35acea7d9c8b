//! Holding a job: the lease is renewed, progress told, cancellation heard, and in the end the outcome written.

use super::{Ended, Job, LEASE, Outcome, RETRY_AFTER, Tenant, Workshop, worth_a_retry};
use crate::core::progress::Event;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use crate::tasks::progress::Progress;
use crate::tasks::{Clock, Context};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Progress reaches the catalog this often, so that it is on every screen within a second.
const TELL: Duration = Duration::from_millis(500);
/// Though nothing happens, the catalog is asked this often: that renews the lease, and hears that somebody cancels. Who
/// waits for a lock has no progress to tell.
const RENEW: Duration = Duration::from_secs(2);

/// What a tenant with a scope hears of whatever a person must hear now.
const NOTICE_OF_SCOPED: &str =
    "Something else in the database holds this up; it goes on as soon as it can.";

/// In [`RETRY_AFTER`]s: what waits for a busy store may be at its hundredth attempt.
const LONGEST_WAIT: u64 = 6;

/// A job that is ours.
pub(super) struct Held {
    catalog: Catalog,
    job: Uuid,
    token: u32,
    tenant: Tenant,
    lost: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    put_off: Arc<AtomicBool>,
    /// The catalog has a restore's safety backup.
    pub(super) safety_told: AtomicBool,
    /// What a function cannot end, though it has all its time, is for workers.
    to_worker: bool,
    beating: JoinHandle<()>,
}

#[derive(Deserialize)]
struct Renewed {
    held: bool,
    #[serde(default)]
    cancel: bool,
    /// What the job works on is not in the catalog any more.
    #[serde(default)]
    gone: bool,
}

/// Whoever holds a job no more, for whatever reason, does not renew it either.
impl Drop for Held {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Held {
    /// Starts to renew; the context is cancelled when somebody asks to, when the job is lost, and at the deadline.
    pub fn begin(workshop: &Workshop, job: &Job) -> (Self, Context) {
        let outer = &workshop.outer;
        let (progress, events) = Progress::channel_beside(outer.progress.clone());
        let ctx = Context {
            progress,
            cancel: outer.cancel.child_token(),
            clock: Clock::default(),
        };
        let (lost, gone) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let put_off = Arc::<AtomicBool>::default();
        let beat = Beat {
            catalog: workshop.catalog.clone(),
            job: job.id,
            token: job.token,
            cancel: ctx.cancel.clone(),
            lost: lost.clone(),
            gone: gone.clone(),
            deadline: workshop.deadline,
            stop: workshop.stop.clone(),
            put_off: put_off.clone(),
            latest: None,
            scoped: job.tenant.is_scoped(),
        };
        if job.cancel_requested {
            ctx.cancel.cancel();
        }
        let held = Self {
            catalog: workshop.catalog.clone(),
            job: job.id,
            token: job.token,
            tenant: job.tenant.clone(),
            lost,
            gone,
            put_off,
            safety_told: AtomicBool::new(false),
            to_worker: workshop.has_all_its_time() || workshop.is_put_off_for_good(job.token),
            beating: tokio::spawn(beat.run(events)),
        };
        (held, ctx)
    }

    /// Calls a function that the token guards; `None` where the job is not ours any more.
    pub async fn call(&self, function: &str, mut arguments: Value) -> Result<Option<()>> {
        arguments["job_id"] = json!(self.job);
        arguments["token"] = json!(self.token);
        let answer: Renewed = self
            .catalog
            .call(As::Jobs, function, &arguments, Repeat::Safely)
            .await?;
        self.gone.fetch_or(answer.gone, Ordering::SeqCst);
        Ok(answer.held.then_some(()))
    }

    /// Writes how it ended. What cannot be written is found by the next who takes the job.
    pub async fn end(self, ended: Ended) -> Outcome {
        self.beating.abort();
        if self.lost.load(Ordering::SeqCst) {
            tracing::warn!(job = %self.job, "the job is not ours any more; nothing is written");
            return self.not_ours();
        }
        let outcome = match &ended {
            Ended::Completed(_) => Outcome::Completed,
            Ended::Cancelled if self.put_off.load(Ordering::SeqCst) => Outcome::GivenBack,
            Ended::Cancelled => Outcome::Cancelled,
            Ended::Failed(error) if worth_a_retry(error) => Outcome::GivenBack,
            Ended::Failed(_) => Outcome::Failed,
        };
        let written = match ended {
            Ended::Completed(fields) => self.finish("completed", Value::Object(fields)).await,
            Ended::Cancelled if outcome == Outcome::GivenBack => {
                let to_worker = self.to_worker;
                tracing::warn!(job = %self.job, to_worker, "stopped before its end; somebody takes it up");
                let arguments = json!({ "seconds": 0, "to_worker": to_worker });
                self.call("rovodev_return_job", arguments).await
            }
            Ended::Cancelled => self.finish("cancelled", json!({})).await,
            Ended::Failed(error) if outcome == Outcome::GivenBack => {
                tracing::warn!(job = %self.job, %error, "failed and will be tried again");
                let wait = RETRY_AFTER * u64::from(self.token).min(LONGEST_WAIT);
                let told = json!({
                    "code": error.code.as_str(), "message": self.tenant.told(&error),
                });
                self.call(
                    "rovodev_return_job",
                    json!({ "seconds": wait, "error": told }),
                )
                .await
            }
            Ended::Failed(error) => {
                tracing::error!(job = %self.job, code = error.code.as_str(), %error, "failed");
                let fields = json!({
                    "error_code": error.code.as_str(), "error_message": self.tenant.told(&error),
                });
                self.finish("failed", fields).await
            }
        };
        match written {
            Ok(Some(())) => outcome,
            Ok(None) => {
                tracing::warn!(job = %self.job, "the job is not ours any more, nor its outcome");
                self.not_ours()
            }
            Err(error) => {
                tracing::error!(job = %self.job, %error, "the outcome could not be written");
                Outcome::Lost
            }
        }
    }

    /// What is expected to outlast a function is not begun by one.
    pub async fn leave_to_worker(self) -> Outcome {
        let arguments = json!({ "seconds": 0, "to_worker": true });
        match self.call("rovodev_return_job", arguments).await {
            Ok(Some(())) => Outcome::GivenBack,
            Ok(None) => self.not_ours(),
            Err(error) => {
                tracing::error!(job = %self.job, %error, "could not be left to a worker");
                Outcome::Lost
            }
        }
    }

    async fn finish(&self, outcome: &str, fields: Value) -> Result<Option<()>> {
        self.call(
            "rovodev_end_job",
            json!({ "outcome": outcome, "fields": fields }),
        )
        .await
    }

    fn not_ours(&self) -> Outcome {
        match self.gone.load(Ordering::SeqCst) {
            true => Outcome::Gone,
            false => Outcome::Lost,
        }
    }
}

struct Beat {
    catalog: Catalog,
    job: Uuid,
    token: u32,
    cancel: CancellationToken,
    lost: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    deadline: Option<Instant>,
    /// Cancelled when the worker shall stop.
    stop: CancellationToken,
    put_off: Arc<AtomicBool>,
    latest: Option<Event>,
    /// Members of the tenant see rows and nothing else.
    scoped: bool,
}

impl Beat {
    async fn run(mut self, mut events: UnboundedReceiver<Event>) {
        let mut ticks = tokio::time::interval(TELL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut renewed, mut open) = (Instant::now(), true);
        loop {
            tokio::select! {
                event = events.recv(), if open => match event {
                    Some(event) => self.latest = Some(event),
                    None => open = false,
                },
                _ = ticks.tick() => {
                    let due = self.latest.is_some() || renewed.elapsed() >= RENEW;
                    if due && self.renew().await {
                        renewed = Instant::now();
                    }
                    // Nobody could tell us that another one took it: stop before that can be.
                    if renewed.elapsed() >= Duration::from_secs(LEASE) {
                        self.lose();
                    }
                    if self.lost.load(Ordering::SeqCst) {
                        return;
                    }
                    let late = self.deadline.is_some_and(|at| Instant::now() >= at);
                    if late || self.stop.is_cancelled() {
                        self.put_off.store(true, Ordering::SeqCst);
                        self.cancel.cancel();
                    }
                }
            }
        }
    }

    /// Whether the lease is good again.
    async fn renew(&mut self) -> bool {
        let arguments = json!({
            "job_id": self.job, "token": self.token, "seconds": LEASE,
            "progress": self.latest.as_ref().map(|event| shown(event, self.scoped)),
        });
        let answer: Result<Renewed> = self
            .catalog
            .call(As::Jobs, "rovodev_renew_job", &arguments, Repeat::Safely)
            .await;
        match answer {
            Ok(Renewed {
                held: true, cancel, ..
            }) => {
                self.latest = None;
                if cancel {
                    self.cancel.cancel();
                }
                true
            }
            Ok(Renewed {
                held: false, gone, ..
            }) => {
                self.gone.fetch_or(gone, Ordering::SeqCst);
                self.lose();
                false
            }
            Err(error) => {
                tracing::warn!(job = %self.job, %error, "the lease could not be renewed");
                false
            }
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.cancel.cancel();
    }
}

/// `current, total, step` as the seed has them, in bytes where there are any, and the whole event. A notice may name
/// sessions and tables of others.
fn shown(event: &Event, scoped: bool) -> Value {
    let mut all = serde_json::to_value(event).unwrap_or_default();
    if scoped && event.notice.is_some() {
        all["notice"] = NOTICE_OF_SCOPED.into();
    }
    all["step"] = event.stage.label().into();
    all["current"] = event.bytes.into();
    all["total"] = event.total_bytes.max(event.bytes).into();
    all
}
