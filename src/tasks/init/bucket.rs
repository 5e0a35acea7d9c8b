//! The bucket of a store on S3.

use crate::config::Settings;
use crate::error::{Code, Result};
use crate::ports::store::Store;
use crate::tasks::places;
use std::time::Duration;

/// The store whose bucket does not exist. Where it cannot be asked, the check that follows says why.
pub async fn missing(settings: &Settings, limit: Duration) -> Result<Option<Store>> {
    let store = places::store(settings)?;
    if !matches!(store, Store::S3(_)) {
        return Ok(None);
    }
    // A list of nothing: an empty bucket answers it, and a missing one does not.
    let asked = tokio::time::timeout(limit, store.list("no-such-folder/")).await;
    Ok(match asked {
        Ok(Err(e)) if e.code == Code::StoreMissing => Some(store),
        _ => None,
    })
}
