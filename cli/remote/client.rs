//! Requests to a deployment: the token, timeouts, and what may be sent again.

use super::problem;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use rovodev::config::{self, Settings};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::web;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use url::{Host, Url};
use uuid::Uuid;

const RETRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(300);

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: HeaderValue,
    tenant: Option<HeaderValue>,
}

/// Whether a call that broke on its way may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Only where it surely was not begun.
    Unsent,
    /// Its effect is the same once or twice.
    Safely,
    /// The deployment knows it again by this key.
    WithKey(Uuid),
}

impl Client {
    /// # Errors
    /// [`Code::Config`] where the address or the token cannot serve.
    pub fn new(url: &str, settings: &Settings) -> Result<Self> {
        let url = address(url)?;
        let token = settings.get(&config::ROVODEV_TOKEN).ok_or_else(|| {
            Error::new(Code::Config, "ROVODEV_TOKEN is not set")
                .hint("--api needs an access token of Supabase Auth for a member of the tenant; docs/DEPLOY.md says how CI gets one.")
        })?;
        let broken = |_| {
            Error::new(
                Code::Config,
                "ROVODEV_TOKEN holds characters that no token has",
            )
        };
        let mut token = HeaderValue::from_str(&format!("Bearer {token}")).map_err(broken)?;
        token.set_sensitive(true);
        // Without one said, the deployment takes the caller's first.
        let said = settings
            .origin(&config::ROVODEV_TENANT)
            .is_some_and(|origin| origin != config::Origin::Default);
        let tenant = settings.get(&config::ROVODEV_TENANT).filter(|_| said);
        let tenant = tenant.map(HeaderValue::from_str).transpose();
        Ok(Self {
            http: web::client()?,
            url,
            token,
            tenant: tenant
                .map_err(|_| Error::new(Code::Config, "the tenant's name cannot be read"))?,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request in the caller's name.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.token.clone())
            .header("x-rovodev-door", "cli");
        match &self.tenant {
            Some(tenant) => request.header("x-rovodev-tenant", tenant.clone()),
            None => request,
        }
    }

    /// The JSON of an answer; nothing where the answer is empty.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<T> {
        let bytes = (|| self.once(&method, path, body, repeat))
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(FIRST_PAUSE)
                    .with_max_times(RETRIES)
                    .with_jitter(),
            )
            .when(|failed: &Failed| match repeat {
                Repeat::Safely | Repeat::WithKey(_) => failed.error.retry,
                Repeat::Unsent => failed.unsent,
            })
            .await
            .map_err(|failed| failed.error)?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|e| problem::unreadable(&self.url).source(e))
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Bytes, Failed> {
        let mut request = self
            .request(method.clone(), path)
            .header(ACCEPT, "application/json");
        if let Repeat::WithKey(key) = repeat {
            request = request.header("idempotency-key", key.to_string());
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(|e| Failed {
            unsent: e.is_connect(),
            error: problem::unreachable(&self.url, e),
        })?;
        if !response.status().is_success() {
            let unsent = matches!(response.status().as_u16(), 429 | 503);
            let error = self.refusal(response).await;
            return Err(Failed { unsent, error });
        }
        response.bytes().await.map_err(|e| Failed {
            unsent: false,
            error: problem::unreachable(&self.url, e),
        })
    }

    /// Why a deployment refused.
    pub async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        let wait = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let body = response.bytes().await.unwrap_or_default();
        problem::refused(&self.url, status, wait, &body)
    }
}

/// The origin alone. A token never goes over an open wire, but for this machine's own.
fn address(text: &str) -> Result<String> {
    let wrong = |what: &str| {
        Error::new(Code::Config, format!("--api {what}"))
            .hint("Write it as https://PROJECT.vercel.app.")
    };
    let url = Url::parse(text).map_err(|_| wrong("is no address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a password: the token goes into ROVODEV_TOKEN",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must end before ? and #"));
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(wrong("names no host")),
    };
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => {
            return Err(wrong(
                "must begin with https://, so that nobody reads the token",
            ));
        }
    }
    Ok(url.origin().ascii_serialization())
}

struct Failed {
    /// The deployment cannot have begun.
    unsent: bool,
    error: Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_only_where_nobody_listens() {
        assert_eq!(
            address("https://a.example/api/").unwrap(),
            "https://a.example"
        );
        assert_eq!(
            address("http://127.0.0.1:3000").unwrap(),
            "http://127.0.0.1:3000"
        );
        for wrong in [
            "http://a.example",
            "a.example",
            "https://me:x@a.example",
            "https://a.example?bypass=me:x",
            "https://a.example/#b",
            "ftp://a",
        ] {
            let error = address(wrong).unwrap_err();
            assert_eq!(error.code, Code::Config, "{wrong}");
            assert!(!error.message.contains("me:x"), "{error}");
        }
    }
}
