//! A deployment asked over HTTP, as CI does: `--api URL`, with the token in `ROVODEV_TOKEN`.

mod client;
mod download;
mod problem;
mod schedules;
mod status;
mod watch;

pub use download::Out;
pub use status::status;

use client::{Client, Repeat};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use rovodev::config::Settings;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::operators::{BackupRow, NewBackup, NewRestore, RestoreRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Restores are listed by their backups; so many are asked for at the same time.
const AT_ONCE: usize = 8;

/// Cheap to clone.
#[derive(Clone)]
pub struct Deployment(Client);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub backups: Vec<BackupRow>,
    pub total: u64,
    pub next_cursor: Option<String>,
}

/// A backup that was asked for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    pub id: Uuid,
    pub job_id: Uuid,
    pub status: String,
    pub path: String,
}

/// The error of a command that makes no sense from afar.
pub fn refused(what: &str, why: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("{what} does not work through --api: {why}"),
    )
    .hint("Leave --api and ROVODEV_API out to work with the store itself.")
}

/// Refuses the first flag that was given and makes no sense from afar: given, flag, why.
pub fn refuse(flags: &[(bool, &str, &str)]) -> Result<()> {
    match flags.iter().find(|(given, ..)| *given) {
        Some((_, flag, why)) => Err(refused(flag, why)),
        None => Ok(()),
    }
}

impl Deployment {
    pub fn new(url: &str, settings: &Settings) -> Result<Self> {
        Client::new(url, settings).map(Self)
    }

    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Backups, newest first; `cursor` is the page's before.
    pub async fn page(&self, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &limit.to_string());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        let path = format!("/api/backups/list?{}", query.finish());
        self.0.call(Method::GET, &path, None, Repeat::Safely).await
    }

    pub async fn backup(&self, id: Uuid) -> Result<BackupRow> {
        let path = details(id);
        self.0.call(Method::GET, &path, None, Repeat::Safely).await
    }

    /// Safe to repeat on its way: all attempts carry one `Idempotency-Key`.
    pub async fn create(&self, request: &NewBackup) -> Result<Created> {
        let names: Vec<String> = request.tables.iter().map(ToString::to_string).collect();
        let mut body = json!({
            "type": request.kind, "compress": request.codec, "schemas": request.schemas, "tables": names,
        });
        if let Some(name) = &request.name {
            body["name"] = json!(name);
        }
        let repeat = Repeat::WithKey(Uuid::new_v4());
        self.0
            .call(Method::POST, "/api/backups/create", Some(&body), repeat)
            .await
    }

    /// The operation of a restore, a preview or an undo that was asked for.
    pub async fn restore(&self, backup: Uuid, request: &NewRestore) -> Result<Uuid> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            operation_id: Uuid,
        }
        let names: Vec<String> = request.tables.iter().map(ToString::to_string).collect();
        let mut body = json!({
            "mode": request.mode, "schemas": request.schemas, "tables": names, "force": request.force,
            "leaveOutOrphans": request.leave_out_orphans, "leaveChanged": request.leave_changed,
            "preview": request.preview,
        });
        if let Some(undo) = request.undo {
            body["undo"] = json!(undo);
        }
        let path = format!("/api/backups/{backup}/restore");
        // A second one would be refused while the first runs; only what surely did not arrive is sent again.
        let asked: Asked = self
            .0
            .call(Method::POST, &path, Some(&body), Repeat::Unsent)
            .await?;
        Ok(asked.operation_id)
    }

    pub async fn delete(&self, id: Uuid) -> Result<()> {
        let path = details(id);
        self.0
            .call(Method::DELETE, &path, None, Repeat::Unsent)
            .await
    }

    /// Asks whoever works on it to stop.
    async fn cancel(&self, backup: Uuid, operation: Option<Uuid>) -> Result<()> {
        let path = match operation {
            Some(operation) => format!("/api/backups/{backup}/restore?operation={operation}"),
            None => format!("/api/backups/{backup}/restore"),
        };
        let _: Value = self
            .0
            .call(Method::DELETE, &path, None, Repeat::Safely)
            .await?;
        Ok(())
    }

    /// Every restore that is no preview, newest first: those of each backup that is there.
    pub async fn restores(&self) -> Result<Vec<RestoreRow>> {
        let mut ids = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(200, cursor.as_deref()).await?;
            ids.extend(page.backups.iter().map(|b| b.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        let mut all: Vec<RestoreRow> = stream::iter(ids)
            .map(|id| async move { Ok::<_, Error>(of(self.backup(id).await?)) })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .flatten()
            .filter(|r| !r.preview)
            .collect();
        all.sort_by_key(|r| std::cmp::Reverse((r.completed_at, r.id)));
        Ok(all)
    }
}

/// The restores of a backup, with its id and name.
fn of(backup: BackupRow) -> Vec<RestoreRow> {
    let mut restores = backup.restores.operations;
    for restore in &mut restores {
        restore.backup_id = Some(backup.id);
        restore.backup_name = Some(backup.name.clone());
    }
    restores
}

fn details(id: Uuid) -> String {
    format!("/api/backups/{id}/details")
}
