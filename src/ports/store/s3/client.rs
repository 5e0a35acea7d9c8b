//! The HTTP client of an S3 store.

use crate::error::{Code, Error, Result};
use crate::ports::store::{DEFAULT_REGION, S3Settings};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);

/// Retries and time limits are ours (`attempt`), the same for every kind of store; readers check
/// every object's BLAKE3 themselves.
pub fn build(settings: &S3Settings) -> Result<Client> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let region = settings
        .region
        .clone()
        .unwrap_or_else(|| DEFAULT_REGION.to_string());
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(region))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let config = with_endpoint(config, settings)?;
    Ok(Client::from_conf(
        with_credentials(config, settings)?.build(),
    ))
}

fn with_endpoint(config: Builder, settings: &S3Settings) -> Result<Builder> {
    let path_style = match settings.path_style.as_deref().map(str::trim) {
        None | Some("") => settings.endpoint.is_some(),
        Some("true" | "1") => true,
        Some("false" | "0") => false,
        Some(_) => {
            return Err(Error::new(Code::Config, "S3_FORCE_PATH_STYLE is neither true nor false")
                .hint("Write true where the bucket goes into the path, false where it is part of the host."));
        }
    };
    let config = config.force_path_style(path_style);
    let Some(endpoint) = &settings.endpoint else {
        return Ok(config);
    };
    let fits = !endpoint.contains('@')
        && url::Url::parse(endpoint).is_ok_and(|u| {
            matches!(u.scheme(), "http" | "https") && u.has_host() && u.query().is_none()
        });
    if !fits {
        return Err(Error::new(Code::Config, "S3_ENDPOINT is no http(s) URL")
            .hint("Write it as https://host or http://host:port, without user or password."));
    }
    Ok(config.endpoint_url(endpoint))
}

fn with_credentials(config: Builder, settings: &S3Settings) -> Result<Builder> {
    match (&settings.access_key, &settings.secret_key) {
        (Some(id), Some(secret)) => {
            let token = settings.session_token.clone();
            let keys = Credentials::new(id, secret, token, None, "rovodev");
            Ok(config.credentials_provider(SharedCredentialsProvider::new(keys)))
        }
        (None, None) => Ok(config.allow_no_auth()),
        _ => Err(Error::new(
            Code::Config,
            "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set",
        )
        .hint("Set both.")),
    }
}
