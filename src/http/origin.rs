//! Pages of other origins. No cookie is ever read, so a foreign page could do nothing in a person's name; its writes
//! are refused all the same, and its scripts read nothing.

use super::answer::full;
use super::guard::Route;
use super::{Answer, Problem, Request, Service};
use crate::config::{self, Settings};
use crate::error::{Code, Error, Result};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use url::Url;

/// Where a request comes from, as browsers tell it.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The page that this host serves, or no page at all.
    Own,
    /// One of `ALLOWED_ORIGINS`.
    Allowed(HeaderValue),
    Foreign,
}

/// Request headers that a page may send.
const SENT: &str =
    "authorization, content-type, idempotency-key, last-event-id, x-rovodev-tenant, x-rovodev-door";
/// Answer headers that its scripts may read.
const READ: &str = "content-disposition, location, retry-after, x-request-id";
/// Seconds that a browser remembers what it may.
const REMEMBERED: &str = "600";

/// The origins that `ALLOWED_ORIGINS` names.
///
/// # Errors
/// [`Code::Config`] where one is no origin: `https://dashboard.example.com`, without a path.
pub fn allowed(settings: &Settings) -> Result<Vec<String>> {
    let named = settings.get(&config::ALLOWED_ORIGINS).unwrap_or_default();
    let each = named.split(',').map(str::trim).filter(|o| !o.is_empty());
    each.map(|text| match Url::parse(text) {
        Ok(url) if url.origin().ascii_serialization() == text => Ok(text.to_string()),
        _ => Err(Error::new(
            Code::Config,
            format!("ALLOWED_ORIGINS holds {text:?}, which is no origin"),
        )
        .hint("Write scheme and host as browsers send them, such as https://dashboard.example.com, separated by commas.")),
    })
    .collect()
}

pub fn of(service: &Service, request: &Request) -> Origin {
    let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    let Some(value) = request.headers().get(header::ORIGIN) else {
        return Origin::Own;
    };
    let origin = value.to_str().unwrap_or_default();
    if service.origins().iter().any(|o| o == origin) {
        return Origin::Allowed(value.clone());
    }
    // Vercel overwrites the former; a page cannot set either.
    let host = text("x-forwarded-host").or_else(|| text("host"));
    let own = origin
        .split_once("://")
        .is_some_and(|(_, authority)| Some(authority) == host);
    match own {
        true => Origin::Own,
        false => Origin::Foreign,
    }
}

/// The answer to a browser that asks before it sends.
pub fn preflight(route: &Route, origin: &Origin) -> Result<Answer, Problem> {
    if *origin == Origin::Foreign {
        return Err(refused());
    }
    let mut response = Response::new(full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let mut answer = Answer::from(response).header(header::ALLOW, methods(route));
    if let Origin::Allowed(_) = origin {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, methods(route)),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(SENT),
            ),
            (
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static(REMEMBERED),
            ),
        ] {
            answer = answer.header(name, value);
        }
    }
    Ok(answer)
}

pub fn refused() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "Pages of another origin may not write here.",
    )
    .hint("ALLOWED_ORIGINS names the origins that may.")
}

/// Lets scripts of an allowed origin read the answer.
pub fn let_read(answer: &mut Answer, origin: &Origin) {
    let headers = answer.response.headers_mut();
    if let Origin::Allowed(value) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value.clone());
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(READ),
        );
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

/// What a route answers to, for `Allow`.
pub fn methods(route: &Route) -> HeaderValue {
    let mut all: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
    if route.methods.contains(&Method::GET) {
        all.push("HEAD");
    }
    all.push("OPTIONS");
    HeaderValue::from_str(&all.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>> {
        allowed(&Settings::of([("ALLOWED_ORIGINS", text.to_string())]))
    }

    #[test]
    fn origins_are_read_as_browsers_send_them() {
        let two = "https://a.example, http://localhost:3000";
        assert_eq!(
            read(two).unwrap(),
            ["https://a.example", "http://localhost:3000"]
        );
        assert_eq!(read("").unwrap(), Vec::<String>::new());
        for text in [
            "*",
            "null",
            "a.example",
            "https://a.example/",
            "https://A.example",
            "https://a.example/x",
            "https://a.example:443",
            "https://me@a.example",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error.code == Code::Config && error.message.contains(text),
                "{error}"
            );
        }
    }
}
