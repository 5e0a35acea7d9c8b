//! The one HTTP client: every call has a timeout, follows no redirect, and names what it was doing.

use crate::error::{Code, Error, Result};
use std::time::Duration;

/// From the first byte sent to the last byte read.
pub const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(5);

/// A client for the whole process; clones share its connections.
pub fn client() -> Result<reqwest::Client> {
    let client = builder()?.timeout(TIMEOUT).build();
    client.map_err(|e| Error::new(Code::Internal, format!("no HTTP client can be made: {e}")))
}

/// What every client has: the system's authorities, a limit to connecting, no redirects.
pub(super) fn builder() -> Result<reqwest::ClientBuilder> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let broken = |e: &dyn std::fmt::Display| {
        Error::new(Code::Internal, format!("no HTTP client can be made: {e}"))
    };
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| broken(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none()))
}

/// Why a call broke: what lies deepest, such as a refused connection or a certificate, and never the URL, which may hold
/// a secret.
pub fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
