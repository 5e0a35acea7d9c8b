//! What deserves attention, with what to do about it.

use super::{Probe, Status};
use crate::core::manifest::Warning;
use crate::error::Error;
use crate::ports::postgres::overview::UnfinishedRestore;

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
        ("catalog", status.catalog.as_ref().and_then(Probe::error)),
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
        if let Some(example) = &source.unreadable_example {
            let message = format!(
                "source: {} may not read {} of the app's tables and sequences ({example}), so a backup is refused; \
                 grant SELECT, or the role pg_read_all_data",
                source.role, source.unreadable
            );
            warn("permission_denied", message);
        }
        for restore in &source.unfinished_restores {
            let (code, message) = unfinished(restore);
            warn(code, message);
        }
        if source.standby {
            warn(
                "standby",
                "source: a standby; it can be backed up, but not restored into".into(),
            );
        }
    }
    if let Some(store) = status.store.ok() {
        if let Some(error) = &store.unwritable {
            let told = with_hint("store", error);
            warn(
                error.code.as_str(),
                format!("{told} (no backup can be written)"),
            );
        }
        match &store.last_backup {
            None => warn(
                "no_backup",
                "store: no backup yet; run `rovodev backup`".into(),
            ),
            Some(last) => {
                if !last.selection.is_whole() {
                    let message = format!(
                        "store: there is no backup of the whole database; the last holds {} alone",
                        last.selection
                    );
                    warn("partial_backup", message);
                }
                if let Some(doubt) = &last.doubt {
                    warn("latest_in_doubt", format!("store: {doubt}"));
                }
                for warning in &last.warnings {
                    warn(&warning.code, format!("last backup: {}", warning.message));
                }
            }
        }
    }
    found
}

fn unfinished(restore: &UnfinishedRestore) -> (&'static str, String) {
    let what = restore.comment.as_deref().unwrap_or("a restore");
    match restore.running {
        true => (
            "restore_running",
            format!("source: {what} is on its way; until it ends the database is incomplete"),
        ),
        false => (
            "restore_unfinished",
            format!(
                "source: {what} stopped before its end, so the database is incomplete (schema {}); \
                 restore again with --target-url and --force",
                restore.marker
            ),
        ),
    }
}

fn with_hint(part: &str, error: &Error) -> String {
    match &error.hint {
        Some(hint) => format!("{part}: {error}. {hint}"),
        None => format!("{part}: {error}"),
    }
}
