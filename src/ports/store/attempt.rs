//! One call to a store: its time limit, and the tries it gets.

use crate::error::{Code, Error, Result};
use backon::{ExponentialBuilder, Retryable};
use std::sync::atomic::{AtomicU32, Ordering};
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
    let tries = AtomicU32::new(0);
    let bounded = || async {
        tries.fetch_add(1, Ordering::Relaxed);
        tokio::time::timeout(limit, call())
            .await
            .unwrap_or_else(|_| Err(silent(limit)))
    };
    let done = bounded
        .retry(backoff)
        .when(|e: &Error| e.retry)
        .notify(|e, wait| tracing::info!(error = %e, ?wait, "the store failed; trying again"))
        .await;
    done.map_err(|e| told(e, tries.load(Ordering::Relaxed)))
}

/// How often it was tried, where that was more than once.
fn told(mut error: Error, tries: u32) -> Error {
    if tries > 1 {
        error.message = format!("{} (tried {tries} times)", error.message);
    }
    error
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
