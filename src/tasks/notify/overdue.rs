//! Backups that should have happened and did not.

use crate::config::{ROVODEV_OVERDUE_MINUTES, Settings};
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::time::Instant;

/// Runs of either kind in one look.
const AT_ONCE: usize = 1000;

/// Minutes after its time by which a scheduled backup must have ended.
pub fn overdue_minutes(settings: &Settings) -> Result<u32> {
    settings.number(&ROVODEV_OVERDUE_MINUTES, 10..=10_080)
}

/// Tells what is overdue at `now`, each run once, until nothing is left or `until` has come. How many. Comes before runs
/// are claimed: afterwards nobody knows that one was late.
pub async fn tell_overdue(
    catalog: &Catalog,
    now: DateTime<Utc>,
    minutes: u32,
    until: Instant,
) -> Result<usize> {
    let arguments = json!({ "at": now, "minutes": minutes, "most": AT_ONCE });
    let mut told = 0;
    loop {
        let some: usize = catalog
            .call(As::Jobs, "rovodev_tell_overdue", &arguments, Repeat::Safely)
            .await?;
        told += some;
        if some < AT_ONCE {
            return Ok(told);
        }
        if Instant::now() >= until {
            tracing::warn!(told, "more is overdue than one tick tells");
            return Ok(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_bound_is_generous_and_has_limits() {
        let read =
            |text: &str| overdue_minutes(&Settings::of([("ROVODEV_OVERDUE_MINUTES", text.into())]));
        for (text, minutes) in [("", 120), ("10", 10), (" 10080 ", 10_080)] {
            assert_eq!(read(text).unwrap(), minutes, "{text:?}");
        }
        for text in ["9", "10081", "-1", "day"] {
            assert_eq!(read(text).unwrap_err().code, Code::Config, "{text}");
        }
    }
}
