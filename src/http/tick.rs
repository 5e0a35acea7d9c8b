//! `GET /api/cron/tick`: claims what schedules want, and takes up what waits. Called by Vercel Cron, as often as anybody
//! likes.

use super::guard::Failure;
use super::query::parameters;
use super::secret::shows;
use super::{Answer, Problem, Request, Service};
use crate::config;
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::Context;
use crate::tasks::jobs::{Workshop, clean_up, look_after_checks, read_back_due, tell, work_off};
use crate::tasks::notify::{overdue_minutes, tell_overdue};
use crate::tasks::schedules::{claim_due, expire_due};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So long the answer waits for what is looked for; the rest of it goes on behind.
const ANSWERING: Duration = Duration::from_millis(1500);
/// So long claims, what expires, and what is overdue may take; the next tick goes on.
const CLAIMING: Duration = Duration::from_secs(20);
const EXPIRING: Duration = Duration::from_secs(5);
const MISSING: Duration = Duration::from_secs(20);
/// So long messages are sent behind the answer, beside the jobs; the next tick goes on.
const TELLING: Duration = Duration::from_secs(60);

/// What was done, and what is left to do, as far as it is known.
#[derive(Default, Clone, Serialize)]
struct Told {
    /// Runs of schedules that were due.
    claimed: Option<usize>,
    /// Runs that did not happen in time, each told once.
    overdue: Option<usize>,
    /// Backups that no policy keeps any more.
    expired: Option<usize>,
    #[serde(flatten)]
    waiting: Waiting,
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Waiting {
    /// Jobs that nobody holds.
    waiting: Option<u64>,
    /// Seconds that the oldest of them waits.
    oldest: Option<u64>,
}

/// Claims what is due, most urgent first, and answers with what waits; the work goes on behind the response, and so does
/// the looking where it takes longer.
pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    allowed(&service, &request)?;
    parameters(&request, &[])?;
    // What is claimed must be able to begin.
    let workshop = service.workshop()?;
    let known = Arc::<Mutex<Told>>::default();
    let mut looking = Box::pin(look(service, known.clone()));
    let answered = tokio::time::timeout(ANSWERING, &mut looking).await;
    let late = answered.is_err();
    if let Ok(looked) = answered {
        looked?;
    }
    let told = lock(&known).clone();
    let answer = match (late, told.overdue) {
        // Not a word of the catalog.
        (true, None) => Problem::from(&silent()).into_answer(),
        _ => Answer::json(StatusCode::OK, &told),
    };
    Ok(answer.behind(async move {
        if late && let Err(error) = looking.await {
            tracing::error!(%error, "the tick could not claim what is due");
        }
        work(&workshop).await;
    }))
}

async fn look(service: Service, known: Arc<Mutex<Told>>) -> Result<()> {
    let (catalog, now) = (service.catalog(), Utc::now());
    // Before anything is claimed: afterwards nobody knows that it was late.
    let overdue = overdue(&service, now).await;
    lock(&known).overdue = overdue;
    let claimed = claim_due(catalog, now, Instant::now() + CLAIMING).await?;
    if claimed.more {
        tracing::warn!(claimed = claimed.runs, "more is due than one tick claims");
    }
    lock(&known).claimed = Some(claimed.runs);
    // What waits is worked off all the same; the next tick looks again.
    let expired = expire_due(catalog, now, Instant::now() + EXPIRING).await;
    lock(&known).expired = Some(expired.unwrap_or_else(|error| {
        tracing::error!(%error, "what no policy keeps could not expire");
        0
    }));
    let waiting = catalog
        .call(As::Jobs, "rovodev_waiting_jobs", &json!({}), Repeat::Safely)
        .await?;
    lock(&known).waiting = waiting;
    Ok(())
}

fn lock(known: &Mutex<Told>) -> MutexGuard<'_, Told> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent() -> Error {
    Error::new(Code::CatalogUnreachable, "the catalog said nothing in time")
}

async fn work(workshop: &Workshop) {
    let ctx = Context::default();
    // Receivers that hang hold up no backup, nor does one that is read back for a deployment.
    let (worked, (), ()) = tokio::join!(
        work_off(workshop, &ctx),
        tell(workshop, TELLING),
        look_after_checks(workshop)
    );
    match worked {
        Ok(jobs) => tracing::info!(jobs, "the tick worked off what waited"),
        Err(error) => tracing::error!(%error, "the tick could not take jobs"),
    }
    if let Err(error) = clean_up(workshop, &ctx).await {
        tracing::error!(%error, "the tick could not clean up");
    }
    // What was given up meanwhile is news too.
    tell(workshop, Duration::ZERO).await;
    match read_back_due(workshop, None).await {
        Ok(0) => {}
        Ok(backups) => tracing::info!(backups, "the tick read backups back"),
        Err(error) => tracing::warn!(%error, "a backup was not read back and will be"),
    }
    workshop.told().await;
}

/// What fails here is told in the log; backups are claimed all the same.
async fn overdue(service: &Service, now: DateTime<Utc>) -> Option<usize> {
    let told = async {
        let minutes = overdue_minutes(service.settings())?;
        tell_overdue(service.catalog(), now, minutes, Instant::now() + MISSING).await
    };
    match told.await {
        Ok(runs) => Some(runs),
        Err(error) => {
            tracing::error!(%error, "what is overdue could not be told");
            None
        }
    }
}

fn allowed(service: &Service, request: &Request) -> Result<(), Problem> {
    match shows(request, service.settings(), &config::CRON_SECRET) {
        true => Ok(()),
        false => Err(Problem::unauthorized(
            "cron_secret",
            "This address is for the scheduler.",
        )),
    }
}
