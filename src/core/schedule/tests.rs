use super::*;
use chrono::{Datelike, Timelike};
use proptest::prelude::*;

const ZONES: &[&str] = &[
    "UTC",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn shown(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timing = Timing::new(expression, zone).unwrap();
    let runs = timing.upcoming(moment(after), count).unwrap();
    let text = |run: Run| match run.clock_change {
        None => run.local.to_rfc3339(),
        Some(change) => format!("{} {change:?}", run.local.to_rfc3339()),
    };
    runs.into_iter().map(text).collect()
}

#[test]
fn what_a_clock_leaves_out_runs_after_the_gap_and_what_it_shows_twice_runs_once() {
    assert_eq!(
        shown("30 2 * * *", "Europe/Berlin", "2027-03-27T00:00:00Z", 3),
        [
            "2027-03-27T02:30:00+01:00",
            "2027-03-28T03:00:00+02:00 MovedAfterGap",
            "2027-03-29T02:30:00+02:00",
        ]
    );
    assert_eq!(
        shown("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2),
        [
            "2027-10-31T02:30:00+02:00 FirstOfTwo",
            "2027-11-01T02:30:00+01:00",
        ]
    );
    // Several times of one gap are one run.
    assert_eq!(
        shown(
            "*/15 2 * * *",
            "America/New_York",
            "2027-03-14T05:00:00Z",
            2
        ),
        [
            "2027-03-14T03:00:00-04:00 MovedAfterGap",
            "2027-03-15T02:00:00-04:00",
        ]
    );
    // What begins in the second of two alike hours does not go back.
    assert_eq!(
        shown("*/30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", 1),
        ["2027-11-01T02:00:00+01:00"]
    );
}

#[test]
fn what_runs_every_hour_goes_by_hours_that_pass() {
    for expression in ["0 * * * *", "0 0-23 * * *", "0 */1 * * *"] {
        let timing = Timing::new(expression, "Europe/Berlin").unwrap();
        for day in ["2027-03-27T22:00:00Z", "2027-10-30T22:00:00Z"] {
            let runs = timing.upcoming(moment(day), 8).unwrap();
            let apart = runs.windows(2).map(|r| r[1].at - r[0].at);
            assert!(apart.clone().all(|d| d == TimeDelta::hours(1)), "{runs:?}");
        }
    }
}

#[test]
fn errors_say_what_and_where() {
    let told = |expression: &str, zone: &str| {
        let error = Timing::new(expression, zone).unwrap_err();
        assert_eq!(error.code, Code::BadSchedule);
        format!("{}\n{}", error.message, error.hint.unwrap())
    };
    for (expression, zone, parts) in [
        ("0 25 * * *", "UTC", ["the hour of", "\"25\""]),
        ("0 2 * * FUN", "UTC", ["the day of the week of", "FUN"]),
        ("60 2 * * *", "UTC", ["the minute of", "\"60\""]),
        ("0 0 2 * * *", "UTC", ["has 6 fields", "Five fields"]),
        ("@daily", "UTC", ["has 1 fields", "0 2 * * *"]),
        ("", "UTC", ["has 0 fields", "0 2 * * *"]),
        ("0 2 30 2 *", "UTC", ["never comes", "28 2"]),
        ("0 2 31 4,6 *", "UTC", ["never comes", "28 2"]),
        ("* * * * *", "UTC", ["every 1 minutes", "*/5"]),
        ("*/4 1 * * *", "UTC", ["every 4 minutes", "*/5"]),
        ("0,58 1,2 * * *", "UTC", ["every 2 minutes", "*/5"]),
        ("0,58 0,23 * * *", "UTC", ["every 2 minutes", "*/5"]),
        (
            "0 2 * * *",
            "Berlin",
            ["time zone \"Berlin\"", "Europe/Berlin"],
        ),
        ("0 2 * * *", "europe/berlin", ["time zone", "Europe/Berlin"]),
        ("0 2 * * *", "New York", ["time zone", "America/New_York"]),
        ("0 2 * * *", "+02:00", ["time zone", "IANA"]),
    ] {
        let told = told(expression, zone);
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
    assert!(Timing::new("0,58 1,3 * * *", "UTC").is_ok());
    let long = format!("{} 2 * * *", "0,".repeat(60));
    assert!(told(&long, "UTC").contains("100 characters"));
}

#[test]
fn jitter_is_stable_and_small() {
    for (expression, most) in [
        ("0 2 * * *", 600),
        ("*/5 * * * *", 75),
        ("0,20 * * * *", 300),
    ] {
        let timing = Timing::new(expression, "UTC").unwrap();
        let of = |n: u128| timing.jitter_of(Uuid::from_u128(n));
        let all: Vec<u32> = (0..500).map(of).collect();
        assert_eq!(all, (0..500).map(of).collect::<Vec<_>>());
        assert!(all.iter().all(|j| *j <= most), "{expression}");
        let spread: std::collections::BTreeSet<_> = all.iter().collect();
        assert!(
            spread.len() as u32 > most / 3,
            "{expression}: {}",
            spread.len()
        );
    }
    let timing = Timing::new("0 2 * * *", "UTC").unwrap().later_by(90);
    let run = timing.next(moment("2027-01-01T02:01:00Z")).unwrap();
    assert_eq!(run.at, moment("2027-01-01T02:01:30Z"));
    assert_eq!(run.local.to_rfc3339(), "2027-01-01T02:00:00+00:00");
}

/// Minutes that keep their distance, hours, and days of the week.
fn expressions() -> impl Strategy<Value = String> {
    let minutes = prop_oneof![
        (0u32..60).prop_map(|m| m.to_string()),
        (0u32..25).prop_map(|m| format!("{m},{}", m + 30)),
        (5u32..31).prop_map(|step| format!("*/{step}")),
    ];
    let hours = prop_oneof![
        Just("*".to_string()),
        (0u32..24).prop_map(|h| h.to_string()),
        (0u32..12).prop_map(|h| format!("{h}-{}", h + 3)),
        (2u32..13).prop_map(|step| format!("*/{step}")),
    ];
    let days = prop_oneof![Just("*"), Just("MON-FRI"), Just("SUN")];
    (minutes, hours, days).prop_map(|(m, h, d)| format!("{m} {h} * * {d}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Against a walk through every minute of a year.
    #[test]
    fn a_year_has_every_run_once(
        expression in expressions(),
        zone in proptest::sample::select(ZONES),
        year in 2026i32..2034,
    ) {
        let Ok(timing) = Timing::new(&expression, zone) else { return Ok(()) };
        let begin = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
        let end = Utc.with_ymd_and_hms(year + 1, 1, 1, 0, 0, 0).unwrap();
        let mut runs = Vec::new();
        let mut at = begin;
        loop {
            let run = timing.next(at).unwrap();
            prop_assert!(run.at > at, "{run:?} after {at}");
            at = run.at;
            if at >= end { break }
            runs.push(run);
        }
        let mut rest = runs.iter().peekable();
        let (mut minute, mut seen) = (begin, std::collections::BTreeSet::new());
        let zone: Tz = zone.parse().unwrap();
        // What a clock shows for the first time, of what the expression names.
        seen.insert(begin.with_timezone(&zone).naive_local());
        minute += TimeDelta::minutes(1);
        while minute < end {
            let local = minute.with_timezone(&zone).naive_local();
            let before = (minute - TimeDelta::minutes(1)).with_timezone(&zone).naive_local();
            let mut due = timing.cron.is_time_matching(&local.and_utc()).unwrap()
                && (timing.every_hour || seen.insert(local));
            let mut left_out = before + TimeDelta::minutes(1);
            while !timing.every_hour && left_out < local {
                due |= timing.cron.is_time_matching(&left_out.and_utc()).unwrap();
                left_out += TimeDelta::minutes(1);
            }
            let runs_now = rest.next_if(|run| run.at == minute).is_some();
            prop_assert_eq!(runs_now, due, "{} {} at {}", expression, zone, minute);
            minute += TimeDelta::minutes(1);
            if local.hour() == 12 { seen.retain(|t| t.ordinal() == local.ordinal()) }
        }
        prop_assert!(rest.next().is_none());
    }

    #[test]
    fn no_text_breaks_it(expression in "\\PC{0,40}", fields in "[-0-9*/,#LW?A-Z@ ]{0,40}", zone in "\\PC{0,20}") {
        for text in [&expression, &fields] {
            if let Ok(timing) = Timing::new(text, "Europe/Berlin") {
                let runs = timing.upcoming(moment("2026-11-22T00:00:00Z"), 3);
                prop_assert!(runs.is_ok(), "{text}: {runs:?}");
            }
        }
        prop_assert!(Timing::new("0 2 * * *", &zone).is_ok() == zone.parse::<Tz>().is_ok());
    }
}
