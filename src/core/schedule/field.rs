//! The five fields of a cron expression.

use super::{EXAMPLES, bad, never};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

const FIELDS: [&str; 5] = [
    "minute",
    "hour",
    "day of the month",
    "month",
    "day of the week",
];
/// Minutes of an hour.
const HOUR: u32 = 60;

/// The expression, and whether it runs in every hour.
pub fn parse(expression: &str) -> Result<(Cron, bool)> {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    if fields.len() != FIELDS.len() || expression.contains('@') {
        let number = fields.len();
        return Err(bad(format!(
            "the cron expression {expression:?} has {number} fields, and not five"
        ))
        .hint(EXAMPLES));
    }
    let cron = read(&fields.join(" ")).map_err(|e| unreadable(expression, &fields, &e))?;
    cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false)
        .map_err(|e| never(&cron, e))?;
    if cron.pattern.hours.values().len() < 24 {
        return Ok((cron, false));
    }
    // Only what says so in this way runs in both of two hours that a clock shows alike.
    let mut every = fields;
    every[1] = "*";
    let cron = read(&every.join(" ")).map_err(|e| unreadable(expression, &every, &e))?;
    Ok((cron, true))
}

/// Names the first field that cannot be.
fn unreadable(expression: &str, fields: &[&str], whole: &CronError) -> Error {
    for (at, field) in fields.iter().enumerate() {
        let mut alone = ["*"; 5];
        alone[at] = field;
        if let Err(error) = read(&alone.join(" ")) {
            let (what, name) = (reason(&error), FIELDS[at]);
            return bad(format!(
                "the {name} of the cron expression {expression:?} cannot be {field:?}: {what}"
            ))
            .hint(EXAMPLES);
        }
    }
    let what = reason(whole);
    bad(format!(
        "the cron expression {expression:?} cannot be read: {what}"
    ))
    .hint(EXAMPLES)
}

fn read(text: &str) -> Result<Cron, CronError> {
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed);
    parser.build().parse(text)
}

fn reason(error: &CronError) -> String {
    match error {
        CronError::ComponentError(text)
        | CronError::InvalidPattern(text)
        | CronError::IllegalCharacters(text) => text.trim_end_matches('.').to_lowercase(),
        other => other.to_string().trim_end_matches('.').to_lowercase(),
    }
}

/// Minutes between two runs, at least; never more than an hour.
pub fn spacing(cron: &Cron) -> u32 {
    let minutes: Vec<u32> = cron
        .pattern
        .minutes
        .values()
        .iter()
        .map(|m| u32::from(*m))
        .collect();
    let hours = cron.pattern.hours.values();
    let follow = |h: &u16| hours.contains(&((h + 1) % 24));
    let within = minutes.windows(2).map(|pair| pair[1] - pair[0]);
    let across = match (minutes.first(), minutes.last()) {
        (Some(first), Some(last)) if hours.iter().any(follow) => first + HOUR - last,
        _ => HOUR,
    };
    within.chain([across]).min().unwrap_or(HOUR)
}
