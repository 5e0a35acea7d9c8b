//! Work that the catalog's queue hands out. A job is held under a lease whose fencing token the database checks at
//! every change of state; whoever loses it stops and writes nothing more.

mod backup;
mod checks;
mod chores;
mod compared;
mod delete;
mod export;
mod gone;
mod heartbeat;
mod own;
mod read_back;
mod restore;
mod telling;
mod worker;
mod workshop;

pub use checks::look_after_checks;
pub use chores::clean_up;
pub use own::{Own, work_own};
pub use read_back::read_back_due;
pub use telling::tell;
pub use worker::{Worked, work};
pub use workshop::Workshop;

use crate::core::ident::QName;
use crate::core::manifest::{Selection, Trigger};
use crate::error::{Class, Code, Error, Result};
use crate::ports::catalog::{As, Repeat, moment_if_any};
use crate::tasks::Context;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use heartbeat::Held;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use tracing::Instrument;
use uuid::Uuid;

/// Seconds that a job stays ours without being renewed: so long a killed process keeps others away.
const LEASE: u64 = 60;
/// Seconds before a job that failed is tried again, times its attempts.
const RETRY_AFTER: u64 = 10;
/// Characters of a failure that its row keeps.
const LONGEST_TOLD: usize = 4000;

/// What `rovodev_take_job` hands out.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: Uuid,
    pub kind: Kind,
    /// Fencing token, and the number of this attempt.
    pub token: u32,
    pub cancel_requested: bool,
    pub tenant: Tenant,
    pub backup: BackupRow,
    pub operation: Option<OperationRow>,
    pub export: Option<ExportRow>,
}

impl Job {
    /// Id of what it works on.
    fn subject(&self) -> Uuid {
        let operation = self.operation.as_ref().map(|o| o.id);
        let export = self.export.as_ref().map(|e| e.id);
        operation.or(export).unwrap_or(self.backup.id)
    }

    /// Seconds that it may take, as past ones did.
    fn estimate(&self) -> Option<f64> {
        match (self.kind, &self.operation) {
            (Kind::Backup, _) => self.backup.estimated_seconds,
            (Kind::Restore, Some(operation)) => operation.estimated_seconds,
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Backup,
    Restore,
    Delete,
    Export,
}

impl Kind {
    /// For people.
    fn label(self) -> &'static str {
        match self {
            Kind::Backup => "backup",
            Kind::Restore => "restore",
            Kind::Delete => "deletion of backup",
            Kind::Export => "export",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    pub id: Uuid,
    /// Folder of its backups in the store.
    pub slug: String,
    /// The column whose value makes rows the tenant's; none where the tenant is the whole database.
    pub scope_column: Option<String>,
}

impl Tenant {
    /// Whose members see rows and nothing else: no address, no name of a server.
    pub fn is_scoped(&self) -> bool {
        self.scope_column.is_some()
    }

    /// What members may read of a failure. The log has all of it.
    fn told(&self, error: &Error) -> String {
        match self.is_scoped() {
            true => error.code.meaning().into(),
            // A choice of many names that fit nothing is told with all of them.
            false => error.message.chars().take(LONGEST_TOLD).collect(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct BackupRow {
    pub id: Uuid,
    pub name: String,
    pub backup_type: crate::core::manifest::BackupType,
    pub trigger: crate::core::manifest::Trigger,
    pub codec: crate::core::manifest::Codec,
    pub selection: Selection,
    #[serde(default)]
    pub estimated_seconds: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct OperationRow {
    pub id: Uuid,
    pub target: String,
    pub mode: crate::core::restore_plan::Mode,
    pub selection: Selection,
    pub force: bool,
    pub leave_out_orphans: bool,
    pub leave_changed: bool,
    pub preview: bool,
    pub undo_of: Option<Uuid>,
    /// Until when what an undo reverses is kept.
    #[serde(default, deserialize_with = "moment_if_any")]
    pub kept_until: Option<DateTime<Utc>>,
    pub safety_backup_id: Option<Uuid>,
    #[serde(default)]
    pub estimated_seconds: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct ExportRow {
    pub id: Uuid,
    pub format: String,
    pub table_name: Option<QName>,
    pub store_key: String,
}

/// What the catalog was told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Cancelled,
    /// To be taken again.
    GivenBack,
    /// Another worker holds it, or nothing could be told.
    Lost,
    /// What it worked on is not in the catalog any more.
    Gone,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
            Outcome::GivenBack => "given back to the queue",
            Outcome::Lost => "taken over by another worker",
            Outcome::Gone => "gone from the catalog",
        }
    }
}

/// How a job ended. `fields` are columns of the row that it worked on.
pub(crate) enum Ended {
    Completed(Map<String, Value>),
    Cancelled,
    Failed(Error),
}

/// Takes the job and works on it until it ends, then on what waited meanwhile; for work behind the response that asked
/// for it. Whatever goes wrong is in the catalog, or becomes so when the lease runs out: nobody waits for an answer here.
pub async fn work_on(workshop: Workshop, job: Uuid) {
    match take(&workshop, Some(job), false).await {
        Ok(Some(job)) => {
            run(&workshop, job).await;
        }
        Ok(None) => {
            return tracing::info!(%job, "somebody else works on it, or takes it up after theirs");
        }
        Err(error) => {
            return tracing::warn!(%job, %error, "the job could not be taken and waits for the next tick");
        }
    }
    if let Err(error) = work_off(&workshop, &Context::default()).await {
        tracing::warn!(%error, "what waits could not be taken and waits for the next tick");
    }
}

/// Works on whatever waits until nothing does, `ctx` is cancelled, or little time is left, and tells how it ended. Returns
/// the number of jobs.
pub async fn work_off(workshop: &Workshop, ctx: &Context) -> Result<usize> {
    let done = work_until_done(workshop, ctx).await;
    workshop.told().await;
    done
}

async fn work_until_done(workshop: &Workshop, ctx: &Context) -> Result<usize> {
    let mut done = 0;
    while ctx.check().is_ok() && workshop.has_time() {
        match take(workshop, None, false).await? {
            Some(job) => {
                run(workshop, job).await;
            }
            None => break,
        }
        done += 1;
    }
    Ok(done)
}

/// The job named, or the one that waits longest; `long` are those that outlast a function.
async fn take(workshop: &Workshop, job: Option<Uuid>, long: bool) -> Result<Option<Job>> {
    let arguments = json!({
        "worker": workshop.name, "seconds": LEASE, "job_id": job, "long": long,
        "most": workshop.jobs_at_once,
    });
    workshop
        .catalog
        .call(As::Jobs, "rovodev_take_job", &arguments, Repeat::Unsent)
        .await
}

async fn run(workshop: &Workshop, job: Job) -> Outcome {
    let operation = job
        .operation
        .as_ref()
        .map(|o| tracing::field::display(o.id));
    // Every line about it carries these.
    let span = tracing::info_span!("job", id = %job.id, backup = %job.backup.id, operation);
    work_through(workshop, job).instrument(span).await
}

async fn work_through(workshop: &Workshop, job: Job) -> Outcome {
    tracing::info!(kind = ?job.kind, attempt = job.token, "took a job");
    let (held, ctx) = Held::begin(workshop, &job);
    if job.token == 1 && workshop.is_outlasted_by(job.estimate()) && !job.cancel_requested {
        return held.leave_to_worker().await;
    }
    let ended = attempt(&ctx, workshop, &job, &held).await;
    drop(ctx);
    let outcome = end(workshop, &job, held, ended).await;
    tracing::info!(outcome = outcome.label(), "the job is over");
    // A deployment may wait for it.
    if job.kind == Kind::Backup && job.backup.trigger == Trigger::Deploy {
        checks::look_after_checks(workshop).await;
    }
    outcome
}

/// Writes the outcome. Of what is gone from the catalog nothing stays in the store's lists.
async fn end(workshop: &Workshop, job: &Job, held: Held, ended: Ended) -> Outcome {
    let safety_told = held.safety_told.load(Ordering::SeqCst);
    let outcome = held.end(ended).await;
    if outcome == Outcome::Gone
        && let Err(error) = gone::take_away(workshop, job, safety_told).await
    {
        tracing::error!(job = %job.id, %error, "what is gone from the catalog is still in the store");
    }
    let is_news = matches!(job.kind, Kind::Backup | Kind::Restore);
    if is_news && matches!(outcome, Outcome::Completed | Outcome::Failed) {
        workshop.begin_telling();
    }
    outcome
}

async fn attempt(ctx: &Context, workshop: &Workshop, job: &Job, held: &Held) -> Ended {
    // Boxed: the futures below are deep.
    let working: BoxFuture<'_, Result<Map<String, Value>>> = match job.kind {
        Kind::Backup => Box::pin(backup::run(ctx, workshop, job)),
        Kind::Delete => Box::pin(delete::run(ctx, workshop, job)),
        Kind::Restore => Box::pin(restore::run(ctx, workshop, job, held)),
        Kind::Export => Box::pin(export::run(ctx, workshop, job)),
    };
    // The process of a function lives on after a panic, and must not hold the job meanwhile.
    let done = AssertUnwindSafe(working).catch_unwind().await;
    let done = done.unwrap_or_else(|_| {
        let message = "the work on it broke off by an error of Rovodev's own; the log has more";
        Err(Error::new(Code::Internal, message))
    });
    match done {
        Ok(fields) => Ended::Completed(fields),
        Err(e) if e.code == Code::Cancelled => Ended::Cancelled,
        Err(e) => Ended::Failed(e),
    }
}

/// Whether another attempt may fare better: what broke on the way, not what was refused.
fn worth_a_retry(error: &Error) -> bool {
    error.retry
        || matches!(
            error.code,
            Code::ConnectionLost
                | Code::LeaseExpired
                | Code::StoreBusy
                | Code::Yielded
                | Code::TablesChanged
                | Code::LockTimeout
                | Code::StoreError
        )
        || error.code.class() == Class::Connect && error.code != Code::DatabaseAuth
}
