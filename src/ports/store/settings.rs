//! How to reach an S3 store.

use std::fmt;

pub const DEFAULT_REGION: &str = "us-east-1";

/// What `s3://bucket/prefix` does not say. Without keys, requests are not signed.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// `https://host[:port]` of a service other than Amazon's.
    pub endpoint: Option<String>,
    /// `true` or `false`: whether the bucket goes into the path. Default: with an endpoint alone.
    pub path_style: Option<String>,
    /// Default: [`DEFAULT_REGION`].
    pub region: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

/// Shows no secret.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key", &self.access_key.is_some())
            .finish_non_exhaustive()
    }
}
