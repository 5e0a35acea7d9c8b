//! What every use case is given besides its request.

use super::clock::Clock;
use super::progress::Progress;
use crate::error::{Error, Result};
use tokio_util::sync::CancellationToken;

/// Cheap to clone; all clones share progress, cancellation and clock.
#[derive(Clone, Default)]
pub struct Context {
    pub progress: Progress,
    pub cancel: CancellationToken,
    pub clock: Clock,
}

impl Context {
    /// Fails with [`crate::error::Code::Cancelled`] once somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    /// The same, for one part of the work: cancelling the part leaves the whole as it is.
    pub fn part(&self) -> Self {
        Self {
            cancel: self.cancel.child_token(),
            ..self.clone()
        }
    }

    /// Runs `work` until it is done or somebody asks to stop. `work` must be safe to drop.
    pub async fn or_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            done = work => done,
        }
    }
}
