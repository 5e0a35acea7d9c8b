//! One call to a store: its time limit, and the tries it gets.

use crate::error::{Code, Error, Result};
use backon::{ExponentialBuilder, Retryable};
use std::time::Duration;

/// The slowest transfer that is still waited for, bytes per second.
const SLOWEST: u64 = 128 * 1024;

/// Time for one call that moves `bytes`.
pub fn limit(bytes: usize) -> Duration {
    Duration::from_secs(30 + bytes as u64 / SLOWEST)
}

/// For calls whose size is known only once they answer. S3 also limits each silence within.
pub const UNKNOWN_SIZE: Duration = Duration::from_secs(15 * 60);

/// Runs `call` until it succeeds, fails for good, or has been tried five times (about ten seconds of waiting).
pub async fn repeated<T, F, Fut>(limit: Duration, call: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(4)
        .with_jitter();
    let bounded = || async {
        tokio::time::timeout(limit, call())
            .await
            .unwrap_or_else(|_| Err(silent(limit)))
    };
    bounded
        .retry(backoff)
        .when(|e: &Error| e.retry)
        .notify(|e, wait| tracing::warn!(error = %e, ?wait, "the store failed; trying again"))
        .await
}

/// The error of a store that did not answer in time.
pub fn silent(limit: Duration) -> Error {
    Error::new(
        Code::StoreUnreachable,
        format!("no answer within {} s", limit.as_secs()),
    )
    .hint("Check the network and the store's address.")
    .retry(true)
}
