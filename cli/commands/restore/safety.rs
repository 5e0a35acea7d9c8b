//! What a restore in place says of its safety backup, and what becomes of one that was for nothing.

use super::Asked;
use crate::output;
use rovodev::error::Error;
use rovodev::tasks::backups::Summary;
use rovodev::tasks::restore::safety::Keeper;

/// Who takes the safety backup.
pub fn keeper<'a>(asked: &Asked<'a>) -> Keeper<'a> {
    Keeper {
        store: asked.store,
        store_key: asked.store_key,
        tenant: asked.tenant,
        pg_dump: asked.pg_dump.clone(),
    }
}

/// Removes the backup of a restore that changed nothing; answers it where it has to stay.
pub async fn unless_removed(asked: &Asked<'_>, safety: Summary) -> Option<Summary> {
    match Box::pin(keeper(asked).remove(safety.id)).await {
        Ok(()) => None,
        Err(e) => {
            output::note(&format!("the safety backup was not removed: {e}"));
            Some(safety)
        }
    }
}

/// The error of a restore that was refused or declined, so that its safety backup is not needed.
pub async fn without_need(asked: &Asked<'_>, safety: &Summary, refused: Error) -> Error {
    match unless_removed(asked, safety.clone()).await {
        None => refused,
        Some(safety) => stays(refused, &safety),
    }
}

/// An error that says where the safety backup is.
pub fn stays(error: Error, safety: &Summary) -> Error {
    let stays = format!(
        "The safety backup stays; `rovodev delete {}` removes it.",
        safety.name
    );
    let hint = match &error.hint {
        Some(hint) => format!("{hint} {stays}"),
        None => stays,
    };
    error.hint(hint)
}
