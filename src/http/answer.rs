//! What a handler answers: a response, and work that goes on behind it.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use serde::Serialize;

/// Bytes, at once or streamed.
pub type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

pub struct Answer {
    pub response: Response<Body>,
    /// Runs on after the response was sent, or while its body streams.
    pub behind: Vec<BoxFuture<'static, ()>>,
}

impl From<Response<Body>> for Answer {
    fn from(response: Response<Body>) -> Self {
        Self {
            response,
            behind: Vec::new(),
        }
    }
}

impl Answer {
    /// JSON in camelCase, never cached.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Our own types: they always serialize.
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        let mut response = Response::new(full(bytes));
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Self::from(response)
    }

    pub fn no_content() -> Self {
        let mut response = Response::new(full(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        Self::from(response)
    }

    /// What HEAD answers: the length stands, where it is known.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        let length = self.response.body().size_hint().exact();
        *self.response.body_mut() = full(Bytes::new());
        match length {
            Some(length) => self.header(header::CONTENT_LENGTH, HeaderValue::from(length)),
            None => self,
        }
    }

    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }

    /// Adds work that must end although the caller has its response.
    #[must_use]
    pub fn behind(mut self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        self.behind.push(Box::pin(work));
        self
    }
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}
