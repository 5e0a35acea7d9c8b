//! Expiring claims in the store itself, since a command line may have no catalog.
//!
//! A backup's mark is its `started.json`, a prune's is `prune.lock`. Each writes its own mark first and
//! then looks for the other's, so of two that start together at least one sees the other and gives way.

mod mark;

pub use mark::{Holder, LEASE, Mark, SKEW, is_live, live_among, live_backups, live_prune};

use super::clock::Clock;
use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::{Put, Store};
use mark::{Holding, read, write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How often a mark is renewed.
const RENEW: Duration = Duration::from_secs(15);

/// A claim that is kept renewed until it is released, dropped, or lost.
#[derive(Debug)]
pub struct Lease {
    claim: Arc<Claim>,
    renewing: JoinHandle<()>,
}

#[derive(Debug)]
struct Claim {
    store: Store,
    key: String,
    clock: Clock,
    mark: Mutex<Mark>,
}

impl Lease {
    /// Claims the store for writing a backup; [`Code::StoreBusy`] while a prune is at work.
    pub async fn backup(store: &Store, tenant: &str, id: Uuid, clock: &Clock) -> Result<Self> {
        let key = keys::started(tenant, id);
        let lease = Self::claim(store, key, Holding::Backup, clock).await?;
        lease.unless_pruning().await
    }

    /// The same for an attempt that follows a dead one. Whoever calls knows, by the queue's token, that the one before
    /// must not go on; should it still run, it notices at its next look at the mark.
    pub async fn resume_backup(
        store: &Store,
        tenant: &str,
        id: Uuid,
        clock: &Clock,
    ) -> Result<Self> {
        let key = keys::started(tenant, id);
        let mark = Mark::new(Holding::Backup, clock.now());
        store.put_replace(&key, mark.to_json()?).await?;
        Self::hold(store, key, mark, clock).unless_pruning().await
    }

    async fn unless_pruning(self) -> Result<Self> {
        match live_prune(&self.claim.store, self.claim.clock.now()).await {
            Ok(None) => Ok(self),
            Ok(Some(prune)) => Err(self.give_way(&prune).await),
            Err(e) => Err(self.abandon(e).await),
        }
    }

    /// Claims the store for deleting; [`Code::StoreBusy`] while a backup or another prune is at work.
    pub async fn prune(store: &Store, clock: &Clock) -> Result<Self> {
        let lease = Self::claim(store, keys::PRUNE_LOCK.to_string(), Holding::Prune, clock).await?;
        match live_backups(store, clock.now()).await {
            Ok(marks) => match marks.first() {
                None => Ok(lease),
                Some(backup) => Err(lease.give_way(backup).await),
            },
            Err(e) => Err(lease.abandon(e).await),
        }
    }

    async fn claim(store: &Store, key: String, holding: Holding, clock: &Clock) -> Result<Self> {
        let mark = Mark::new(holding, clock.now());
        write_first(store, &key, &mark, clock).await?;
        Ok(Self::hold(store, key, mark, clock))
    }

    /// Keeps a mark that is written renewed.
    fn hold(store: &Store, key: String, mark: Mark, clock: &Clock) -> Self {
        let claim = Arc::new(Claim {
            store: store.clone(),
            key,
            clock: clock.clone(),
            mark: Mutex::new(mark),
        });
        let renewing = tokio::spawn(renew_until_lost(claim.clone()));
        Self { claim, renewing }
    }

    /// Fails with [`Code::LeaseExpired`] unless the mark is ours and has time left. To be asked right
    /// before every step that others must not overlap: the manifest, each batch of deletions.
    pub async fn still_held(&self) -> Result<()> {
        self.claim.time_left()?;
        let stored = read(&self.claim.store, &self.claim.key).await?;
        if stored.is_none_or(|m| m.holder != self.claim.current().holder) {
            return Err(expired(&self.claim.key));
        }
        self.claim.time_left().map(drop)
    }

    /// Does `work` as long as the claim is ours, and fails with [`Code::LeaseExpired`] where that ends first: what takes
    /// longer than the claim lasts must not come after somebody else's.
    pub async fn while_held<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.still_held().await?;
        let mut work = std::pin::pin!(work);
        loop {
            let left = self.claim.time_left()?;
            tokio::select! {
                biased;
                done = &mut work => return done,
                // It may have been renewed meanwhile.
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Writes a later expiry now. Also done in the background four times a minute.
    pub async fn renew(&self) -> Result<()> {
        self.claim.renew().await
    }

    /// Takes the mark away.
    pub async fn release(self) -> Result<()> {
        self.renewing.abort();
        self.claim
            .store
            .delete(std::slice::from_ref(&self.claim.key))
            .await
    }

    async fn give_way(self, other: &Holder) -> Error {
        let busy = busy(&self.claim.store, other);
        self.abandon(busy).await
    }

    /// Ends the claim because of `cause`; a mark that cannot be deleted expires.
    async fn abandon(self, cause: Error) -> Error {
        if let Err(e) = self.release().await {
            tracing::warn!(error = %e, "a claim could not be taken back and will expire");
        }
        cause
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Claim {
    fn current(&self) -> Mark {
        self.mark
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn time_left(&self) -> Result<Duration> {
        let left = self.current().time_left(self.clock.now());
        left.ok_or_else(|| expired(&self.key))
    }

    async fn renew(&self) -> Result<()> {
        self.time_left()?;
        let later = self.current().renewed(self.clock.now());
        write(&self.store, &self.key, &later).await?;
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = later;
        Ok(())
    }
}

/// Failures are only noted: the next try may work, and once time is up [`Lease::still_held`] says so.
async fn renew_until_lost(claim: Arc<Claim>) {
    loop {
        tokio::time::sleep(RENEW).await;
        match claim.renew().await {
            Ok(()) => {}
            Err(e) if e.code == Code::LeaseExpired => return,
            Err(e) => tracing::warn!(error = %e, "a claim on the store could not be renewed"),
        }
    }
}

/// Writes the mark; one that is there and has expired gives way.
async fn write_first(store: &Store, key: &str, mark: &Mark, clock: &Clock) -> Result<()> {
    let body = mark.to_json()?;
    if store.put_new(key, body.clone()).await? == Put::Written {
        return Ok(());
    }
    if let Some(there) = read(store, key).await?
        && there.live_at(clock.now())
    {
        return Err(busy(store, &Holder::of(key, &there)));
    }
    store.put_replace(key, body).await?;
    // Of two that replace an expired mark, the later write stands.
    match read(store, key).await? {
        Some(m) if m.holder == mark.holder => Ok(()),
        _ => Err(Error::new(
            Code::StoreBusy,
            "another operation took the store at the same moment",
        )
        .retry(true)),
    }
}

fn busy(store: &Store, holder: &Holder) -> Error {
    let until = holder.until.format("%Y-%m-%d %H:%M:%S");
    Error::new(
        Code::StoreBusy,
        format!("{} is held by {holder}", store.describe()),
    )
    .hint(format!(
        "Wait until it is done. If it died, its claim ends by itself at {until} UTC."
    ))
    .retry(true)
}

fn expired(key: &str) -> Error {
    Error::new(
        Code::LeaseExpired,
        format!("the claim {key} ended before the work did, so the work stopped"),
    )
    .hint("Run it again; what was stored is found and not stored twice.")
}
