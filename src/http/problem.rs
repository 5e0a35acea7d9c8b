//! Errors as `application/problem+json` (RFC 9457), each with a stable `code`.

use super::answer::{Answer, full};
use crate::error::{Class, Code, Error};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// What a caller is told. A 5xx never shows internals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Stable; `docs/openapi.json` lists them.
    pub code: String,
    pub title: &'static str,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// Seconds after which a part that is down may be up again.
const RETRY_AFTER: u64 = 5;

impl Problem {
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: Some(detail.into()),
            hint: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn unauthorized(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no such thing here.",
        )
    }

    pub fn internal() -> Self {
        Self {
            detail: None,
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "")
        }
    }

    /// A part that the service stands on is down or slow.
    pub fn unavailable(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_AFTER)
    }

    fn store_unreachable() -> Self {
        Self::unavailable("store_unreachable", "The store does not answer right now.")
    }

    pub fn into_answer(self) -> Answer {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = http::Response::new(full(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Answer::from(response)
    }
}

/// What a task's failure means to a caller. Its cause is logged by [`super::guard`], once.
impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        match (error.code, error.code.class()) {
            (Code::CatalogUnreachable, _) => Self::unavailable(
                "catalog_unreachable",
                "The catalog does not answer right now.",
            ),
            (Code::StoreUnreachable, _) => Self::store_unreachable(),
            // What broke off on its way, or was too much for the store just now.
            (Code::StoreError, _) if error.retry => Self::store_unreachable(),
            (Code::DatabaseUnreachable | Code::PoolExhausted | Code::ConnectionLost, _) => {
                Self::unavailable(
                    "database_unreachable",
                    "The database does not answer right now.",
                )
            }
            // The operator's settings are wrong, or a part broke: nothing that a caller could mend or should read.
            (Code::Config | Code::Internal | Code::CatalogRefused | Code::CatalogError, _)
            | (_, Class::Failed | Class::Connect) => Self {
                code: error.code.as_str().into(),
                ..Self::internal()
            },
            (code, class) => Self {
                hint: error.hint.clone(),
                ..Self::new(status(class), code.as_str(), error.message.clone())
            },
        }
    }
}

fn status(class: Class) -> StatusCode {
    match class {
        Class::Usage => StatusCode::BAD_REQUEST,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::Refused | Class::Cancelled => StatusCode::CONFLICT,
        Class::Failed | Class::Connect => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
