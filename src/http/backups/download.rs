//! `POST, GET, DELETE /api/backups/[id]/download`: makes a link, follows it without a token, ends it.

mod follow;
mod make;

use crate::error::{Code, Error, Result};
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::query::{id_in_path, parameters};
use crate::http::{Answer, Request, Service};
use crate::tasks::{cataloged, exports};
use http::Method;
use std::time::Duration;

/// For all that must be read from the store before an answer begins: whoever asks shall not wait for a store that hangs
/// as long as a job does.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    match *request.method() {
        Method::POST => make::handle(service, request).await,
        Method::DELETE => revoke(service, request).await,
        _ => follow::handle(service, request).await,
    }
}

/// Links end at once; a link into the store ends when its object is gone, behind the response.
async fn revoke(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let backup = id_in_path(&request)?;
    parameters(&request, &[])?;
    granted(cataloged::revoke(service.catalog(), &asker, backup).await?)?;
    let store = service.store()?;
    Ok(Answer::no_content().behind(async move {
        if let Err(error) = exports::drop_ended(service.catalog(), &store).await {
            tracing::error!(%error, "exports that ended could not be dropped; the tick tries again");
        }
    }))
}

async fn soon<T>(read: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, read)
        .await
        .unwrap_or_else(|_| {
            let message = format!("the store did not answer within {PATIENCE:?}");
            Err(Error::new(Code::StoreUnreachable, message).retry(true))
        })
}

/// What the catalog keeps of a link's secret.
fn secret_hash(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}
