//! What deserves attention, with what to do about it.

use super::Status;
use crate::core::manifest::Warning;
use crate::error::Error;

pub fn of(status: &Status) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |code: &str, message: String| {
        found.push(Warning {
            code: code.into(),
            message,
        });
    };
    let failures = [
        ("source", status.source.error()),
        ("store", status.store.error()),
        ("pg_dump", status.pg_dump.error()),
        // The same server as the source's: worth a word only where the source answers.
        (
            "restores",
            status
                .undoable
                .error()
                .filter(|_| status.source.ok().is_some()),
        ),
    ];
    for (part, error) in failures {
        let Some(error) = error else { continue };
        warn(error.code.as_str(), with_hint(part, error));
    }
    if let Some(source) = status.source.ok() {
        if !source.bypasses_row_security {
            let message = format!(
                "source: row level security hides rows from {}; use a role with BYPASSRLS (on Supabase: postgres)",
                source.role
            );
            warn("row_security", message);
        }
        if source.standby {
            warn(
                "standby",
                "source: a standby; it can be backed up, but not restored into".into(),
            );
        }
    }
    if let Some(store) = status.store.ok() {
        match &store.last_backup {
            None => warn(
                "no_backup",
                "store: no backup yet; run `rovodev backup`".into(),
            ),
            Some(last) => {
                for warning in &last.warnings {
                    warn(&warning.code, format!("last backup: {}", warning.message));
                }
            }
        }
    }
    found
}

fn with_hint(part: &str, error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{part}: {error}. {hint}"),
        None => format!("{part}: {error}"),
    }
}
