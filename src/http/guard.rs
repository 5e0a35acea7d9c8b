//! What every request passes through: size, origin, panics, the log, the headers of the answer.

use super::refusals::{self, Asked};
use super::{Answer, Problem, Request, Service, entrance, health, origin};
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

/// Answers a request; never fails and never panics. HEAD is GET without the body.
pub async fn answer(route: &Route, service: &Service, mut request: Request) -> Answer {
    let began = Instant::now();
    let id = Uuid::now_v7();
    let (method, path) = (request.method().clone(), request.uri().path().to_string());
    let origin = origin::of(service, &request);
    if method == Method::HEAD && route.methods.contains(&Method::GET) {
        *request.method_mut() = Method::GET;
    }
    let asked = Asked::of(&request);
    let handled = match entrance::refuse(route, &origin, &request) {
        _ if method == Method::OPTIONS => origin::preflight(route, &origin).map_err(Failure::Told),
        Some(problem) => Err(Failure::Told(problem)),
        None => run(route, service.clone().since(began), request).await,
    };
    let refused = refusals::told(&handled);
    let mut answer = handled.unwrap_or_else(|failure| explain(failure, id).into_answer());
    if let Some(problem) = refused {
        answer = asked.noted(route, service, &problem, answer);
    }
    if answer.response.status() == StatusCode::METHOD_NOT_ALLOWED {
        answer = answer.header(header::ALLOW, origin::methods(route));
    }
    if method == Method::HEAD {
        answer = answer.without_body();
    }
    origin::let_read(&mut answer, &origin);
    finish(&mut answer, id);
    tracing::info!(
        request = %id, %method, path, status = answer.response.status().as_u16(),
        ms = began.elapsed().as_millis() as u64, "answered"
    );
    answer
}

/// For what no handler saw: an unknown path, a body that was not read to its end, settings that are not complete.
pub fn turned_away(problem: Problem) -> Answer {
    let id = Uuid::now_v7();
    tracing::info!(request = %id, status = problem.status, code = problem.code, "turned away");
    let mut answer = problem.into_answer();
    finish(&mut answer, id);
    answer
}

/// For a request to a process whose settings are not complete.
pub fn without_settings(route: &Route, method: &Method, query: Option<&str>) -> Answer {
    match health::without_settings(route.function, method, query) {
        Some(mut alive) => {
            finish(&mut alive, Uuid::now_v7());
            alive
        }
        None => turned_away(Problem::internal()),
    }
}

fn finish(answer: &mut Answer, id: Uuid) {
    secure(answer);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        let name = HeaderName::from_static("x-request-id");
        answer.response.headers_mut().insert(name, value);
    }
}

async fn run(route: &Route, service: Service, request: Request) -> Result<Answer, Failure> {
    AssertUnwindSafe((route.handle)(service, request))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(Failure::Broke(Error::new(
                crate::error::Code::Internal,
                "a handler panicked",
            )))
        })
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
