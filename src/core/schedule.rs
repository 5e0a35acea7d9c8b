//! When a schedule runs: a cron expression of five fields in an IANA time zone.
//!
//! Where clocks change: a time that does not exist runs once, at the first moment after the gap; one that exists twice
//! runs once, the first time. What runs in every hour goes by hours that pass, so that none of them is without a run.

mod field;

use crate::error::{Code, Error, Result};
use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use serde::Serialize;
use uuid::Uuid;

/// Minutes that runs are apart at least.
pub const SHORTEST_INTERVAL: u32 = 5;
/// Characters of an expression.
const LONGEST_EXPRESSION: usize = 100;
/// No gap between two times of a zone is longer; one that changed sides of the date line left out a day.
const LONGEST_GAP: i64 = 2 * 24 * 60;
/// Seconds by which a run comes later than its expression says, at most.
const LONGEST_JITTER: u32 = 600;

/// An expression in its zone. Cheap enough to be made for each look.
#[derive(Debug, Clone)]
pub struct Timing {
    cron: Cron,
    zone: Tz,
    every_hour: bool,
    /// Minutes between two runs, at least.
    spacing: u32,
    jitter: TimeDelta,
}

/// A run that comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// When it is due, jitter included.
    pub at: DateTime<Utc>,
    /// The same without jitter, as clocks of the zone show it.
    pub local: DateTime<FixedOffset>,
    /// What a change of clocks did to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<ClockChange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClockChange {
    /// Its time does not exist on that day.
    MovedAfterGap,
    /// Its time exists twice on that day; this is the first.
    FirstOfTwo,
}

impl Timing {
    /// # Errors
    /// [`Code::BadSchedule`] naming the field or the zone; also where it would never run, or too often.
    pub fn new(expression: &str, zone: &str) -> Result<Self> {
        let zone = self::zone(zone)?;
        if expression.chars().count() > LONGEST_EXPRESSION {
            let longest =
                format!("a cron expression holds {LONGEST_EXPRESSION} characters at most");
            return Err(bad(longest).hint(EXAMPLES));
        }
        let (cron, every_hour) = field::parse(expression)?;
        let spacing = field::spacing(&cron);
        if spacing < SHORTEST_INTERVAL {
            return Err(bad(format!(
                "{expression:?} runs every {spacing} minutes; every {SHORTEST_INTERVAL} is the most there is"
            ))
            .hint("Write */5 for the minutes, or name minutes that are 5 apart."));
        }
        Ok(Self {
            cron,
            zone,
            every_hour,
            spacing,
            jitter: TimeDelta::zero(),
        })
    }

    /// The same, later by so many seconds.
    #[must_use]
    pub fn later_by(self, seconds: u32) -> Self {
        Self {
            jitter: TimeDelta::seconds(seconds.into()),
            ..self
        }
    }

    /// Seconds by which the runs of one schedule come later, always the same: not all schedules start in one second.
    /// At most ten minutes, and a quarter of the time between two runs.
    pub fn jitter_of(&self, schedule: Uuid) -> u32 {
        let window = LONGEST_JITTER.min(self.spacing * 60 / 4);
        let hash = blake3::hash(schedule.as_bytes());
        let first = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        u32::from_le_bytes(first) % (window + 1)
    }

    /// The first run after a moment.
    ///
    /// # Errors
    /// [`Code::BadSchedule`] where there is none.
    pub fn next(&self, after: DateTime<Utc>) -> Result<Run> {
        let after = after - self.jitter;
        let mut run = match self.every_hour {
            true => {
                let from = after.with_timezone(&self.zone);
                let found = self.cron.find_next_occurrence(&from, false);
                self.run(found.map_err(|e| never(&self.cron, e))?, None)
            }
            false => self.next_on_the_clock(after)?,
        };
        run.at += self.jitter;
        Ok(run)
    }

    /// The next `count` runs.
    pub fn upcoming(&self, after: DateTime<Utc>, count: usize) -> Result<Vec<Run>> {
        let mut runs: Vec<Run> = Vec::with_capacity(count);
        for _ in 0..count {
            let after = runs.last().map_or(after, |run| run.at);
            runs.push(self.next(after)?);
        }
        Ok(runs)
    }

    /// Times of a clock come one after the other, and so do the moments at which they run.
    fn next_on_the_clock(&self, after: DateTime<Utc>) -> Result<Run> {
        let mut clock = after.with_timezone(&self.zone).naive_local().and_utc();
        loop {
            let found = self.cron.find_next_occurrence(&clock, false);
            clock = found.map_err(|e| never(&self.cron, e))?;
            let run = self.at(clock.naive_utc())?;
            if run.at > after {
                return Ok(run);
            }
        }
    }

    /// When a time of the zone's clocks is.
    fn at(&self, time: NaiveDateTime) -> Result<Run> {
        match self.zone.from_local_datetime(&time) {
            MappedLocalTime::Single(at) => Ok(self.run(at, None)),
            MappedLocalTime::Ambiguous(a, b) => {
                Ok(self.run(a.min(b), Some(ClockChange::FirstOfTwo)))
            }
            MappedLocalTime::None => (1..=LONGEST_GAP)
                .find_map(|minutes| {
                    let later = time + TimeDelta::minutes(minutes);
                    self.zone.from_local_datetime(&later).earliest()
                })
                .map(|at| self.run(at, Some(ClockChange::MovedAfterGap)))
                .ok_or_else(|| bad(format!("{time} is not in the time zone {}", self.zone))),
        }
    }

    fn run(&self, at: DateTime<Tz>, clock_change: Option<ClockChange>) -> Run {
        Run {
            at: at.to_utc(),
            local: at.fixed_offset(),
            clock_change,
        }
    }
}

const EXAMPLES: &str = "Five fields: minute, hour, day of the month, month, day of the week. \
    \"0 2 * * *\" is every day at 2:00, \"30 3 * * MON\" Mondays at 3:30, \"0 */6 * * *\" every six hours.";

fn bad(message: impl Into<String>) -> Error {
    Error::new(Code::BadSchedule, message)
}

fn never(cron: &Cron, _: croner::errors::CronError) -> Error {
    let expression = cron.as_str();
    bad(format!("{expression:?} never comes"))
        .hint("Name a day that the month has, such as \"0 2 28 2 *\".")
}

/// A zone of the IANA database by its name.
///
/// # Errors
/// [`Code::BadSchedule`] with the name that was probably meant.
pub fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        let meant = |zone: &&Tz| {
            let (zone, name) = (zone.name().to_lowercase(), name.to_lowercase());
            let city = zone.rsplit('/').next().unwrap_or_default();
            zone == name || city == name.replace(' ', "_")
        };
        let hint = match TZ_VARIANTS.iter().find(meant) {
            Some(zone) => format!("Write {}.", zone.name()),
            None => {
                "Take a name of the IANA time zone database, such as UTC or Europe/Berlin.".into()
            }
        };
        let shown: String = name.chars().take(60).collect();
        bad(format!("there is no time zone {shown:?}")).hint(hint)
    })
}

#[cfg(test)]
mod tests;
