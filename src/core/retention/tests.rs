use super::*;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    moment("2026-11-22T12:00:00Z")
}

fn good(n: u128, at: DateTime<Utc>) -> Backup {
    Backup {
        id: Uuid::from_u128(n),
        at,
        state: State::Good,
        pinned: false,
        verified: false,
        guards_undo: false,
    }
}

/// The codes of why each is kept; nothing of what expires.
fn kept(policy: &Policy, zone: Tz, backups: &[Backup]) -> Vec<Vec<String>> {
    let codes = |d: Decision| match d.keep {
        true => d.reasons.iter().map(|r| r.code.to_string()).collect(),
        false => Vec::new(),
    };
    let decided = decide(policy, zone, now(), backups);
    decided.into_iter().map(codes).collect()
}

#[test]
fn every_rule_keeps_the_newest_of_each_period() {
    let hours_ago = |h: i64| now() - TimeDelta::hours(h);
    let backups: Vec<Backup> = [1, 2, 13, 30, 24 * 8, 24 * 40, 24 * 400]
        .iter()
        .enumerate()
        .map(|(n, h)| good(n as u128, hours_ago(*h)))
        .collect();
    let policy = Policy {
        keep_last: Some(1),
        keep_hourly: Some(2),
        keep_daily: Some(2),
        keep_weekly: Some(2),
        keep_monthly: Some(2),
        keep_yearly: Some(2),
        keep_days: Some(1),
    };
    assert_eq!(
        kept(&policy, Tz::UTC, &backups),
        [
            vec![
                "last_good",
                "keep_last",
                "keep_hourly",
                "keep_daily",
                "keep_weekly",
                "keep_monthly",
                "keep_yearly",
                "keep_days",
            ],
            vec!["keep_hourly", "keep_days"],
            // 23:00 of the day before.
            vec!["keep_daily", "keep_days"],
            vec![],
            vec!["keep_weekly"],
            vec!["keep_monthly"],
            vec!["keep_yearly"],
        ]
    );
}

#[test]
fn days_are_those_of_the_zone_and_alike_hours_are_two() {
    let daily = Policy {
        keep_daily: Some(9),
        ..Policy::default()
    };
    // 23:30 and 00:30 in Berlin, both on the 21st in UTC.
    let backups = [
        good(1, moment("2026-11-21T22:30:00Z")),
        good(2, moment("2026-11-21T23:30:00Z")),
    ];
    let in_zone = |zone: Tz| {
        kept(&daily, zone, &backups)
            .iter()
            .filter(|k| !k.is_empty())
            .count()
    };
    assert_eq!((in_zone(Tz::Europe__Berlin), in_zone(Tz::UTC)), (2, 1));
    let hourly = Policy {
        keep_hourly: Some(9),
        ..Policy::default()
    };
    let alike = [
        good(1, moment("2026-10-25T00:30:00Z")),
        good(2, moment("2026-10-25T01:30:00Z")),
    ];
    assert!(
        kept(&hourly, Tz::Europe__Berlin, &alike)
            .iter()
            .all(|k| !k.is_empty())
    );
}

/// A damaged one takes no good one's place, and goes no sooner than if nobody knew.
#[test]
fn damaged_backups_stand_beside_the_good_ones() {
    let days_ago = |n: i64| now() - TimeDelta::days(n);
    let damaged = |n: u128, at| Backup {
        state: State::Damaged,
        ..good(n, at)
    };
    let two = Policy {
        keep_last: Some(2),
        ..Policy::default()
    };
    let backups = [
        damaged(1, days_ago(1)),
        good(2, days_ago(2)),
        damaged(3, days_ago(3)),
        good(4, days_ago(4)),
        good(5, days_ago(5)),
    ];
    assert_eq!(
        kept(&two, Tz::UTC, &backups),
        [
            vec!["keep_last"],
            vec!["last_good", "keep_last"],
            vec![],
            vec!["keep_last"],
            vec![],
        ]
    );
    let all = [damaged(1, days_ago(1)), damaged(2, days_ago(2))];
    let one = Policy {
        keep_last: Some(1),
        ..Policy::default()
    };
    assert_eq!(kept(&one, Tz::UTC, &all), [vec!["keep_last"], vec![]]);
}

#[test]
fn what_no_policy_may_take_stays() {
    let old = moment("2020-01-01T00:00:00Z");
    let last = Policy {
        keep_last: Some(1),
        ..Policy::default()
    };
    let backups = [
        Backup {
            pinned: true,
            ..good(1, old)
        },
        Backup {
            state: State::UnderWay,
            ..good(2, old)
        },
        Backup {
            verified: true,
            ..good(3, old)
        },
        Backup {
            guards_undo: true,
            ..good(4, old)
        },
        Backup {
            state: State::Failed,
            ..good(5, old)
        },
        Backup {
            state: State::Failed,
            ..good(6, now() - TimeDelta::days(29))
        },
        good(7, now() - TimeDelta::days(1)),
    ];
    assert_eq!(
        kept(&last, Tz::UTC, &backups),
        [
            vec!["pinned"],
            vec!["under_way"],
            vec!["last_verified"],
            vec!["guards_undo"],
            vec![],
            vec!["failed_lately"],
            vec!["last_good", "keep_last"],
        ]
    );
    let nothing = kept(&Policy::default(), Tz::UTC, &backups);
    assert!(
        nothing
            .iter()
            .all(|why| why.contains(&"no_policy".to_string()))
    );
    let wrong = Policy {
        keep_weekly: Some(0),
        ..Policy::default()
    };
    assert!(wrong.check().unwrap_err().message.contains("keepWeekly"));
}

fn backups(most: usize) -> impl Strategy<Value = Vec<Backup>> {
    let one = (0i64..60 * 24 * 900, 0u8..10, 0u8..8);
    let all = proptest::collection::vec(one, 0..most);
    all.prop_map(|all| {
        let made = all
            .into_iter()
            .enumerate()
            .map(|(n, (minutes, state, luck))| Backup {
                state: match state {
                    0 => State::UnderWay,
                    1 | 2 => State::Failed,
                    _ => State::Good,
                },
                pinned: luck == 0,
                verified: luck == 1,
                ..good(n as u128, now() - TimeDelta::minutes(minutes))
            });
        made.collect()
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let rule = || proptest::option::weighted(0.4, 1u32..12);
    (rule(), rule(), rule(), rule(), rule(), rule(), rule()).prop_map(|r| Policy {
        keep_last: r.0,
        keep_hourly: r.1,
        keep_daily: r.2,
        keep_weekly: r.3,
        keep_monthly: r.4,
        keep_yearly: r.5,
        keep_days: r.6,
    })
}

fn zones() -> impl Strategy<Value = Tz> {
    proptest::sample::select(vec![
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Asia__Kolkata,
    ])
}

fn kept_ids(decided: &[Decision]) -> BTreeSet<Uuid> {
    decided.iter().filter(|d| d.keep).map(|d| d.id).collect()
}

/// By another way than the code's: periods by what their clock shows, newest of each in a map.
fn must_be_kept(policy: &Policy, zone: Tz, backups: &[Backup]) -> BTreeSet<Uuid> {
    let good = || backups.iter().filter(|b| b.state == State::Good);
    let mut must: BTreeSet<Uuid> = backups
        .iter()
        .filter(|b| b.pinned || b.state == State::UnderWay)
        .map(|b| b.id)
        .collect();
    let newest = |of: Vec<&Backup>| of.into_iter().max_by_key(|b| (b.at, b.id)).map(|b| b.id);
    must.extend(newest(good().collect()));
    must.extend(newest(good().filter(|b| b.verified).collect()));
    let days = policy.keep_days.unwrap_or(0);
    must.extend(
        good()
            .filter(|b| days > 0 && b.at >= now() - TimeDelta::days(days.into()))
            .map(|b| b.id),
    );
    for (most, format) in [
        (policy.keep_hourly, "%Y%m%d%H %s"),
        (policy.keep_daily, "%Y%m%d"),
        (policy.keep_weekly, "%G%V"),
        (policy.keep_monthly, "%Y%m"),
        (policy.keep_yearly, "%Y"),
    ] {
        let mut periods: BTreeMap<String, Vec<&Backup>> = BTreeMap::new();
        for backup in good() {
            let mut name = backup.at.with_timezone(&zone).format(format).to_string();
            if let Some((_, seconds)) = name.split_once(' ') {
                // All zones of this test are whole half hours from UTC.
                let half_hours = seconds.parse::<i64>().unwrap() / 1800;
                let odd = i64::from(zone == Tz::Asia__Kolkata);
                name = format!("{:012}", (half_hours + odd) / 2);
            }
            periods.entry(name).or_default().push(backup);
        }
        let last = periods.into_values().rev().take(most.unwrap_or(0) as usize);
        must.extend(last.filter_map(newest));
    }
    let mut by_age: Vec<&Backup> = good().collect();
    by_age.sort_by_key(|b| std::cmp::Reverse((b.at, b.id)));
    must.extend(
        by_age
            .iter()
            .take(policy.keep_last.unwrap_or(0) as usize)
            .map(|b| b.id),
    );
    must
}

proptest! {
    #[test]
    fn exactly_what_the_policy_keeps_is_kept_and_each_decision_explained(
        policy in policies(), zone in zones(), backups in backups(120),
    ) {
        let decided = decide(&policy, zone, now(), &backups);
        prop_assert_eq!(decided.len(), backups.len());
        prop_assert!(decided.iter().all(|d| !d.reasons.is_empty() && d.reasons.iter().all(|r| !r.text.is_empty())));
        let kept = kept_ids(&decided);
        let must = must_be_kept(&policy, zone, &backups);
        prop_assert!(must.is_subset(&kept));
        let lately = |b: &&Backup| b.state == State::Failed
            && now() - b.at <= TimeDelta::days(policy.keep_days.unwrap_or(30).into());
        let may: BTreeSet<Uuid> = backups.iter().filter(lately).map(|b| b.id).chain(must).collect();
        prop_assert!(policy.is_empty() || kept.is_subset(&may));
        prop_assert!(!policy.is_empty() || kept.len() == backups.len());
    }

    #[test]
    fn another_backup_brings_no_expired_one_back(
        policy in policies(), zone in zones(), backups in backups(60), more in backups(4), later in 0i64..400,
    ) {
        let before = kept_ids(&decide(&policy, zone, now(), &backups));
        let mut all = backups.clone();
        all.extend(more.into_iter().enumerate().map(|(n, b)| Backup { id: Uuid::from_u128(1000 + n as u128), ..b }));
        let after = kept_ids(&decide(&policy, zone, now() + TimeDelta::days(later), &all));
        let back: Vec<_> = backups.iter().filter(|b| after.contains(&b.id) && !before.contains(&b.id)).collect();
        prop_assert!(back.is_empty(), "{back:?}");
    }
}

proptest! {
    #[test]
    fn damage_never_has_anything_expire(
        ages in prop::collection::vec((0..400_i64, any::<bool>()), 1..40),
        last in prop::option::of(1..9_u32), daily in prop::option::of(1..9_u32), days in prop::option::of(1..99_u32),
    ) {
        let policy = Policy { keep_last: last, keep_daily: daily, keep_days: days, ..Policy::default() };
        let of = |damage: bool| -> Vec<Backup> {
            let each = ages.iter().enumerate().map(|(n, (age, damaged))| Backup {
                state: if damage && *damaged { State::Damaged } else { State::Good },
                ..good(n as u128, now() - TimeDelta::hours(7 * age))
            });
            each.collect()
        };
        let decide = |backups: &[Backup]| super::decide(&policy, Tz::UTC, now(), backups);
        let (whole, known) = (decide(&of(false)), decide(&of(true)));
        for (at, (before, after)) in whole.iter().zip(&known).enumerate() {
            let only_last = before.reasons.iter().all(|r| r.code == "last_good");
            prop_assert!(!before.keep || only_last || after.keep, "{at}: {before:?} {after:?}");
        }
        let last_good = known.iter().position(|d| d.reasons.iter().any(|r| r.code == "last_good"));
        prop_assert!(last_good.is_none_or(|at| !ages[at].1), "the last good one is whole");
    }
}
