//! Reading backups back from the store: is everything what was written? Each is claimed under a lease; where whoever reads
//! has to stop, or dies, the next one goes on.

use super::Workshop;
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::check::{self, CheckReport, Damage};
use crate::tasks::{Context, open_store};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Seconds that a backup stays ours without a word.
const LEASE: u64 = 60;
const RENEW: Duration = Duration::from_secs(15);
/// Functions that read back at the same time, so that a look at all of last year's backups does not become a crowd.
const AT_ONCE: u32 = 1;
/// So much time must be left to begin.
const WORTH_BEGINNING: Duration = Duration::from_secs(30);
/// So long before the deadline no other object is begun.
const ENDING: Duration = Duration::from_secs(15);
/// Seconds until another try, where the store does not answer or no object could be read in time.
const AFTER_FAILURE: u64 = 60;

/// What `rovodev_claim_read_back` hands out.
#[derive(Debug, Deserialize)]
struct ReadBack {
    id: Uuid,
    token: u32,
    backup: Uuid,
    tenant: String,
    /// What was read before, of which nobody needs to read anything again.
    objects: u64,
    bytes: u64,
    milliseconds: u64,
    damage: Option<Damage>,
}

/// Which backups are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What deployments wait for.
    OfGates,
    Due,
}

/// What became of one that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Whole,
    Damaged,
    /// The time was over; somebody goes on.
    PutOff,
    /// Deleted meanwhile, or somebody else holds it.
    Lost,
}

/// Reads back what deployments wait for. How many were read to their end.
pub(super) async fn read_back_for_gates(workshop: &Workshop) -> Result<usize> {
    read_back(workshop, Wanted::OfGates, None).await
}

/// Reads back what is due, the most urgent first, until nothing is, `until` has come, or the deadline is near. How many were
/// read to their end.
///
/// # Errors
/// What the first failure says: a store that is silent for one backup is so for all.
pub async fn read_back_due(workshop: &Workshop, until: Option<Instant>) -> Result<usize> {
    read_back(workshop, Wanted::Due, until).await
}

async fn read_back(workshop: &Workshop, wanted: Wanted, until: Option<Instant>) -> Result<usize> {
    let mut read = 0;
    while may_begin(workshop, until) {
        let Some(claimed) = claim(workshop, wanted).await? else {
            break;
        };
        match one(workshop, &claimed, until).await? {
            Became::Whole | Became::Damaged => read += 1,
            Became::PutOff => break,
            Became::Lost => {}
        }
    }
    Ok(read)
}

fn may_begin(workshop: &Workshop, until: Option<Instant>) -> bool {
    let now = Instant::now();
    let before_end = workshop
        .deadline
        .is_none_or(|end| now + WORTH_BEGINNING < end);
    before_end && until.is_none_or(|until| now < until) && !workshop.stop.is_cancelled()
}

async fn claim(workshop: &Workshop, wanted: Wanted) -> Result<Option<ReadBack>> {
    let arguments = json!({
        "days": workshop.check_days, "seconds": LEASE, "most": workshop.deadline.map(|_| AT_ONCE),
        "for_gates": wanted == Wanted::OfGates,
    });
    let function = "rovodev_claim_read_back";
    let catalog = &workshop.catalog;
    catalog
        .call(As::Jobs, function, &arguments, Repeat::Unsent)
        .await
}

/// Reads one back as far as there is time, and tells the catalog what came of it.
async fn one(workshop: &Workshop, claimed: &ReadBack, until: Option<Instant>) -> Result<Became> {
    let began = Instant::now();
    let mut report = CheckReport {
        objects: claimed.objects,
        bytes: claimed.bytes,
        ..CheckReport::default()
    };
    let ended = match read(workshop, claimed, until, &mut report).await {
        Ok(Some(ended)) => Ok(ended),
        Ok(None) => return Ok(Became::Lost),
        Err(e) if e.code == Code::Cancelled => Ok(false),
        Err(e) => Err(e),
    };
    let damage = claimed.damage.clone().unwrap_or_default();
    let damage = Some(damage.and(&report.problems)).filter(|d| d.objects > 0);
    let (outcome, seconds) = match &ended {
        Ok(true) => ("done", 0),
        Ok(false) if report.objects > claimed.objects => ("later", 0),
        _ => ("later", AFTER_FAILURE),
    };
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let told = json!({
        "objects": report.objects, "bytes": report.bytes, "damage": damage,
        "milliseconds": claimed.milliseconds.saturating_add(milliseconds),
    });
    let held = note(workshop, claimed, outcome, seconds, &told).await?;
    let became = match (held, ended?, damage) {
        (false, ..) => Became::Lost,
        (true, false, _) => Became::PutOff,
        (true, true, None) => Became::Whole,
        (true, true, Some(damage)) => {
            let (objects, concerns) = (damage.objects, damage.concerns.join(", "));
            tracing::error!(backup = %claimed.backup, objects, concerns, "a backup is not what was written");
            Became::Damaged
        }
    };
    if matches!(became, Became::Whole | Became::Damaged) {
        workshop.begin_telling();
    }
    Ok(became)
}

/// Whether all was read; `None` where it is not ours any more.
async fn read(
    workshop: &Workshop,
    claimed: &ReadBack,
    until: Option<Instant>,
    report: &mut CheckReport,
) -> Result<Option<bool>> {
    let ctx = Context {
        cancel: workshop.stop.child_token(),
        ..Context::default()
    };
    let near_end = workshop.deadline.and_then(|end| end.checked_sub(ENDING));
    let until = until.into_iter().chain(near_end).min();
    let reading = async {
        let key = workshop.store_key.as_deref();
        let store = open_store::open_to_read(&ctx, &workshop.store, key).await?;
        check::check_on(&ctx, &store, &claimed.tenant, claimed.backup, until, report).await
    };
    tokio::pin!(reading);
    // An object that takes longer than the function lives.
    let over = async {
        match workshop.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            ended = &mut reading => return ended.map(Some),
            () = &mut over => return Err(Error::cancelled()),
            () = tokio::time::sleep(RENEW) => {
                if !note(workshop, claimed, "reading", LEASE, &json!({})).await? {
                    return Ok(None);
                }
            }
        }
    }
}

/// Whether it is still ours.
async fn note(
    workshop: &Workshop,
    claimed: &ReadBack,
    outcome: &str,
    seconds: u64,
    told: &Value,
) -> Result<bool> {
    let arguments = json!({
        "read_back": claimed.id, "token": claimed.token, "outcome": outcome, "seconds": seconds, "told": told,
    });
    let function = "rovodev_note_read_back";
    let catalog = &workshop.catalog;
    catalog
        .call(As::Jobs, function, &arguments, Repeat::Safely)
        .await
}
