//! What every handler is given: settings, the catalog, the verifier of tokens.

use super::health::Looks;
use super::jwks::Pace;
use super::origin;
use super::token::Verifier;
use crate::config::{self, Settings};
use crate::error::Result;
use crate::ports::catalog::{ApiKey, Catalog};
use crate::ports::store::Store;
use crate::ports::web;
use crate::tasks::jobs::Workshop;
use crate::tasks::notify::Notifier;
use crate::tasks::places;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the platform lets an invocation live: `maxDuration` of the `vercel.json` that this program is built and
/// deployed with.
pub const MAX_DURATION: Duration =
    Duration::from_secs(smallest_duration(include_bytes!("../../vercel.json")));
/// Kept back for a clean end.
const MARGIN: Duration = Duration::from_secs(20);
/// What an invocation may work or stream.
pub const WORKING_TIME: Duration = MAX_DURATION.saturating_sub(MARGIN);

/// One per process; cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
    /// When the invocation began whose request this answers; the platform counts from there.
    began: Option<Instant>,
}

struct Inner {
    settings: Settings,
    catalog: Catalog,
    verifier: Verifier,
    /// Origins that may write besides the one that serves us.
    origins: Vec<String>,
    looks: Looks,
    notifier: Notifier,
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
        let inner = Arc::new(Inner {
            catalog: Catalog::new(http.clone(), &url, publishable, secret),
            verifier: Verifier::new(http, &url, shared, Pace::default()),
            origins: origin::allowed(&settings)?,
            looks: Looks::default(),
            notifier: Notifier::new(&settings),
            settings,
        });
        Ok(Self { inner, began: None })
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    /// For an invocation that began then.
    #[must_use]
    pub fn since(self, began: Instant) -> Self {
        let began = Some(began);
        Self { began, ..self }
    }

    /// When what this invocation works on must be over.
    pub fn deadline(&self) -> Instant {
        self.began.unwrap_or_else(Instant::now) + WORKING_TIME
    }

    /// For work behind the response.
    pub fn workshop(&self) -> Result<Workshop> {
        let deadline = self.deadline();
        let workshop = Workshop::new(self.settings(), self.catalog().clone(), Some(deadline))?;
        Ok(workshop.with_notifier(self.notifier().clone()))
    }

    /// Where backups lie.
    pub fn store(&self) -> Result<Store> {
        places::shared_store(self.settings())
    }

    pub fn origins(&self) -> &[String] {
        &self.inner.origins
    }

    /// Who sends notifications.
    pub fn notifier(&self) -> &Notifier {
        &self.inner.notifier
    }

    /// What the parts of the project answered lately.
    pub fn looks(&self) -> &Looks {
        &self.inner.looks
    }
}

/// The smallest `"maxDuration": N` of a `vercel.json`, while the compiler runs: a file without one does not compile.
const fn smallest_duration(json: &[u8]) -> u64 {
    const NAME: &[u8] = b"\"maxDuration\":";
    let (mut at, mut smallest) = (0, u64::MAX);
    while at + NAME.len() < json.len() {
        let mut same = 0;
        while same < NAME.len() && json[at + same] == NAME[same] {
            same += 1;
        }
        at += 1;
        if same == NAME.len() {
            at += NAME.len() - 1;
            let seconds = number(json, at);
            if seconds < smallest {
                smallest = seconds;
            }
        }
    }
    assert!(smallest > 30 && smallest <= 800, "vercel.json: maxDuration");
    smallest
}

/// The number at `at`, behind blanks.
const fn number(json: &[u8], mut at: usize) -> u64 {
    while at < json.len() && json[at].is_ascii_whitespace() {
        at += 1;
    }
    let mut number = 0;
    while at < json.len() && json[at].is_ascii_digit() {
        number = number * 10 + (json[at] - b'0') as u64;
        at += 1;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_that_of_the_file() {
        assert_eq!(
            smallest_duration(b"{\"maxDuration\": 800, \"maxDuration\":300}"),
            300
        );
        assert_eq!(
            smallest_duration(b"{\"a\": 7, \"maxDuration\":\n 800}"),
            800
        );
    }
}
