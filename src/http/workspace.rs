//! `GET /api/workspace/[part]`: what a tenant knows about itself, besides its backups.

mod activity;
mod metrics;
mod restores;

use super::caller::caller;
use super::guard::Failure;
use super::{Answer, Problem, Request, Service};

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    match request.uri().path().split('/').nth(3) {
        Some("activity") => activity::handle(service, asker, &request).await,
        Some("metrics") => metrics::handle(service, asker, &request).await,
        Some("restores") => restores::handle(service, asker, &request).await,
        _ => Err(Problem::not_found().into()),
    }
}
