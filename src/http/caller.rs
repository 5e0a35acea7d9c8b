//! Who calls, and what a refusal of the catalog means over HTTP.

use super::guard::Failure;
use super::{Problem, Request, Service};
use crate::tasks::cataloged::{Asked, Asker, Refusal};
use http::{StatusCode, header};
use std::time::Duration;

/// The caller, by a verified token. Tenant and role are the database's business.
pub async fn caller(service: &Service, request: &Request) -> Result<Asker, Failure> {
    let token = token(request)?;
    service.verifier().verify(token).await?;
    Ok(asker(token, request))
}

/// The same within `limit`, where the issuer has to be asked.
pub async fn caller_within(
    limit: Duration,
    service: &Service,
    request: &Request,
) -> Result<Asker, Failure> {
    let token = token(request)?;
    service.verifier().verify_within(limit, token).await?;
    Ok(asker(token, request))
}

fn text<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|v| v.to_str().ok())
}

fn token(request: &Request) -> Result<&str, Problem> {
    text(request, header::AUTHORIZATION.as_str())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            Problem::unauthorized(
                "token_missing",
                "Sign in first: no access token came along.",
            )
        })
}

fn asker(token: &str, request: &Request) -> Asker {
    Asker {
        token: token.to_string(),
        // One that cannot be read is one that nobody has, and not none.
        tenant: request
            .headers()
            .get("x-rovodev-tenant")
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned()),
        door: text(request, "x-rovodev-door")
            .filter(|d| ["dashboard", "cli"].contains(d))
            .unwrap_or("api")
            .into(),
        // Vercel overwrites this header, so that it cannot be forged there.
        address: text(request, "x-real-ip").map(str::to_string),
    }
}

/// What was asked for, or the refusal as a problem.
pub fn granted<T>(asked: Asked<T>) -> Result<T, Failure> {
    match asked {
        Asked::Done(done) => Ok(done),
        Asked::Refused(refusal) => Err(refused(refusal).into()),
    }
}

fn refused(refusal: Refusal) -> Problem {
    let status = match refusal.code.as_str() {
        "not_found" => return Problem::not_found(),
        "hook_secret" => StatusCode::UNAUTHORIZED,
        "bad_request" => StatusCode::BAD_REQUEST,
        "forbidden" | "no_tenant" | "scoped" => StatusCode::FORBIDDEN,
        "no_such_table" => StatusCode::NOT_FOUND,
        "rate_limited" => StatusCode::TOO_MANY_REQUESTS,
        "idempotency_mismatch" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    let problem = Problem::new(status, refusal.code, refusal.message);
    match refusal.retry_after {
        Some(seconds) => problem.retry_after(seconds),
        None => problem,
    }
}
