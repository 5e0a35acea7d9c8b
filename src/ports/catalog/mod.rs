//! The catalog: tables and functions of a Supabase project, reached through PostgREST alone.
//!
//! Requests are built by the `postgrest` crate and sent by our own client, which has timeouts and retries. Who asks
//! decides what the database lets through: a person's token, or the secret key of jobs.

mod answer;
mod keys;
mod moment;

pub use keys::{ApiKey, As};
pub use moment::{moment, moment_if_any};

use crate::error::{Code, During, Error, Result};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use postgrest::{Builder, Postgrest};
use reqwest::{Method, header::HeaderMap};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// All tries of one call together. Supabase itself ends a person's statement after eight seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A catalog of one Supabase project. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    http: reqwest::Client,
    postgrest: Postgrest,
    base: String,
    publishable: ApiKey,
    secret: Option<ApiKey>,
}

/// Whether a call that broke on its way may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Only where it surely was not begun.
    Unsent,
    /// Its effect is the same once or twice.
    Safely,
}

impl Catalog {
    /// `url` is the project's, as in `https://PROJECT.supabase.co`. Without a secret key jobs cannot be run.
    pub fn new(
        http: reqwest::Client,
        url: &str,
        publishable: ApiKey,
        secret: Option<ApiKey>,
    ) -> Self {
        let base = url.trim_end_matches('/').to_string();
        Self {
            http,
            postgrest: Postgrest::new(format!("{base}/rest/v1")),
            base,
            publishable,
            secret,
        }
    }

    /// The client that it is asked by.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Where it is, for people.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Calls a function of the catalog.
    ///
    /// # Errors
    /// [`Code::CatalogUnreachable`] where no answer came within ten seconds; [`Code::CatalogRefused`] where the token or key was
    /// not accepted; [`Code::CatalogError`] for every other refusal.
    pub async fn call<T: DeserializeOwned>(
        &self,
        caller: As<'_>,
        function: &str,
        arguments: &impl Serialize,
        repeat: Repeat,
    ) -> Result<T> {
        let mut arguments = serde_json::to_value(arguments).map_err(|e| {
            Error::new(Code::Internal, format!("arguments of {function}")).source(e)
        })?;
        // What is absent takes its default; not every PostgREST reads null as NULL.
        if let Some(named) = arguments.as_object_mut() {
            named.retain(|_, value| !value.is_null());
        }
        let request = self.prepare(caller, self.postgrest.rpc(function, arguments.to_string()))?;
        self.send(&request, repeat)
            .await
            .during(format_args!("catalog function {function}"))
    }

    /// Reads rows of a table: `query` chooses columns, filters and order.
    pub async fn read<T: DeserializeOwned>(
        &self,
        caller: As<'_>,
        table: &str,
        query: impl FnOnce(Builder) -> Builder,
    ) -> Result<Vec<T>> {
        let request = self.prepare(caller, query(self.postgrest.from(table)))?;
        self.send(&request, Repeat::Safely)
            .await
            .during(format_args!("catalog table {table}"))
    }

    fn prepare(&self, caller: As<'_>, builder: Builder) -> Result<Prepared> {
        let built = builder.build().build().map_err(|e| {
            Error::new(Code::Internal, "the catalog request cannot be built").source(e)
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in built.headers() {
            // The crate brings an older `http`; the bytes are the same.
            let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes());
            let value = reqwest::header::HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        keys::authorize(
            &mut headers,
            caller,
            &self.publishable,
            self.secret.as_ref(),
        )?;
        let body = built.body().and_then(|b| b.as_bytes()).unwrap_or_default();
        Ok(Prepared {
            method: Method::from_bytes(built.method().as_str().as_bytes()).unwrap_or(Method::GET),
            url: built.url().to_string(),
            headers,
            body: Bytes::copy_from_slice(body),
        })
    }

    async fn send<T: DeserializeOwned>(&self, request: &Prepared, repeat: Repeat) -> Result<T> {
        let tries = (|| self.send_once(request))
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(Duration::from_millis(100))
                    .with_max_times(2)
                    .with_jitter(),
            )
            .when(|failed: &Failed| match repeat {
                Repeat::Safely => failed.error.retry,
                Repeat::Unsent => failed.unsent,
            });
        let bytes = tokio::time::timeout(PATIENCE, tries)
            .await
            .map_err(|_| answer::silent(&self.base))?
            .map_err(|failed| failed.error)?;
        answer::parse(&self.base, &bytes)
    }

    async fn send_once(&self, request: &Prepared) -> Result<Bytes, Failed> {
        let sent = self
            .http
            .request(request.method.clone(), &request.url)
            .headers(request.headers.clone())
            .body(request.body.clone())
            .send()
            .await
            .map_err(|e| Failed {
                unsent: e.is_connect(),
                error: answer::unreachable(&self.base, e),
            })?;
        let status = sent.status();
        let bytes = sent.bytes().await.map_err(|e| Failed {
            unsent: false,
            error: answer::unreachable(&self.base, e),
        })?;
        match status.is_success() {
            true => Ok(bytes),
            false => Err(Failed {
                unsent: status == reqwest::StatusCode::SERVICE_UNAVAILABLE,
                error: answer::refused(&self.base, status, &bytes),
            }),
        }
    }
}

/// A request that can be sent more than once.
struct Prepared {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

struct Failed {
    /// The server cannot have begun.
    unsent: bool,
    error: Error,
}
