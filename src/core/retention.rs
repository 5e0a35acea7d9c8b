//! Which backups of a schedule are kept, and why.

mod decide;

pub use decide::{Backup, Decision, Reason, State, decide};

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// How many of each the newest are kept: the last ones, and the newest of each of so many hours, days, weeks, months and
/// years that have any; and all of the last `keep_days` days. What no rule keeps expires. Empty: nothing does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_hourly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_daily: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_weekly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_monthly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_yearly: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

/// Of a rule: enough for every hour of a century of days.
pub const MOST: u32 = 36_500;

impl Policy {
    /// Whether it says nothing, so that nothing expires.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// # Errors
    /// [`Code::BadSchedule`] naming a rule that keeps nothing or too much.
    pub fn check(&self) -> Result<()> {
        let rules = [
            ("keepLast", self.keep_last),
            ("keepHourly", self.keep_hourly),
            ("keepDaily", self.keep_daily),
            ("keepWeekly", self.keep_weekly),
            ("keepMonthly", self.keep_monthly),
            ("keepYearly", self.keep_yearly),
            ("keepDays", self.keep_days),
        ];
        let wrong = rules
            .iter()
            .find(|(_, kept)| kept.is_some_and(|n| n == 0 || n > MOST));
        match wrong {
            None => Ok(()),
            Some((name, _)) => Err(Error::new(
                Code::BadSchedule,
                format!("{name} of the retention policy is a number from 1 to {MOST}"),
            )
            .hint("Leave a rule out that shall keep nothing.")),
        }
    }
}

#[cfg(test)]
mod tests;
