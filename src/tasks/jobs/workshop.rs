//! What a worker works with: the source, the store, the catalog, and how long it may.

use super::telling::Telling;
use crate::config::{self, Settings};
use crate::error::{Code, Error, Result};
use crate::ports::catalog::Catalog;
use crate::ports::postgres::DatabaseUrl;
use crate::ports::store::Store;
use crate::ports::vercel::Vercel;
use crate::tasks::notify::Notifier;
use crate::tasks::{Context, create, places, restore};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const WRITERS: usize = 2;
/// So much time must be left to begin one more job.
const WORTH_BEGINNING: Duration = Duration::from_secs(120);

/// Cheap to clone.
#[derive(Clone)]
pub struct Workshop {
    pub(super) catalog: Catalog,
    pub(super) source: DatabaseUrl,
    pub(super) store: Store,
    pub(super) store_key: Option<String>,
    pub(super) pg_dump: Option<PathBuf>,
    /// Who holds deployments; none where nobody shall.
    pub(super) vercel: Option<Vercel>,
    /// Where `vercel.json` and `package.json` are.
    pub project: PathBuf,
    /// Tells workers apart in the catalog.
    pub(super) name: String,
    /// When the platform ends this process; a worker of one's own has none.
    pub(super) deadline: Option<Instant>,
    /// Who looks on, and may stop the work: a person at a terminal. Nobody, by default.
    pub outer: Context,
    /// Connections that read, and that write, at the same time.
    pub readers: usize,
    pub writers: usize,
    /// Free bytes on the target's disk, where somebody knows them.
    pub room: Option<u64>,
    /// Tells people how jobs ended.
    pub(super) notifier: Notifier,
    pub(super) telling: Telling,
    /// Days that a restore keeps what it changed.
    pub(super) undo_days: u32,
    /// Jobs that use the source together, whoever holds them: each opens several sessions of the app's own database, which
    /// has few.
    pub(super) jobs_at_once: u32,
    /// Cancelled when the worker shall stop: what it holds goes back to the queue.
    pub(super) stop: CancellationToken,
}

impl Workshop {
    /// # Errors
    /// [`crate::error::Code::Config`] naming the setting that is missing.
    pub fn new(settings: &Settings, catalog: Catalog, deadline: Option<Instant>) -> Result<Self> {
        Ok(Self {
            vercel: Vercel::new(settings, catalog.http().clone()),
            catalog,
            source: places::source(settings)?,
            store: places::store(settings)?,
            store_key: settings.get(&config::STORE_KEY).map(str::to_string),
            pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
            project: PathBuf::from("."),
            name: format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
            deadline,
            outer: Context::default(),
            readers: create::READERS,
            writers: WRITERS,
            room: None,
            notifier: Notifier::new(settings),
            telling: Telling::default(),
            undo_days: restore::undo_days(settings)?,
            jobs_at_once: jobs_at_once(settings)?,
            stop: CancellationToken::new(),
        })
    }

    /// Whether another job may be begun: what the deadline stops moves to the workers, though a function that is just
    /// called could end it.
    pub(super) fn has_time(&self) -> bool {
        let needed = Instant::now() + WORTH_BEGINNING;
        self.deadline.is_none_or(|deadline| needed < deadline)
    }

    pub(super) fn stopped_by(&self, stop: &CancellationToken) -> Self {
        Self {
            stop: stop.clone(),
            ..self.clone()
        }
    }

    /// The same with another store, such as one that fails.
    #[must_use]
    pub fn with_store(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// The same with a notifier that was made before.
    #[must_use]
    pub fn with_notifier(self, notifier: Notifier) -> Self {
        Self { notifier, ..self }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }
}

fn jobs_at_once(settings: &Settings) -> Result<u32> {
    let variable = &config::ROVODEV_JOBS_AT_ONCE;
    let text = settings.require(variable)?;
    let jobs = text.trim().parse().ok();
    jobs.filter(|jobs| (1..=100).contains(jobs)).ok_or_else(|| {
        Error::new(Code::Config, format!("{} is {text:?}", variable.name))
            .hint(format!("Set {} to a number from 1 to 100.", variable.name))
    })
}
