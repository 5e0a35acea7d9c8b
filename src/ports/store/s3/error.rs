//! What an S3 error means for us.

use crate::error::{Code, Error};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error as StdError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    Read,
    Write,
    List,
}

/// A request, as far as its failure is told by it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub doing: Doing,
    pub bucket: &'a str,
    /// `None`: Amazon's.
    pub endpoint: Option<&'a str>,
    pub signed: bool,
}

/// Where nothing answers or nothing is allowed, for want of keys.
const NO_KEYS: &str = "No keys are set, so requests are not signed. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
    (and AWS_SESSION_TOKEN with temporary ones) in the environment or in .env; profiles (~/.aws) and roles of \
    machines are not looked at.";

/// The service's own code of an error, else the HTTP status.
pub fn failed_code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    let told = error.as_service_error().and_then(|e| e.code());
    let status = error.raw_response().map(|r| r.status().as_u16());
    match (told, status) {
        (Some(code), _) => Some(code.to_string()),
        (None, Some(404)) => Some("NotFound".to_string()),
        (None, status) => status.map(|s| s.to_string()),
    }
}

/// The client's own chain of causes is left out: its innermost one stands in the message.
pub fn failed<E>(error: SdkError<E, HttpResponse>, asked: &Asked<'_>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match (&error, failed_code(&error)) {
        (SdkError::ServiceError(_) | SdkError::ResponseError(_), Some(code)) => {
            let status = error.raw_response().map_or(0, |r| r.status().as_u16());
            let told = error.as_service_error().and_then(|e| e.message());
            let mut known = from_code(&code, told, asked);
            known.retry |= status >= 500 && status != 501 && status != 507;
            known
        }
        (SdkError::ConstructionFailure(_), _) => {
            Error::new(Code::Config, "the request could not be made").source(error)
        }
        _ => Error::new(
            Code::StoreUnreachable,
            format!("no answer: {}", innermost(&error)),
        )
        .hint(match asked.signed {
            true => "Check the network, S3_ENDPOINT and AWS_REGION.".to_string(),
            false => format!("Check the network, S3_ENDPOINT and AWS_REGION. {NO_KEYS}"),
        })
        .retry(true),
    }
}

/// From the code that the service names, for example `NoSuchBucket`.
pub fn from_code(code: &str, told: Option<&str>, asked: &Asked<'_>) -> Error {
    let doing = asked.doing;
    let text = match told.filter(|told| !told.is_empty()) {
        Some(told) => format!("{code}: {told}"),
        None => code.to_string(),
    };
    let (known, hint) = match code {
        "NoSuchBucket" => return no_bucket(asked),
        "NoSuchKey" | "NotFound" | "404" if doing == Doing::Read => {
            return Error::new(Code::ObjectMissing, "there is no such object");
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "401" => (
            Code::StoreAuth,
            "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
        ),
        "RequestTimeTooSkewed" => (Code::StoreAuth, "Set this machine's clock."),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "MethodNotAllowed" | "403"
            if doing == Doing::Write =>
        {
            (
                Code::StoreReadOnly,
                "Allow s3:PutObject and s3:DeleteObject for these credentials.",
            )
        }
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "403" => (
            Code::StoreAuth,
            "Check the credentials, and allow s3:GetObject and s3:ListBucket for them.",
        ),
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "301" => (
            Code::StoreMissing,
            "The bucket lies in another region: set AWS_REGION.",
        ),
        "QuotaExceeded"
        | "StorageFull"
        | "XMinioStorageFull"
        | "InsufficientStorage"
        | "EntityTooLarge"
        | "507" => (
            Code::StoreFull,
            "Free some room in the store, or raise its quota.",
        ),
        _ => {
            let passing = [
                "SlowDown",
                "RequestTimeout",
                "InternalError",
                "ServiceUnavailable",
                "Throttling",
                "ThrottlingException",
                "TooManyRequests",
                "RequestLimitExceeded",
                "BadDigest",
                "XAmzContentChecksumMismatch",
                "ConditionalRequestConflict",
                "OperationAborted",
                "409",
                "429",
            ];
            return Error::new(Code::StoreError, text).retry(passing.contains(&code));
        }
    };
    let for_want_of_keys = !asked.signed && matches!(known, Code::StoreAuth | Code::StoreReadOnly);
    Error::new(known, text).hint(if for_want_of_keys { NO_KEYS } else { hint })
}

fn no_bucket(asked: &Asked<'_>) -> Error {
    let (bucket, place) = (asked.bucket, asked.endpoint.unwrap_or("Amazon S3"));
    let flag = match asked.endpoint {
        Some(endpoint) => format!(" --endpoint-url {endpoint}"),
        None => String::new(),
    };
    Error::new(
        Code::StoreMissing,
        format!("there is no bucket {bucket:?} at {place} (NoSuchBucket)"),
    )
    .hint(format!(
        "Make it, such as by `aws s3 mb s3://{bucket}{flag}`, or check the name (--store, BACKUP_STORE), S3_ENDPOINT and AWS_REGION."
    ))
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
