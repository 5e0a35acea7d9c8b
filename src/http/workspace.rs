//! `/api/workspace/[part]`: what a tenant knows about itself, besides its backups, and whom it tells.

mod activity;
mod channels;
mod metrics;
mod restores;

use super::caller::caller;
use super::guard::Failure;
use super::{Answer, Problem, Request, Service};
use http::Method;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let part = request.uri().path().split('/').nth(3);
    match (request.method(), part) {
        (_, Some("channels")) => channels::handle(service, asker, &request).await,
        (&Method::GET, Some("activity")) => activity::handle(service, asker, &request).await,
        (&Method::GET, Some("metrics")) => metrics::handle(service, asker, &request).await,
        (&Method::GET, Some("restores")) => restores::handle(service, asker, &request).await,
        _ => Err(Problem::not_found().into()),
    }
}
