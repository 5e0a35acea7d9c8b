//! The parts of the project, asked once for everybody who wants to know at the same time: a look opens a session of the
//! database and writes into the store, and a dashboard in a hundred tabs must not do that a hundred times.

use super::within;
use crate::error::Result;
use crate::http::Service;
use crate::ports::postgres::overview::Overview;
use crate::tasks::status::{Probe, StoreFound, source_and_store};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a look found is told for so long from its beginning.
const FRESH: Duration = Duration::from_secs(1);

/// What each part answered.
pub struct Parts {
    pub source: Probe<Overview>,
    pub store: Probe<StoreFound>,
    pub auth: Result<()>,
}

type Look = Shared<BoxFuture<'static, Arc<Parts>>>;

/// The last look of this process.
#[derive(Default)]
pub struct Looks(Mutex<Option<(Instant, Look)>>);

impl Looks {
    /// What a look finds that is under way or was just made; else of a new one, which ends within `limit`.
    pub async fn look(&self, limit: Duration, service: &Service) -> Arc<Parts> {
        let look = {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*last {
                Some((began, look)) if began.elapsed() < FRESH => look.clone(),
                _ => {
                    let look = look(limit, service.clone()).boxed().shared();
                    *last = Some((Instant::now(), look.clone()));
                    look
                }
            }
        };
        look.await
    }
}

async fn look(limit: Duration, service: Service) -> Arc<Parts> {
    let auth = service.verifier().reachable().boxed();
    let ((source, store), auth) = tokio::join!(
        source_and_store(service.settings(), limit).boxed(),
        within(limit, "Supabase Auth", auth),
    );
    Arc::new(Parts {
        source,
        store,
        auth,
    })
}
