//! What PostgREST answers, and what its refusals mean.

use crate::error::{Code, Error, Result};
use crate::ports::web;
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

pub(super) fn parse<T: DeserializeOwned>(url: &str, bytes: &[u8]) -> Result<T> {
    // A function that returns nothing answers with an empty body.
    let text = if bytes.is_empty() { b"null" } else { bytes };
    serde_json::from_slice(text).map_err(|e| {
        // Not every gateway tells how long an answer is, so that one may end early unseen.
        if e.is_eof() {
            let message = format!("the answer of the catalog at {url} broke off");
            return Error::new(Code::CatalogUnreachable, message)
                .retry(true)
                .source(e);
        }
        Error::new(Code::CatalogError, "the catalog's answer cannot be read")
            .hint("Are all migrations applied? `rovodev init` applies what is missing.")
            .source(e)
    })
}

pub(super) fn unreachable(url: &str, error: reqwest::Error) -> Error {
    let told = match error.is_timeout() {
        true => silent(url),
        false => down(format!("the catalog at {url} cannot be reached")),
    };
    told.source(web::cause(error))
}

pub(super) fn silent(url: &str) -> Error {
    down(format!("the catalog at {url} did not answer in time"))
}

fn down(message: String) -> Error {
    Error::new(Code::CatalogUnreachable, message)
        .hint("Check SUPABASE_URL, and whether the project is paused.")
        .retry(true)
}

pub(super) fn refused(url: &str, status: StatusCode, body: &[u8]) -> Error {
    let told: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let text = format!(
        "{} {}",
        told.code.as_deref().unwrap_or("-"),
        told.message.as_deref().unwrap_or("no message")
    );
    let error = match status.as_u16() {
        401 | 403 => Error::new(
            Code::CatalogRefused,
            format!("the catalog at {url} refused the request: {text}"),
        ),
        404 => Error::new(
            Code::CatalogError,
            format!("the catalog at {url} lacks something that is needed: {text}"),
        )
        .hint("Are all migrations applied? `rovodev init` applies what is missing."),
        408 | 429 | 500.. => Error::new(
            Code::CatalogUnreachable,
            format!("the catalog at {url} is not available ({status}): {text}"),
        )
        .retry(true),
        _ => Error::new(
            Code::CatalogError,
            format!("the catalog at {url} answered {status}: {text}"),
        ),
    };
    error.source(text)
}
