//! Setting up: a key for the store, an `.env`, and a check of everything it names.

mod env_file;

pub use env_file::{Change, EnvFile};

use crate::config::{self, Settings};
use crate::core::keys;
use crate::error::{Code, Error, Result};
use crate::ports::store::{Access, Store};
use crate::tasks::places;
use crate::tasks::status::{self, Status};
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

/// Whether the store was made before, so that its key exists already and a new one would not fit.
pub async fn store_exists(settings: &Settings, limit: Duration) -> Result<bool> {
    let store = places::store(settings)?;
    match tokio::time::timeout(limit, store.head(keys::FORMAT)).await {
        Ok(Ok(found)) => Ok(found.is_some()),
        Ok(Err(e)) if e.code == Code::StoreMissing && matches!(store, Store::Dir(_)) => Ok(false),
        Ok(Err(e)) => Err(e),
        Err(_) => Err(silent(&store, limit)),
    }
}

/// Checks the database (port, reach, role), pg_dump, and that the store takes writes.
pub async fn check(settings: &Settings, limit: Duration) -> (Status, Vec<Check>) {
    let (status, store) = tokio::join!(
        status::look(settings, limit, false),
        store_takes_writes(settings, limit)
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
    Some(match source.bypasses_row_security {
        true => ok(
            "role",
            format!("{} sees every row (BYPASSRLS)", source.role),
        ),
        false => Check {
            name: "role",
            verdict: Verdict::Failed,
            message: format!("row level security hides rows from {}", source.role),
            hint: Some("Use a role with BYPASSRLS; on Supabase that is postgres.".into()),
        },
    })
}

fn pg_dump(status: &Status) -> Check {
    match &status.pg_dump {
        status::Probe::Ok(found) => ok("pg_dump", format!("version {}", found.version)),
        // Backups go on without the schema, and say so.
        status::Probe::Error(e) => failed("pg_dump", Verdict::Warning, e),
    }
}

async fn store_takes_writes(settings: &Settings, limit: Duration) -> Result<Check> {
    let store = places::store(settings)?;
    let tried = async {
        store.create().await?;
        store.probe(Access::Write).await
    };
    tokio::time::timeout(limit, tried)
        .await
        .map_err(|_| silent(&store, limit))??;
    let key = match settings.get(&config::STORE_KEY) {
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
