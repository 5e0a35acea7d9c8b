//! What a worker works with: the source, the store, the catalog, and how long it may.

use super::telling::Telling;
use crate::config::{self, Settings};
use crate::error::Result;
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
/// What functions with part of their time stopped so often is for workers, too.
const MOST_PUT_OFF: u32 = 4;
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
    /// From the beginning until then.
    pub(super) whole_time: Option<Duration>,
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
    /// Days after which a backup is read back again; 0 where none is.
    pub(super) check_days: u32,
    /// Hours that what only a worker can end waits for one.
    pub(super) worker_hours: u32,
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
            store: places::shared_store(settings)?,
            store_key: settings.get(&config::STORE_KEY).map(str::to_string),
            pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
            project: PathBuf::from("."),
            name: format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
            deadline,
            whole_time: deadline.map(|at| at.saturating_duration_since(Instant::now())),
            outer: Context::default(),
            readers: create::READERS,
            writers: WRITERS,
            room: None,
            notifier: Notifier::new(settings),
            telling: Telling::default(),
            check_days: settings.number(&config::ROVODEV_CHECK_DAYS, 0..=365)?,
            worker_hours: settings.number(&config::ROVODEV_WORKER_HOURS, 1..=720)?,
            undo_days: restore::undo_days(settings)?,
            jobs_at_once: settings.number(&config::ROVODEV_JOBS_AT_ONCE, 1..=100)?,
            stop: CancellationToken::new(),
        })
    }

    /// Whether about as much time is left as a function ever has: what it does not end then, none ends.
    pub(super) fn has_all_its_time(&self) -> bool {
        let (Some(deadline), Some(whole)) = (self.deadline, self.whole_time) else {
            return false;
        };
        deadline.saturating_duration_since(Instant::now()) >= whole.mul_f64(0.85)
    }

    /// Whether a function stops for so many attempts already what others had begun before.
    pub(super) fn is_put_off_for_good(&self, attempt: u32) -> bool {
        self.deadline.is_some() && attempt >= MOST_PUT_OFF
    }

    /// Whether a function that expects work to take so many seconds leaves it to a worker.
    pub(super) fn is_outlasted_by(&self, seconds: Option<f64>) -> bool {
        let whole = self.whole_time.filter(|_| self.deadline.is_some());
        whole.is_some_and(|whole| seconds.is_some_and(|s| s > whole.as_secs_f64()))
    }

    /// Whether another job may be begun.
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
