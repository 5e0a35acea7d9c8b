//! Setting up: a key for the store, an `.env`, and a check of everything it names.

pub mod bucket;
pub mod catalog;
mod env_file;
pub mod minutely;
pub mod vercel;

pub use env_file::{Change, EnvFile};

use crate::config::{self, Settings};
use crate::core::format::SegmentKeySource;
use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::{Access, Store};
use crate::tasks::status::{self, Details, Patience, Status};
use crate::tasks::{Context, open_store, places};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// One thing that must be right, and what to do where it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Ok,
    /// Backups work, but less than they could.
    Warning,
    Failed,
}

/// 256 bits from the system's random source, as 64 hex digits.
pub fn new_store_key() -> String {
    let random = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let bytes: Vec<u8> = random.iter().flat_map(|u| *u.as_bytes()).collect();
    blake3::hash(&bytes).to_hex().to_string()
}

/// Which key a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyNeeded {
    /// There is no store yet: a new key.
    New,
    /// The one it was made with.
    ItsOwn,
    /// It was made without, so none ever fits.
    None,
}

/// Asks the store, which may not exist yet.
pub async fn key_needed(settings: &Settings, patience: Patience) -> Result<KeyNeeded> {
    let store = places::store(settings)?;
    let ctx = Context::default();
    let format = async {
        store.reach(patience.reach).await?;
        open_store::open_to_read(&ctx, &store, None).await
    };
    match tokio::time::timeout(patience.part, format).await {
        Ok(Ok(found)) => Ok(match found.format.segment_key {
            SegmentKeySource::Secret { .. } => KeyNeeded::ItsOwn,
            SegmentKeySource::StoreId => KeyNeeded::None,
        }),
        // An empty bucket answers so too, and a missing one when it is checked.
        Ok(Err(e)) if e.code == Code::StoreMissing => Ok(KeyNeeded::New),
        Ok(Err(e)) => Err(e),
        Err(_) => Err(silent(&store, patience.part)),
    }
}

/// What to keep away from this machine and from the store, so that backups outlive both: how to reach the store, and
/// with what.
pub fn recovery_kit(settings: &Settings) -> Result<Vec<String>> {
    let store = places::store(settings)?;
    let mut kit = vec![format!("where the backups are: {}", store.describe())];
    if matches!(store, Store::S3(_)) {
        kit.push(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or others that may read there".into(),
        );
    }
    if settings.get(&config::STORE_KEY).is_some() {
        kit.push(
            "STORE_KEY: restoring works without it, but no further backup into this store does, \
             and nobody can make it again"
                .into(),
        );
    }
    kit.push(format!(
        "that {} in the store says how to restore with psql and zstd, without rovodev",
        keys::RECOVERY
    ));
    Ok(kit)
}

/// Checks the database (port, reach, role), pg_dump, and that the store takes writes.
pub async fn check(settings: &Settings, patience: Patience) -> (Status, Vec<Check>) {
    let (status, store) = tokio::join!(
        status::look(settings, patience, Details::default()),
        store_takes_writes(settings, patience)
    );
    let mut checks = vec![database(&status)];
    checks.extend(role(&status));
    checks.push(pg_dump(&status));
    checks.push(store.unwrap_or_else(|e| failed("store", Verdict::Failed, &e)));
    (status, checks)
}

fn database(status: &Status) -> Check {
    match &status.source {
        status::Probe::Ok(source) => ok(
            "database",
            format!(
                "{} on PostgreSQL {}",
                source.database, source.server_version
            ),
        ),
        status::Probe::Error(e) => failed("database", Verdict::Failed, e),
    }
}

fn role(status: &Status) -> Option<Check> {
    let source = status.source.ok()?;
    let failed = |message, hint: &str| Check {
        name: "role",
        verdict: Verdict::Failed,
        message,
        hint: Some(hint.into()),
    };
    let role = &source.role;
    Some(match &source.unreadable_example {
        _ if !source.bypasses_row_security => failed(
            format!("row level security hides rows from {role}"),
            "Use a role with BYPASSRLS; on Supabase that is postgres.",
        ),
        Some(example) => failed(
            format!(
                "{role} may not read {} of the app's tables and sequences ({example})",
                source.unreadable
            ),
            "Grant it SELECT on them, or the role pg_read_all_data.",
        ),
        None => ok("role", format!("{role} sees every row (BYPASSRLS)")),
    })
}

fn pg_dump(status: &Status) -> Check {
    match &status.pg_dump {
        status::Probe::Ok(found) => ok(
            "pg_dump",
            format!("version {}, {}", found.version, found.path),
        ),
        // Backups go on without the schema, and say so.
        status::Probe::Error(e) => failed("pg_dump", Verdict::Warning, e),
    }
}

async fn store_takes_writes(settings: &Settings, patience: Patience) -> Result<Check> {
    let store = places::store(settings)?;
    let tried = async {
        store.create().await?;
        store.reach(patience.reach).await?;
        store.probe(Access::Write).await
    };
    let key = settings.get(&config::STORE_KEY);
    let tried = async {
        tried.await?;
        open_store::fitting_key(&store, key).await
    };
    tokio::time::timeout(patience.part, tried)
        .await
        .map_err(|_| silent(&store, patience.part))??;
    let key = match key {
        Some(_) => "",
        None => "; without STORE_KEY",
    };
    Ok(ok(
        "store",
        format!("{} takes writes{key}", store.describe()),
    ))
}

fn silent(store: &Store, limit: Duration) -> Error {
    Error::new(
        Code::StoreUnreachable,
        format!("{} did not answer within {limit:?}", store.describe()),
    )
    .hint("Check S3_ENDPOINT and the network.")
}

fn ok(name: &'static str, message: String) -> Check {
    Check {
        name,
        verdict: Verdict::Ok,
        message,
        hint: None,
    }
}

fn failed(name: &'static str, verdict: Verdict, error: &Error) -> Check {
    Check {
        name,
        verdict,
        message: error.to_string(),
        hint: error.hint.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_keys_are_long_and_never_the_same() {
        let (one, other) = (new_store_key(), new_store_key());
        assert_eq!(one.len(), 64);
        assert!(one.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }
}
