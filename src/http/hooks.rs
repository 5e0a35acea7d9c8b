//! `POST /api/hooks/deploy`: a backup before a deployment goes live. Vercel signs its calls; others show a secret.

mod signed;

use super::caller::granted;
use super::guard::Failure;
use super::query::{body, idempotency_key, parameters};
use super::{Answer, Problem, Request, Service};
use crate::error::Result;
use crate::tasks::deployments::{self, AppVersion, Begun, SECRET_PREFIX};
use crate::tasks::jobs;
use http::{StatusCode, header};
use serde::Deserialize;

/// Characters of a field in a body.
const LONGEST: usize = 200;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    parameters(&request, &[])?;
    let workshop = service.workshop()?;
    let begun = match request.headers().get("x-vercel-signature") {
        Some(signature) => signed::receive(&service, &request, signature).await?,
        None => by_secret(&service, &request).await?,
    };
    let answer = Answer::json(StatusCode::ACCEPTED, &begun);
    if !begun.held && (begun.replayed || begun.backups.is_empty()) {
        return Ok(answer);
    }
    Ok(answer.behind(async move {
        let checks = workshop.clone();
        let work = async {
            for backup in begun.backups.iter().filter(|_| !begun.replayed) {
                jobs::work_on(workshop.clone(), backup.job_id).await;
            }
        };
        tokio::join!(work, jobs::look_after_checks(&checks));
    }))
}

/// What a caller may say of what goes live.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    deployment: Option<String>,
    commit: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    url: Option<String>,
}

async fn by_secret(service: &Service, request: &Request) -> Result<Begun, Failure> {
    let shown = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .filter(|secret| secret.starts_with(SECRET_PREFIX))
        .ok_or_else(refused)?;
    let said: Body = body(request)?;
    let version = AppVersion {
        deployment: said.deployment,
        commit: said.commit,
        reference: said.reference,
        url: said.url,
    };
    let fields = [
        &version.deployment,
        &version.commit,
        &version.reference,
        &version.url,
    ];
    if fields
        .into_iter()
        .flatten()
        .any(|text| text.chars().count() > LONGEST)
    {
        return Err(Problem::bad_request(
            "bad_field",
            format!("A field holds {LONGEST} characters at most."),
        )
        .into());
    }
    let hash = blake3::hash(request.body()).to_hex();
    let secret_hash = deployments::secret_hash(shown);
    let asked = deployments::receive_hook(
        service.catalog(),
        &secret_hash,
        &version,
        idempotency_key(request)?,
        &hash,
        address(request),
    );
    granted(asked.await?)
}

fn refused() -> Problem {
    Problem::unauthorized(
        "hook_secret",
        "This address is for whoever knows the secret of a hook.",
    )
}

/// Vercel overwrites this header, so that it cannot be forged there.
fn address(request: &Request) -> Option<&str> {
    let header = request.headers().get("x-real-ip");
    header.and_then(|v| v.to_str().ok())
}
