//! What is refused before a handler sees it.

use super::guard::{LARGEST_BODY, Route};
use super::origin::{self, Origin};
use super::{Problem, Request};
use http::{Method, StatusCode, header};

/// Headers that say one thing: of two, each part on the way might believe another.
const ONCE: &[&str] = &[
    "authorization",
    "content-type",
    "host",
    "idempotency-key",
    "last-event-id",
    "origin",
    "x-forwarded-host",
    "x-rovodev-door",
    "x-rovodev-tenant",
    "x-vercel-signature",
];

/// The refusal, if any.
pub fn refuse(route: &Route, origin: &Origin, request: &Request) -> Option<Problem> {
    let writes = *request.method() != Method::GET;
    if !route.methods.contains(request.method()) {
        return Some(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{} is not possible here.", request.method()),
        ));
    }
    if let Some(name) = ONCE
        .iter()
        .find(|name| request.headers().get_all(**name).iter().count() > 1)
    {
        return Some(Problem::bad_request(
            "repeated_header",
            format!("The header {name} came more than once."),
        ));
    }
    if writes && *origin == Origin::Foreign {
        return Some(origin::refused());
    }
    body(request)
}

fn body(request: &Request) -> Option<Problem> {
    if request.body().is_empty() {
        return None;
    }
    if request.body().len() > LARGEST_BODY {
        return Some(too_large());
    }
    if !matches!(*request.method(), Method::POST | Method::PATCH) {
        return Some(Problem::bad_request(
            "unexpected_body",
            format!(
                "{} takes no body; what it needs stands in the address.",
                request.method()
            ),
        ));
    }
    let typed = request.headers().get(header::CONTENT_TYPE);
    let typed = typed
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .map(str::trim);
    if typed.is_some_and(|t| t.eq_ignore_ascii_case("application/json")) {
        return None;
    }
    Some(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "Send the body as application/json.",
    ))
}

/// For doors that stop reading a body at the limit.
pub fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("A body holds {LARGEST_BODY} bytes at most."),
    )
}
