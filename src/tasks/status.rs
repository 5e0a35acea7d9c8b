//! Is everything well? Every part is asked at the same time, each with its own time limit.

mod probes;
mod warnings;

pub use probes::look_into;

use crate::config::{self, Settings};
use crate::core::manifest::{Selection, Warning};
use crate::error::{Class, Code, Error};
use crate::ports::postgres::DatabaseUrl;
use crate::ports::postgres::overview::Overview;
use crate::tasks::lease::Holder;
use crate::tasks::restore::in_place::Operation;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// What one part answered, or why it did not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Probe<T> {
    Ok(T),
    Error(Error),
}

impl<T> Probe<T> {
    pub fn ok(&self) -> Option<&T> {
        match self {
            Probe::Ok(answer) => Some(answer),
            Probe::Error(_) => None,
        }
    }

    pub fn error(&self) -> Option<&Error> {
        match self {
            Probe::Ok(_) => None,
            Probe::Error(error) => Some(error),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub health: Health,
    pub source: Probe<Overview>,
    pub pg_dump: Probe<PgDumpFound>,
    pub store: Probe<StoreFound>,
    /// Absent where nobody keeps one, or where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Probe<CatalogFound>>,
    /// Restores of the source that can be undone, newest first.
    pub undoable: Probe<Vec<Operation>>,
    pub configuration: Vec<SettingFound>,
    pub warnings: Vec<Warning>,
}

/// The tenant's list, as the dashboard has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogFound {
    pub url: String,
    pub tenant: String,
    /// Whatever their state.
    pub backups: u64,
    pub newest: Option<NewestFound>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewestFound {
    pub id: Uuid,
    pub name: String,
    /// `pending`, `in_progress`, `completed`, `failed`, `cancelled`.
    pub status: String,
    pub at: DateTime<Utc>,
}

/// The worst that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    Well,
    Warnings,
    /// The database, the store or the catalog does not answer.
    Unreachable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgDumpFound {
    /// The program, or the folder of a bundle.
    pub path: String,
    pub version: String,
    pub major: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreFound {
    /// Where it is.
    pub location: String,
    /// Where `bytes` is absent, folders of backups that never came to their end are among them.
    pub backups: u64,
    /// Bytes of all objects; absent where there are too many to count in the time there is.
    pub bytes: Option<u64>,
    /// What `latest` names: no safety backup, and a whole one where there is one.
    pub last_backup: Option<LastBackup>,
    /// Who writes there just now, or died while writing: a prune or deletion, and the newest backups.
    pub held_by: Vec<Holder>,
    /// Why no backup could be written: the right to write is missing, or STORE_KEY is not the store's.
    pub unwritable: Option<Error>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastBackup {
    pub id: Uuid,
    pub name: String,
    pub finished_at: DateTime<Utc>,
    pub selection: Selection,
    pub warnings: Vec<Warning>,
    /// Why it may not be the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// A setting in force; the value of a secret stays hidden, and of an address its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingFound {
    pub name: &'static str,
    pub set: bool,
    pub secret: bool,
    pub value: Option<String>,
    /// `flag`, `environment`, `.env` or `default`.
    pub origin: Option<&'static str>,
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For all that one part has to say.
    pub part: Duration,
    /// For the first word of the store, which is tried more than once.
    pub reach: Duration,
}

impl From<Duration> for Patience {
    fn from(limit: Duration) -> Self {
        Self {
            part: limit,
            reach: limit,
        }
    }
}

/// What is asked besides what always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Details {
    /// The tables one by one.
    pub each_table: bool,
    pub catalog: bool,
}

/// Asks every part.
pub async fn look(settings: &Settings, patience: Patience, details: Details) -> Status {
    let limit = patience.part;
    let catalog = async {
        match details.catalog {
            true => probes::catalog(settings, limit).await,
            false => None,
        }
    };
    let ((source, pg_dump), store, undoable, catalog) = tokio::join!(
        probes::source_and_pg_dump(settings, limit, details.each_table),
        probes::store(settings, patience),
        probes::undoable(settings, limit),
        catalog,
    );
    let mut status = Status {
        health: Health::Well,
        source,
        pg_dump,
        store,
        catalog,
        undoable,
        configuration: configuration(settings),
        warnings: Vec::new(),
    };
    status.warnings = warnings::of(&status);
    status.health = health(&status);
    status
}

/// What a deployment cannot do without, each asked within `limit`.
pub async fn source_and_store(
    settings: &Settings,
    limit: Duration,
) -> (Probe<Overview>, Probe<StoreFound>) {
    tokio::join!(
        probes::source(settings, limit, false),
        probes::store(settings, limit.into()),
    )
}

fn health(status: &Status) -> Health {
    let catalog = status.catalog.as_ref().and_then(Probe::error);
    let errors = [status.source.error(), status.store.error(), catalog];
    let mut classes = errors.into_iter().flatten().map(|e| e.code.class());
    if classes.any(|class| class == Class::Connect) {
        Health::Unreachable
    } else if status.warnings.is_empty() {
        Health::Well
    } else {
        Health::Warnings
    }
}

fn configuration(settings: &Settings) -> Vec<SettingFound> {
    let found = config::VARIABLES.iter().map(|v| SettingFound {
        name: v.name,
        set: settings.get(v).is_some(),
        secret: v.secret,
        value: settings.get(v).and_then(|value| shown(v, value)),
        origin: settings.origin(v).map(config::Origin::label),
    });
    found.collect()
}

/// Of a database's address everything but the password tells where it leads; of one that cannot be read nobody knows
/// where the password is.
fn shown(variable: &config::Variable, value: &str) -> Option<String> {
    match [config::DATABASE_URL, config::CATALOG_DATABASE_URL].contains(variable) {
        true => DatabaseUrl::parse(value).ok().map(|url| url.to_string()),
        false => (!variable.secret).then(|| config::shown(value)),
    }
}

/// The probe's answer within `limit`; `unanswered` is the code for silence, `part` names it.
async fn within<T>(
    limit: Duration,
    unanswered: Code,
    part: &str,
    probe: impl Future<Output = Result<T, Error>>,
) -> Probe<T> {
    match tokio::time::timeout(limit, probe).await {
        Ok(Ok(answer)) => Probe::Ok(answer),
        Ok(Err(error)) => Probe::Error(error),
        Err(_) => Probe::Error(
            Error::new(
                unanswered,
                format!("{part} did not answer within {limit:?}"),
            )
            .hint("Give it longer with --timeout, or see what holds it up."),
        ),
    }
}
