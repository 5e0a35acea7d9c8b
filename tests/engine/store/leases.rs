//! Backup and prune exclude each other through the store.

use super::places;
use chrono::{DateTime, TimeDelta, Utc};
use rovodev::core::keys;
use rovodev::error::Code;
use rovodev::ports::store::Store;
use rovodev::tasks::lease::{self, LEASE, Lease, SKEW};
use rovodev::tasks::{Clock, backups};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use uuid::Uuid;

/// A clock that a test moves.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn clock(&self) -> Clock {
        let hands = self.clone();
        let start: DateTime<Utc> = Utc::now();
        Clock::new(move || start + TimeDelta::seconds(hands.0.load(Ordering::SeqCst)))
    }

    fn forward(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_seconds(), Ordering::SeqCst);
    }
}

async fn backup(store: &Store, clock: &Clock) -> rovodev::error::Result<Lease> {
    Lease::backup(store, "t", Uuid::now_v7(), clock).await
}

#[tokio::test]
async fn backups_run_beside_each_other_but_not_beside_a_prune() {
    let dir = places::directory();
    let clock = Clock::default();
    let one = backup(&dir.store, &clock).await.unwrap();
    let two = backup(&dir.store, &clock).await.unwrap();
    let e = Lease::prune(&dir.store, &clock).await.unwrap_err();
    assert_eq!(e.code, Code::StoreBusy);
    let holder = lease::live_backups(&dir.store, clock.now())
        .await
        .unwrap()
        .remove(0);
    let (since, until) = (
        holder
            .started_at
            .format("since %Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        holder.until.format("at %Y-%m-%d %H:%M:%S UTC").to_string(),
    );
    let id = format!("backup {}", backups::short_id(holder.backup.unwrap()));
    assert!(e.message.contains(&since) && e.message.contains(&id), "{e}");
    assert!(e.hint.unwrap().contains(&until));
    assert_eq!(
        dir.store.head(keys::PRUNE_LOCK).await.unwrap(),
        None,
        "it gave way"
    );
    one.still_held().await.unwrap();
    one.release().await.unwrap();
    assert_eq!(
        Lease::prune(&dir.store, &clock).await.unwrap_err().code,
        Code::StoreBusy
    );
    two.release().await.unwrap();
    let prune = Lease::prune(&dir.store, &clock).await.unwrap();
    assert_eq!(
        Lease::prune(&dir.store, &clock).await.unwrap_err().code,
        Code::StoreBusy
    );
    assert_eq!(
        backup(&dir.store, &clock).await.unwrap_err().code,
        Code::StoreBusy
    );
    prune.still_held().await.unwrap();
    prune.release().await.unwrap();
    assert_eq!(dir.store.list("").await.unwrap(), [], "nothing is left");
}

#[tokio::test]
async fn a_complete_backup_whose_mark_stayed_blocks_nobody() {
    let dir = places::directory();
    let (clock, id) = (Clock::default(), Uuid::now_v7());
    drop(Lease::backup(&dir.store, "t", id, &clock).await.unwrap());
    let manifest = keys::manifest("t", id);
    dir.store
        .put_new(&manifest, bytes::Bytes::from_static(b"{}"))
        .await
        .unwrap();
    Lease::prune(&dir.store, &clock).await.unwrap();
}

#[tokio::test]
async fn a_holder_stops_before_others_go_ahead() {
    let dir = places::directory();
    let hands = Hands::default();
    let clock = hands.clock();
    let died = backup(&dir.store, &clock).await.unwrap();
    let mut holder_stopped = None;
    let mut others_started = None;
    for seconds in (10..).step_by(10) {
        hands.forward(TimeDelta::seconds(10));
        if holder_stopped.is_none() && died.still_held().await.is_err() {
            holder_stopped = Some(seconds);
        }
        match Lease::prune(&dir.store, &clock).await {
            Ok(_) => {
                others_started = Some(seconds);
                break;
            }
            Err(e) => assert_eq!(e.code, Code::StoreBusy),
        }
    }
    let (stopped, started) = (holder_stopped.unwrap(), others_started.unwrap());
    assert!(stopped + 60 <= started, "{stopped} {started}");
    assert!(
        started <= 160,
        "what died does not hold the store for long: {started}"
    );
    assert_eq!(
        died.still_held().await.unwrap_err().code,
        Code::LeaseExpired
    );
    assert_eq!(
        died.renew().await.unwrap_err().code,
        Code::LeaseExpired,
        "never revived"
    );
}

#[tokio::test]
async fn renewing_keeps_a_claim_for_any_time() {
    let dir = places::directory();
    let hands = Hands::default();
    let clock = hands.clock();
    let lease = backup(&dir.store, &clock).await.unwrap();
    for _ in 0..20 {
        hands.forward(LEASE / 2);
        lease.renew().await.unwrap();
        lease.still_held().await.unwrap();
        assert_eq!(
            Lease::prune(&dir.store, &clock).await.unwrap_err().code,
            Code::StoreBusy
        );
    }
}

#[tokio::test]
async fn a_claim_that_was_taken_over_or_deleted_is_lost() {
    let dir = places::directory();
    let clock = Clock::default();
    let lease = Lease::prune(&dir.store, &clock).await.unwrap();
    let mine = dir.store.get(keys::PRUNE_LOCK).await.unwrap();
    dir.store
        .delete(&[keys::PRUNE_LOCK.to_string()])
        .await
        .unwrap();
    assert_eq!(
        lease.still_held().await.unwrap_err().code,
        Code::LeaseExpired
    );
    let other = Lease::prune(&dir.store, &clock).await.unwrap();
    assert_ne!(dir.store.get(keys::PRUNE_LOCK).await.unwrap(), mine);
    assert_eq!(
        lease.still_held().await.unwrap_err().code,
        Code::LeaseExpired
    );
    other.still_held().await.unwrap();
}

/// Whatever the order in which two start, never do both go on.
#[tokio::test]
async fn of_two_that_start_together_at_most_one_goes_on() {
    for _ in 0..50 {
        let dir = places::directory();
        let clock = Clock::default();
        let (backup, prune) =
            tokio::join!(backup(&dir.store, &clock), Lease::prune(&dir.store, &clock));
        assert!(backup.is_err() || prune.is_err());
        for e in [backup.err(), prune.err()].into_iter().flatten() {
            assert_eq!(e.code, Code::StoreBusy);
        }
    }
}

/// A write that hangs until the claim is over is given up: it must not land after somebody else's.
#[tokio::test]
async fn work_ends_with_the_claim() {
    let dir = places::directory();
    let hands = Hands::default();
    let clock = hands.clock();
    let lease = backup(&dir.store, &clock).await.unwrap();
    assert_eq!(lease.while_held(async { Ok(7) }).await.unwrap(), 7);
    hands.forward(LEASE - SKEW - TimeDelta::seconds(1));
    let outlived = async {
        hands.forward(TimeDelta::seconds(1));
        std::future::pending::<rovodev::error::Result<()>>().await
    };
    let e = lease.while_held(outlived).await.unwrap_err();
    assert_eq!(e.code, Code::LeaseExpired);
}
