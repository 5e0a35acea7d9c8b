//! What every handler is given: settings, the catalog, the verifier of tokens.

use super::token::Verifier;
use crate::config::{self, Settings};
use crate::error::Result;
use crate::ports::catalog::{ApiKey, Catalog};
use crate::ports::store::Store;
use crate::ports::web;
use crate::tasks::jobs::Workshop;
use crate::tasks::places;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the platform lets an invocation live: `maxDuration` in `vercel.json`, held equal by a test.
pub const MAX_DURATION: Duration = Duration::from_secs(300);
/// Kept back for a clean end.
const MARGIN: Duration = Duration::from_secs(20);
/// What an invocation may work or stream.
pub const WORKING_TIME: Duration = MAX_DURATION.saturating_sub(MARGIN);

/// One per process; cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    settings: Settings,
    catalog: Catalog,
    verifier: Verifier,
    /// Origins that may write besides the one that serves us.
    origins: Vec<String>,
}

impl Service {
    /// # Errors
    /// [`crate::error::Code::Config`] naming the setting that is missing.
    pub fn new(settings: Settings) -> Result<Self> {
        let http = web::client()?;
        let url = settings.require(&config::SUPABASE_URL)?.to_string();
        let publishable = ApiKey::new(settings.require(&config::SUPABASE_PUBLISHABLE_KEY)?);
        let secret = settings.get(&config::SUPABASE_SECRET_KEY).map(ApiKey::new);
        let shared = settings.get(&config::SUPABASE_JWT_SECRET);
        Ok(Self(Arc::new(Inner {
            catalog: Catalog::new(http.clone(), &url, publishable, secret),
            verifier: Verifier::new(http, &url, shared),
            origins: Vec::new(),
            settings,
        })))
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// For work behind a response that is sent now.
    pub fn workshop(&self) -> Result<Workshop> {
        let deadline = Instant::now() + WORKING_TIME;
        Workshop::new(self.settings(), self.catalog().clone(), Some(deadline))
    }

    /// Where backups lie.
    pub fn store(&self) -> Result<Store> {
        places::store(self.settings())
    }

    pub fn origins(&self) -> &[String] {
        &self.0.origins
    }
}
