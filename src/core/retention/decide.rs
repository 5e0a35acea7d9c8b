//! Keep or expire, with every reason.

use super::Policy;
use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// Days that a failed backup stays, where the policy does not say it.
const FAILED_STAY: u32 = 30;

/// What is known of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub state: State,
    pub pinned: bool,
    pub verified: bool,
    /// The safety backup of a restore that can still be undone.
    pub guards_undo: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    UnderWay,
    Good,
    /// Completed, and not what was written when it was last read back.
    Damaged,
    /// Failed or cancelled.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub id: Uuid,
    pub keep: bool,
    /// At least one.
    pub reasons: Vec<Reason>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Stable.
    pub code: Cow<'static, str>,
    /// For people.
    pub text: String,
}

fn reason(code: &'static str, text: impl Into<String>) -> Reason {
    Reason {
        code: code.into(),
        text: text.into(),
    }
}

/// One decision for each backup, in the order given. Hours, days, weeks (from Monday), months and years are those of `zone`.
pub fn decide(policy: &Policy, zone: Tz, now: DateTime<Utc>, backups: &[Backup]) -> Vec<Decision> {
    let mut kept: Vec<Vec<Reason>> = backups.iter().map(exempt).collect();
    let mut taken: Vec<usize> = (0..backups.len())
        .filter(|at| matches!(backups[*at].state, State::Good | State::Damaged))
        .collect();
    taken.sort_by_key(|at| std::cmp::Reverse((backups[*at].at, backups[*at].id)));
    let is_good = |at: &usize| backups[*at].state == State::Good;
    let good: Vec<usize> = taken.iter().copied().filter(is_good).collect();
    if let Some(last) = good.first() {
        kept[*last].push(reason("last_good", "the last good backup"));
    }
    if let Some(last) = good.iter().find(|at| backups[**at].verified) {
        kept[*last].push(reason("last_verified", "the last verified backup"));
    }
    for (at, why) in by_count(policy, zone, backups, &good) {
        kept[at].push(why);
    }
    // It takes no good one's place, and goes no sooner than if nobody knew: what is left of it may be all there is.
    let all = by_count(policy, zone, backups, &taken).into_iter();
    for (at, why) in all.filter(|(at, _)| !is_good(at)) {
        kept[at].push(why);
    }
    let decided = backups.iter().zip(kept).map(|(backup, mut reasons)| {
        reasons.extend(by_age(policy, now, backup));
        let keep = !reasons.is_empty();
        if !keep {
            reasons.push(expired(policy, backup));
        }
        Decision {
            id: backup.id,
            keep,
            reasons,
        }
    });
    decided.collect()
}

/// What holds whatever the policy says.
fn exempt(backup: &Backup) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if backup.pinned {
        reasons.push(reason("pinned", "pinned"));
    }
    if backup.state == State::UnderWay {
        reasons.push(reason("under_way", "being taken"));
    }
    if backup.guards_undo {
        reasons.push(reason(
            "guards_undo",
            "taken before a restore that can be undone",
        ));
    }
    reasons
}

/// What a period is called, and those of two moments are the same exactly if the moments are in one period.
type Period = fn(&DateTime<Tz>) -> String;

/// The rules that keep so many. `good`: newest first.
fn by_count(policy: &Policy, zone: Tz, backups: &[Backup], good: &[usize]) -> Vec<(usize, Reason)> {
    let mut kept = Vec::new();
    let last = policy.keep_last.unwrap_or_default() as usize;
    for (place, at) in good.iter().take(last).enumerate() {
        let text = format!("number {} of the last {last}", place + 1);
        kept.push((*at, reason("keep_last", text)));
    }
    let rules: [(_, &'static str, Period); 5] = [
        // Two hours that a clock shows alike differ in their offset.
        (policy.keep_hourly, "keep_hourly", |t| {
            format!("{} {:02}:00 {}", t.date_naive(), t.hour(), t.format("%:z"))
        }),
        (policy.keep_daily, "keep_daily", |t| {
            t.date_naive().to_string()
        }),
        (policy.keep_weekly, "keep_weekly", |t| {
            let week = t.iso_week();
            format!("week {} of {}", week.week(), week.year())
        }),
        (policy.keep_monthly, "keep_monthly", |t| {
            t.format("%Y-%m").to_string()
        }),
        (policy.keep_yearly, "keep_yearly", |t| t.year().to_string()),
    ];
    for (most, code, period) in rules {
        let Some(most) = most else { continue };
        let (mut before, mut periods) = (String::new(), 0);
        for at in good {
            let period = period(&backups[*at].at.with_timezone(&zone));
            if period == before {
                continue;
            }
            periods += 1;
            if periods > most {
                break;
            }
            kept.push((*at, reason(code, format!("the newest of {period}"))));
            before = period;
        }
    }
    kept
}

/// The rules that keep for so long.
fn by_age(policy: &Policy, now: DateTime<Utc>, backup: &Backup) -> Option<Reason> {
    let (days, code) = match backup.state {
        _ if policy.is_empty() => {
            return Some(reason("no_policy", "no policy, so nothing expires"));
        }
        State::UnderWay => return None,
        State::Good | State::Damaged => (policy.keep_days?, "keep_days"),
        State::Failed => (policy.keep_days.unwrap_or(FAILED_STAY), "failed_lately"),
    };
    let young = now - backup.at <= TimeDelta::days(days.into());
    young.then(|| match code {
        "keep_days" => reason(code, format!("not older than {days} days")),
        _ => reason(code, format!("failed, and not older than {days} days")),
    })
}

fn expired(policy: &Policy, backup: &Backup) -> Reason {
    match backup.state {
        State::Failed => {
            let days = policy.keep_days.unwrap_or(FAILED_STAY);
            reason(
                "failed_long_ago",
                format!("failed, and older than {days} days"),
            )
        }
        _ => reason("no_rule", "no rule keeps it"),
    }
}
