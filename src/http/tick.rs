//! `GET /api/cron/tick`: takes up what waits. Called by Vercel Cron, as often as anybody likes.

use super::guard::Failure;
use super::{Answer, Problem, Request, Service};
use crate::config;
use crate::ports::catalog::{As, Repeat};
use crate::tasks::Context;
use crate::tasks::jobs::{clean_up, work_off};
use http::{StatusCode, header};
use serde_json::{Value, json};

/// A shorter secret could be guessed.
const SHORTEST_SECRET: usize = 16;

/// Answers at once with what waits; the work goes on behind the response.
pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    allowed(&service, &request)?;
    let waiting: Value = service
        .catalog()
        .call(As::Jobs, "rovodev_waiting_jobs", &json!({}), Repeat::Safely)
        .await?;
    let workshop = service.workshop()?;
    let work = async move {
        let ctx = Context::default();
        match work_off(&workshop, &ctx).await {
            Ok(jobs) => tracing::info!(jobs, "the tick worked off what waited"),
            Err(error) => tracing::error!(%error, "the tick could not take jobs"),
        }
        if let Err(error) = clean_up(&workshop, &ctx).await {
            tracing::error!(%error, "the tick could not clean up");
        }
    };
    Ok(Answer::json(StatusCode::OK, &waiting).behind(work))
}

fn allowed(service: &Service, request: &Request) -> Result<(), Problem> {
    let secret = service
        .settings()
        .get(&config::CRON_SECRET)
        .filter(|s| s.len() >= SHORTEST_SECRET);
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "));
    match (secret, shown) {
        (Some(secret), Some(shown)) if same(secret, shown) => Ok(()),
        _ => Err(Problem::unauthorized(
            "cron_secret",
            "This address is for the scheduler.",
        )),
    }
}

/// In a time that tells nothing: hashes compare in constant time (`blake3::Hash`), and hide the lengths.
fn same(secret: &str, shown: &str) -> bool {
    blake3::hash(secret.as_bytes()) == blake3::hash(shown.as_bytes())
}
