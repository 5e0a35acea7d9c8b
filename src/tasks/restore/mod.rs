//! Bringing a backup back: in place by stage and merge, or into another database.

pub mod config;
mod copy_in;
pub mod database;
pub mod in_place;
mod lock;
pub mod safety;

use crate::config::{ROVODEV_UNDO_DAYS, Settings};
use crate::core::ident::QName;
use crate::core::manifest::{Manifest, Selection};
use crate::core::restore_plan::{Choice, Mode};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::DatabaseUrl;
use uuid::Uuid;

/// What to restore where.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// Given where somebody promised the operation beforehand; else a new id, or that of an interrupted restore.
    pub operation: Option<Uuid>,
    pub backup: Manifest,
    pub target: DatabaseUrl,
    /// The app's own database, where one is configured: a restore into another database never drops that.
    pub source: Option<DatabaseUrl>,
    pub mode: Mode,
    pub choice: Choice,
    /// Into another database: drop what is there first.
    pub force: bool,
    /// In place: leave out rows whose parents are gone, instead of refusing the restore.
    pub leave_out_orphans: bool,
    /// Connections that write at the same time.
    pub writers: usize,
    /// Bytes that the target's disk has to spare, where somebody knows; the server itself cannot tell.
    pub room: Option<u64>,
    /// In place: days that what is changed is kept for an undo.
    pub undo_days: u32,
}

/// Days that a restore keeps what it changed.
pub fn undo_days(settings: &Settings) -> Result<u32> {
    settings.number(&ROVODEV_UNDO_DAYS, 1..=365)
}

/// Refuses a name that the backup does not hold; else a typo would pass for a restore.
fn all_there(
    selection: &Selection,
    is_table: impl Fn(&QName) -> bool,
    is_schema: impl Fn(&str) -> bool,
) -> Result<()> {
    let tables = selection.tables.iter().filter(|name| !is_table(name));
    let schemas = selection.schemas.iter().filter(|name| !is_schema(name));
    let missing: Vec<_> = tables
        .map(|t| format!("table {t}"))
        .chain(schemas.map(|s| format!("schema {s}")))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("not in the backup: {}", missing.join(", "));
    Err(Error::new(Code::NothingSelected, message)
        .hint("`rovodev show` lists what the backup holds; upper and lower case count."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_from_1_to_365() {
        let read = |text: &str| undo_days(&Settings::of([("ROVODEV_UNDO_DAYS", text.into())]));
        for (text, days) in [("", 7), ("1", 1), (" 365 ", 365)] {
            assert_eq!(read(text).unwrap(), days, "{text:?}");
        }
        for text in ["0", "366", "-1", "week", "1.5"] {
            let error = read(text).unwrap_err();
            assert_eq!(error.code, Code::Config, "{text}");
            assert!(error.message.contains("ROVODEV_UNDO_DAYS"), "{error}");
        }
    }
}
