//! What a worker works with: the source, the store, the catalog, and how long it may.

use crate::config::{self, Settings};
use crate::error::Result;
use crate::ports::catalog::Catalog;
use crate::ports::postgres::DatabaseUrl;
use crate::ports::store::Store;
use crate::tasks::places;
use std::path::PathBuf;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Cheap to clone.
#[derive(Clone)]
pub struct Workshop {
    pub(super) catalog: Catalog,
    pub(super) source: DatabaseUrl,
    pub(super) store: Store,
    pub(super) store_key: Option<String>,
    pub(super) pg_dump: Option<PathBuf>,
    /// Where `vercel.json` and `package.json` are.
    pub(super) project: PathBuf,
    /// Tells workers apart in the catalog.
    pub(super) name: String,
    /// When the platform ends this process; a worker of one's own has none.
    pub(super) deadline: Option<Instant>,
    /// Cancelled when the worker shall stop: what it holds goes back to the queue.
    pub(super) stop: CancellationToken,
}

impl Workshop {
    /// # Errors
    /// [`crate::error::Code::Config`] naming the setting that is missing.
    pub fn new(settings: &Settings, catalog: Catalog, deadline: Option<Instant>) -> Result<Self> {
        Ok(Self {
            catalog,
            source: places::source(settings)?,
            store: places::store(settings)?,
            store_key: settings.get(&config::STORE_KEY).map(str::to_string),
            pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
            project: PathBuf::from("."),
            name: format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
            deadline,
            stop: CancellationToken::new(),
        })
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

    pub fn store(&self) -> &Store {
        &self.store
    }
}
