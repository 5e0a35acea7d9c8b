//! Claiming what is to be told, and writing what became of it.

use super::Notifier;
use super::send::{Attempt, Became, send};
use crate::core::notify::{Event, Kind};
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use crate::ports::outward::Outward;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Channels of one claim.
const AT_ONCE: usize = 48;
/// Seconds that a message stays ours: all of a claim are sent side by side, and none takes so long.
const LEASE: u64 = 60;
/// Seconds before each further attempt, a quarter more by chance. After the last one it has failed: 18 hours in all.
const PAUSES: &[u64] = &[30, 120, 600, 1800, 7200, 18_000, 36_000];
/// A receiver that wants more rest than this does not get it.
const LONGEST_REST: u64 = 3600;

/// What `rovodev_claim_deliveries` hands out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Delivery {
    /// The same at every attempt.
    pub id: Uuid,
    pub attempt: usize,
    pub event: Event,
    pub test: bool,
    /// Read by who sends it, so that one that cannot be read holds up no other.
    pub message: Value,
    pub channel: Channel,
}

#[derive(Clone, Deserialize)]
pub(super) struct Channel {
    pub id: Uuid,
    pub kind: Kind,
    pub target: String,
    pub secret: Option<String>,
}

/// Without what nobody may read.
impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({} {:?})", self.id, self.kind)
    }
}

/// What came of a test.
#[derive(Debug, Clone, Serialize)]
pub struct Tested {
    pub delivered: bool,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// The beginning of what the receiver said.
    pub answer: Option<String>,
}

/// Sends what is due, at least once, until nothing is or `until` has come; what is under way then ends within seconds. How
/// many were sent.
pub async fn deliver(catalog: &Catalog, notifier: &Notifier, until: Instant) -> Result<usize> {
    let mut claimed = claim(catalog, notifier, None).await?;
    if claimed.is_empty() {
        return Ok(0);
    }
    let outward = Outward::new(notifier.0.reach)?;
    let mut sent = 0;
    while !claimed.is_empty() {
        sent += claimed.len();
        join_all(claimed.iter().map(async |delivery| {
            let attempt = send(notifier, &outward, delivery).await;
            if let Err(error) = write(catalog, delivery, &attempt).await {
                tracing::error!(delivery = %delivery.id, %error, "what became of a message could not be written");
            }
        }))
        .await;
        if Instant::now() >= until {
            break;
        }
        claimed = claim(catalog, notifier, None).await?;
    }
    Ok(sent)
}

/// Sends one message at once, for somebody who waits for it.
pub async fn test(catalog: &Catalog, notifier: &Notifier, delivery: Uuid) -> Result<Tested> {
    let claimed = claim_one(catalog, notifier, delivery).await?;
    let Some(delivery) = claimed else {
        let busy =
            "Its channel is busy just now. It will be sent within minutes; the log will tell.";
        return Ok(Tested {
            delivered: false,
            status: None,
            reason: Some(busy.into()),
            answer: None,
        });
    };
    let outward = Outward::new(notifier.0.reach)?;
    let attempt = send(notifier, &outward, &delivery).await;
    write(catalog, &delivery, &attempt).await?;
    Ok(Tested {
        delivered: matches!(attempt.became, Became::Delivered),
        status: attempt.status,
        reason: attempt.reason,
        answer: attempt.answer,
    })
}

/// Who claims something else of the same channel holds it for milliseconds.
async fn claim_one(
    catalog: &Catalog,
    notifier: &Notifier,
    delivery: Uuid,
) -> Result<Option<Delivery>> {
    for _ in 0..5 {
        let mut claimed = claim(catalog, notifier, Some(delivery)).await?;
        if let Some(one) = claimed.pop() {
            return Ok(Some(one));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(None)
}

async fn claim(
    catalog: &Catalog,
    notifier: &Notifier,
    delivery: Option<Uuid>,
) -> Result<Vec<Delivery>> {
    let kinds = Kind::ALL.iter().filter(|kind| notifier.can(**kind));
    let arguments = json!({
        "kinds": kinds.collect::<Vec<_>>(), "most": AT_ONCE, "seconds": LEASE, "delivery": delivery,
    });
    catalog
        .call(
            As::Jobs,
            "rovodev_claim_deliveries",
            &arguments,
            Repeat::Unsent,
        )
        .await
}

async fn write(catalog: &Catalog, delivery: &Delivery, attempt: &Attempt) -> Result<()> {
    let (outcome, seconds) = outcome(delivery, &attempt.became);
    if outcome != "delivered" {
        tracing::warn!(
            delivery = %delivery.id, channel = %delivery.channel.id, kind = ?delivery.channel.kind, outcome,
            status = attempt.status, reason = attempt.reason, "a message did not arrive"
        );
    }
    let arguments = json!({
        "delivery": delivery.id, "attempt": delivery.attempt, "outcome": outcome, "seconds": seconds,
        "status": attempt.status, "reason": attempt.reason,
    });
    let counted: bool = catalog
        .call(As::Jobs, "rovodev_end_delivery", &arguments, Repeat::Safely)
        .await?;
    if !counted {
        tracing::info!(delivery = %delivery.id, "somebody else sent it meanwhile, or its channel is gone");
    }
    Ok(())
}

/// What is written, and the seconds until the next attempt.
fn outcome(delivery: &Delivery, became: &Became) -> (&'static str, u64) {
    match became {
        Became::Delivered => ("delivered", 0),
        Became::Gone => ("gone", 0),
        Became::Refused => ("failed", 0),
        Became::Broken { rest } => match PAUSES.get(delivery.attempt - 1) {
            Some(pause) if !delivery.test => {
                let rest = rest.unwrap_or(0).min(LONGEST_REST);
                ("again", by_chance(*pause).max(rest))
            }
            _ => ("failed", 0),
        },
    }
}

/// Up to a quarter more.
fn by_chance(seconds: u64) -> u64 {
    let (chance, _) = Uuid::new_v4().as_u64_pair();
    seconds + chance % (seconds / 4 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempt: usize, test: bool) -> Delivery {
        let channel = json!({ "id": Uuid::nil(), "kind": "webhook", "target": "https://secret.example/s3cret", "secret": null });
        serde_json::from_value(json!({
            "id": Uuid::nil(), "attempt": attempt, "event": "backup.failed", "test": test, "message": {}, "channel": channel,
        }))
        .unwrap()
    }

    #[test]
    fn pauses_grow_and_end() {
        let broken = Became::Broken { rest: None };
        let mut before = 0;
        for attempt in 1..=PAUSES.len() {
            let (outcome, pause) = outcome(&delivery(attempt, false), &broken);
            assert_eq!(outcome, "again");
            assert!(
                pause > before && pause <= PAUSES[attempt - 1] * 5 / 4,
                "{pause}"
            );
            before = pause;
        }
        let last = delivery(PAUSES.len() + 1, false);
        assert_eq!(outcome(&last, &broken).0, "failed");
        assert_eq!(outcome(&delivery(1, true), &broken).0, "failed");
    }

    #[test]
    fn who_wants_rest_gets_it_within_limits() {
        for (rest, least, most) in [(5, 30, 38), (100, 100, 100), (u64::MAX, 3600, 3600)] {
            let broken = Became::Broken { rest: Some(rest) };
            let (_, pause) = outcome(&delivery(1, false), &broken);
            assert!((least..=most).contains(&pause), "{rest}: {pause}");
        }
    }

    #[test]
    fn what_a_channel_leads_to_is_never_printed() {
        assert!(!format!("{:?}", delivery(1, false)).contains("s3cret"));
    }
}
