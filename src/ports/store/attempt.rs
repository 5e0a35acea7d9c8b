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

/// Tries that a call gets, with about ten seconds of waiting between them.
const TRIES: usize = 5;
/// For a question whether the store is there at all: what passes within a moment is passed over, no more.
const QUICK_TRIES: usize = 2;

/// Runs `call` until it succeeds, fails for good, or has been tried five times.
pub async fn repeated<T, F, Fut>(limit: Duration, call: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    tried(TRIES, limit, call).await
}

/// Runs `call` once or twice, all within `limit`.
pub async fn quick<T, F, Fut>(limit: Duration, call: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    tokio::time::timeout(limit, tried(QUICK_TRIES, limit, call))
        .await
        .unwrap_or_else(|_| Err(silent(limit)))
}

/// Delays between tries; no two are alike, or all that failed at one moment would come back at one.
fn backoff(tries: usize) -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(tries - 1)
        .with_jitter()
}

async fn tried<T, F, Fut>(most: usize, limit: Duration, call: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let tries = AtomicU32::new(0);
    let bounded = || async {
        tries.fetch_add(1, Ordering::Relaxed);
        tokio::time::timeout(limit, call())
            .await
            .unwrap_or_else(|_| Err(silent(limit)))
    };
    let done = bounded
        .retry(backoff(most))
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

#[cfg(test)]
mod tests {
    use super::*;
    use backon::BackoffBuilder;

    /// Without the standard library's clock, the crate's generator starts every process at one seed.
    #[test]
    fn processes_that_fail_together_come_back_apart() {
        let delays = || backoff(TRIES).build().collect::<Vec<_>>();
        assert_eq!(delays().len(), TRIES - 1);
        assert_ne!(delays(), delays());
    }
}
