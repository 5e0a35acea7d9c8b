//! Telling people how jobs ended, beside the next job: a receiver that hangs holds up no backup.

use super::Workshop;
use crate::tasks::notify;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// So long one of us begins to send; the tick goes on.
const TELLING: Duration = Duration::from_secs(5);
/// Who tells at the same time in this process.
const AT_ONCE: usize = 3;

/// Those who tell just now. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Telling(Arc<Mutex<JoinSet<()>>>);

impl Workshop {
    /// Begins to send what there is to be told, unless enough of us do.
    pub(super) fn begin_telling(&self) {
        let mut begun = self
            .telling
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while begun.try_join_next().is_some() {}
        if begun.len() < AT_ONCE {
            let workshop = self.clone();
            begun.spawn(async move { tell(&workshop, TELLING).await });
        }
    }

    /// Until that was done: a process must not end before.
    pub async fn told(&self) {
        let mut begun = take(
            &mut *self
                .telling
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        while begun.join_next().await.is_some() {}
    }
}

/// Sends what there is to be told, for so long. What fails is written down, and the next tick goes on with it.
pub async fn tell(workshop: &Workshop, within: Duration) {
    let until = Instant::now() + within;
    match notify::deliver(&workshop.catalog, &workshop.notifier, until).await {
        Ok(0) => {}
        Ok(sent) => tracing::info!(sent, "told what happened"),
        Err(error) => tracing::warn!(%error, "what is to be told could not be claimed"),
    }
}
