//! What a deployment's refusals mean.

use reqwest::StatusCode;
use rovodev::error::{Class, Code, Error};
use rovodev::ports::web;
use rovodev::tasks::cataloged::Refusal;
use rovodev::tasks::operators;
use serde::Deserialize;

/// RFC 9457, as the deployment writes it.
#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: Option<String>,
    hint: Option<String>,
}

pub fn unreachable(url: &str, error: reqwest::Error) -> Error {
    let what = match error.is_timeout() {
        true => "did not answer in time",
        false => "cannot be reached",
    };
    Error::new(Code::ServiceUnreachable, format!("{url} {what}"))
        .hint("Check --api or ROVODEV_API, and the network.")
        .retry(true)
        // The address of a download's link is its secret.
        .source(web::cause(error))
}

pub fn unreadable(url: &str) -> Error {
    Error::new(
        Code::ServiceError,
        format!("the answer of {url} cannot be read"),
    )
    .hint("Is Rovodev deployed there, in the version of this command line?")
}

/// `wait`: seconds of `Retry-After`.
pub fn refused(url: &str, status: StatusCode, wait: Option<u64>, body: &[u8]) -> Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return foreign(url, status);
    };
    let detail = problem.detail.clone();
    let message = detail.unwrap_or_else(|| format!("{url} answered {status} ({})", problem.code));
    let error = match status.as_u16() {
        401 => unauthorized(&message),
        403 | 404 | 409 | 422 | 429 => known(&problem, wait, message),
        503 => Error::new(Code::ServiceUnreachable, format!("{url}: {message}")).retry(true),
        500.. => Error::new(Code::ServiceError, message)
            .hint("The deployment's log says more: Vercel, the project, Logs."),
        _ => Error::new(senseless(&problem.code), message),
    };
    match problem.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A code of ours for what makes no sense, where the deployment knows one.
fn senseless(code: &str) -> Code {
    let ours = Code::named(code).filter(|code| code.class() == Class::Usage);
    ours.unwrap_or(Code::Usage)
}

fn unauthorized(message: &str) -> Error {
    let message = message.trim_end_matches('.');
    Error::new(Code::Unauthorized, message).hint(
        "Tokens of Supabase Auth last an hour: sign in again and set ROVODEV_TOKEN anew. Is it one of this project?",
    )
}

/// A code of ours, or what the catalog refuses with.
fn known(problem: &Problem, wait: Option<u64>, message: String) -> Error {
    let ours = Code::named(&problem.code).filter(|code| *code != Code::RateLimited);
    match ours {
        Some(code) => Error::new(code, message.trim_end_matches('.')),
        None => {
            let refusal = Refusal {
                code: problem.code.clone(),
                message,
                retry_after: wait,
            };
            let error = operators::refused(refusal);
            match error.code {
                Code::RateLimited => error.retry(true),
                Code::Forbidden => {
                    error.hint("An admin of the tenant changes roles in the dashboard's members.")
                }
                _ => error,
            }
        }
    }
}

/// Something else answers there.
fn foreign(url: &str, status: StatusCode) -> Error {
    match status.as_u16() {
        502..=504 => Error::new(
            Code::ServiceUnreachable,
            format!("{url} is not available ({status})"),
        )
        .retry(true),
        401 | 403 => Error::new(
            Code::Unauthorized,
            format!("{url} answered {status} before Rovodev was asked"),
        )
        .hint("Vercel's deployment protection covers it: use the production address, or switch protection off for it."),
        _ => Error::new(
            Code::ServiceError,
            format!("{url} answered {status}, and not as Rovodev does"),
        )
        .hint("Check --api: it is the address of the deployment, without a path."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_code_and_its_way_out() {
        let told = |status: u16, code: &str| {
            let body = format!(
                r#"{{"code":"{code}","title":"t","status":{status},"detail":"It is so."}}"#
            );
            let status = StatusCode::from_u16(status).unwrap();
            refused("https://a", status, Some(7), body.as_bytes())
        };
        for (status, code, expected) in [
            (401, "token_expired", Code::Unauthorized),
            (403, "forbidden", Code::Forbidden),
            (403, "no_tenant", Code::TenantNotFound),
            (404, "not_found", Code::BackupNotFound),
            (409, "restore_running", Code::RestoreRunning),
            (409, "in_use", Code::NotPossible),
            (409, "schema_drift", Code::SchemaDrift),
            (422, "idempotency_mismatch", Code::NotPossible),
            (429, "rate_limited", Code::RateLimited),
            (400, "bad_field", Code::Usage),
            (400, "bad_schedule", Code::BadSchedule),
            (500, "internal", Code::ServiceError),
            (503, "catalog_unreachable", Code::ServiceUnreachable),
        ] {
            assert_eq!(told(status, code).code, expected, "{status} {code}");
        }
        assert!(
            told(429, "rate_limited")
                .hint
                .unwrap()
                .contains("7 seconds")
        );
        assert!(told(401, "x").hint.unwrap().contains("ROVODEV_TOKEN"));
        let page = refused("https://a", StatusCode::NOT_FOUND, None, b"<html>");
        assert_eq!(page.code, Code::ServiceError);
    }
}
