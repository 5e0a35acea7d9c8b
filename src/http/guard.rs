//! What every request passes through: size, origin, panics, the log, the headers of the answer.

use super::{Answer, Problem, Request, Service};
use crate::error::Error;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use uuid::Uuid;

/// Bytes of a body, at most.
pub const LARGEST_BODY: usize = 1 << 20;

/// A function: its name under `api/`, where it answers, to which methods.
pub struct Route {
    /// As in `backups/[id]/details`.
    pub function: &'static str,
    pub methods: &'static [Method],
    pub handle: fn(Service, Request) -> BoxFuture<'static, Result<Answer, Failure>>,
}

/// Why a handler has no answer.
#[derive(Debug)]
pub enum Failure {
    /// The caller's doing, or something that the caller is told as it is.
    Told(Problem),
    /// Ours: logged here, once.
    Broke(Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broke(error)
    }
}

/// Answers a request; never fails and never panics.
pub async fn answer(route: &Route, service: &Service, request: Request) -> Answer {
    let began = Instant::now();
    let id = Uuid::now_v7();
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    let handled = match refuse(route, service, &request) {
        Some(problem) => Err(Failure::Told(problem)),
        None => run(route, service, request).await,
    };
    let mut answer = handled.unwrap_or_else(|failure| explain(failure, id).into_answer());
    if answer.response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allowed: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
        set(&mut answer, header::ALLOW, &allowed.join(", "));
    }
    secure(&mut answer);
    set(
        &mut answer,
        HeaderName::from_static("x-request-id"),
        &id.to_string(),
    );
    tracing::info!(
        request = %id, %method, path, status = answer.response.status().as_u16(),
        ms = began.elapsed().as_millis() as u64, "answered"
    );
    answer
}

async fn run(route: &Route, service: &Service, request: Request) -> Result<Answer, Failure> {
    AssertUnwindSafe((route.handle)(service.clone(), request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Failure::Broke(Error::new(
                crate::error::Code::Internal,
                "a handler panicked",
            )))
        })
}

/// What is refused before a handler sees it.
fn refuse(route: &Route, service: &Service, request: &Request) -> Option<Problem> {
    if !route.methods.contains(request.method()) {
        return Some(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            format!("{} is not possible here.", request.method()),
        ));
    }
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if writes && foreign_origin(service, request) {
        return Some(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            "Pages of another origin may not write here.",
        ));
    }
    if request.body().len() > LARGEST_BODY {
        return Some(too_large());
    }
    let typed = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .map(|v| {
            v.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        });
    if !request.body().is_empty() && typed.as_deref() != Some("application/json") {
        return Some(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "Send the body as application/json.",
        ));
    }
    None
}

/// For doors that stop reading a body at the limit.
pub fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("A body holds {LARGEST_BODY} bytes at most."),
    )
}

/// A browser names the page's origin on every write. No cookie is ever read, so nothing could be forged; a foreign
/// page is refused all the same.
fn foreign_origin(service: &Service, request: &Request) -> bool {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    let Some(origin) = text(&header::ORIGIN) else {
        return false;
    };
    let host = request
        .headers()
        .get("x-forwarded-host")
        .and_then(|v| v.to_str().ok())
        .or_else(|| text(&header::HOST));
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| Some(authority) == host);
    !own && !service.origins().iter().any(|o| o == origin)
}

fn explain(failure: Failure, request: Uuid) -> Problem {
    match failure {
        Failure::Told(problem) => problem,
        Failure::Broke(error) => {
            let problem = Problem::from(&error);
            if problem.status >= 500 {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%request, code = error.code.as_str(), cause, "{error}");
            }
            problem
        }
    }
}

/// What no answer may lack. A function never serves a page, so nothing in an answer may run or be framed.
fn secure(answer: &mut Answer) {
    const HEADERS: &[(&str, &str)] = &[
        ("cache-control", "no-store"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        (
            "strict-transport-security",
            "max-age=63072000; includeSubDomains",
        ),
        ("x-content-type-options", "nosniff"),
    ];
    for (name, value) in HEADERS {
        answer
            .response
            .headers_mut()
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.response.headers_mut().insert(name, value);
    }
}
