//! What happens in a simulated year, and what must come of it: written without the code that it judges.

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use rovodev::core::retention::Policy;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// How many of which a policy keeps, and to which of them a moment belongs.
type Period<'a> = (Option<u32>, &'a dyn Fn(DateTime<Utc>) -> i64);

/// A schedule by its fields.
#[derive(Debug, Clone)]
pub struct Plan {
    pub minute: u32,
    /// Empty: every hour.
    pub hours: BTreeSet<u32>,
    pub days: Days,
    pub zone: Tz,
    pub jitter: u32,
    pub policy: Policy,
}

#[derive(Debug, Clone)]
pub enum Days {
    Every,
    /// 1 is Monday.
    OfWeek(BTreeSet<u32>),
    OfMonth(BTreeSet<u32>),
    LastOfMonth,
}

/// Several whose clocks change: at midnight, by half an hour, south of the equator, and not at all.
const ZONES: [Tz; 8] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::America__Santiago,
    Tz::Atlantic__Azores,
    Tz::Pacific__Chatham,
    Tz::Asia__Kolkata,
    Tz::Australia__Lord_Howe,
];

pub fn plans() -> impl Strategy<Value = Plan> {
    // Where clocks change by half an hour, "every hour" is the schedule's own tests' matter.
    let hours = prop_oneof![
        4 => proptest::collection::btree_set(0u32..24, 1..3),
        4 => proptest::collection::btree_set(0u32..4, 1..3),
        1 => Just(BTreeSet::new()),
    ];
    let days = prop_oneof![
        4 => Just(Days::Every),
        2 => proptest::collection::btree_set(1u32..8, 1..4).prop_map(Days::OfWeek),
        2 => proptest::collection::btree_set(1u32..32, 1..4).prop_map(Days::OfMonth),
        1 => Just(Days::LastOfMonth),
    ];
    let rule = || proptest::option::weighted(0.4, 1u32..9);
    let policy = (rule(), rule(), rule(), rule(), rule(), rule(), rule()).prop_map(|r| Policy {
        keep_last: r.0,
        keep_hourly: r.1,
        keep_daily: r.2,
        keep_weekly: r.3,
        keep_monthly: r.4,
        keep_yearly: r.5,
        keep_days: r.6.map(|days| days * 5),
    });
    let zone = proptest::sample::select(ZONES.to_vec());
    (0u32..60, hours, days, zone, 0u32..601, policy).prop_map(
        |(minute, hours, days, zone, jitter, policy)| Plan {
            zone: match hours.is_empty() && zone == Tz::Australia__Lord_Howe {
                true => Tz::UTC,
                false => zone,
            },
            minute,
            hours,
            days,
            jitter,
            policy,
        },
    )
}

impl Plan {
    pub fn cron(&self) -> String {
        let joined = |of: &BTreeSet<u32>| {
            let texts: Vec<String> = of.iter().map(u32::to_string).collect();
            texts.join(",")
        };
        let hours = match self.hours.is_empty() {
            true => "*".into(),
            false => joined(&self.hours),
        };
        let (of_month, of_week) = match &self.days {
            Days::Every => ("*".into(), "*".into()),
            Days::OfWeek(days) => ("*".into(), joined(days)),
            Days::OfMonth(days) => (joined(days), "*".into()),
            Days::LastOfMonth => ("L".into(), "*".into()),
        };
        format!("{} {hours} {of_month} * {of_week}", self.minute)
    }

    fn on(&self, date: NaiveDate) -> bool {
        match &self.days {
            Days::Every => true,
            Days::OfWeek(days) => days.contains(&date.weekday().number_from_monday()),
            Days::OfMonth(days) => days.contains(&date.day()),
            Days::LastOfMonth => date.succ_opt().unwrap().day() == 1,
        }
    }

    /// Every moment between the two at which it is due.
    pub fn due(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
        let jitter = TimeDelta::seconds(self.jitter.into());
        let (first, last) = (from - TimeDelta::days(3), to + TimeDelta::days(3));
        let all: BTreeSet<DateTime<Utc>> = match self.hours.is_empty() {
            true => minutes(first, last)
                .filter(|at| {
                    let clock = at.with_timezone(&self.zone);
                    clock.minute() == self.minute && self.on(clock.date_naive())
                })
                .collect(),
            false => first
                .date_naive()
                .iter_days()
                .take_while(|date| *date <= last.date_naive())
                .filter(|date| self.on(*date))
                .flat_map(|date| self.hours.iter().map(move |hour| (date, *hour)))
                .map(|(date, hour)| self.moment(date, hour))
                .collect(),
        };
        let late = all.into_iter().map(|at| at + jitter);
        late.filter(|at| *at > from && *at <= to).collect()
    }

    /// The first of two; after a gap, its end.
    fn moment(&self, date: NaiveDate, hour: u32) -> DateTime<Utc> {
        let clock = date.and_hms_opt(hour, self.minute, 0).unwrap();
        let there = |later: i64| {
            self.zone
                .from_local_datetime(&(clock + TimeDelta::minutes(later)))
        };
        match there(0) {
            MappedLocalTime::None => (1..1500)
                .find_map(|later| there(later).earliest())
                .unwrap()
                .to_utc(),
            found => found.earliest().unwrap().to_utc(),
        }
    }
}

fn minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
    let first = from.with_second(0).unwrap();
    (0..)
        .map(move |n| first + TimeDelta::minutes(n))
        .take_while(move |at| *at <= to)
}

/// A backup as the year knows it.
#[derive(Debug, Clone)]
pub struct Known {
    pub schedule: usize,
    pub at: DateTime<Utc>,
    pub state: State,
    pub pinned: bool,
    pub verified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Good,
    Failed,
}

/// What the policy keeps of a schedule's backups: rank by rank, period by period.
pub fn kept(plan: &Plan, now: DateTime<Utc>, backups: &BTreeMap<Uuid, Known>) -> BTreeSet<Uuid> {
    let policy = &plan.policy;
    if policy.is_empty() {
        return backups.keys().copied().collect();
    }
    let mut good: Vec<(DateTime<Utc>, Uuid)> = backups
        .iter()
        .filter(|(_, b)| b.state == State::Good)
        .map(|(id, b)| (b.at, *id))
        .collect();
    good.sort_unstable();
    good.reverse();
    let days = |b: &Known| (now - b.at) <= TimeDelta::days(policy.keep_days.unwrap_or(0).into());
    let mut kept: BTreeSet<Uuid> = backups
        .iter()
        .filter(|(_, b)| match b.state {
            State::Open => true,
            State::Good => b.pinned || policy.keep_days.is_some() && days(b),
            State::Failed => {
                b.pinned || now - b.at <= TimeDelta::days(policy.keep_days.unwrap_or(30).into())
            }
        })
        .map(|(id, _)| *id)
        .collect();
    let last = policy.keep_last.unwrap_or(0).max(1) as usize;
    kept.extend(good.iter().take(last).map(|(_, id)| *id));
    kept.extend(
        good.iter()
            .map(|(_, id)| *id)
            .find(|id| backups[id].verified),
    );
    let clock = |at: DateTime<Utc>| at.with_timezone(&plan.zone);
    let day = |at| clock(at).date_naive();
    let periods: [Period; 5] = [
        (policy.keep_hourly, &|at| {
            // Hours of this clock that pass, also where its offset is no whole hour.
            let offset = chrono::Offset::fix(clock(at).offset()).local_minus_utc();
            (at.timestamp() + i64::from(offset)).div_euclid(3600) * 100_000 - i64::from(offset)
        }),
        (policy.keep_daily, &|at| {
            i64::from(day(at).num_days_from_ce())
        }),
        (policy.keep_weekly, &|at| {
            i64::from((day(at).num_days_from_ce() - 1).div_euclid(7))
        }),
        (policy.keep_monthly, &|at| {
            i64::from(day(at).year()) * 12 + i64::from(day(at).month())
        }),
        (policy.keep_yearly, &|at| i64::from(day(at).year())),
    ];
    for (most, period) in periods {
        let mut seen = BTreeSet::new();
        for (at, id) in &good {
            if seen.len() < most.unwrap_or(0) as usize && seen.insert(period(*at)) {
                kept.insert(*id);
            }
        }
    }
    kept
}
