//! Backups as the catalog knows them, for operators at a terminal who hold the project's secret key: the same rows,
//! queue and audit log as through HTTP, the tenant named instead of found by a token.

mod carry_out;
mod rows;
mod schedules;
mod tenants;

pub use carry_out::{Job, carry_out};
pub use rows::{BackupRow, Contents, Definitions, Origin, RestoreRow};
pub use tenants::{Quota, TenantRow};

use crate::config::{self, Settings};
use crate::core::ident::QName;
use crate::core::manifest::{BackupType, Codec, Scope};
use crate::core::restore_plan::Mode;
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{ApiKey, As, Catalog, Repeat};
use crate::ports::web;
use crate::tasks::cataloged::{Asked, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Who asks, and whose backups are meant.
#[derive(Clone)]
pub struct Operator {
    catalog: Catalog,
    /// Slug or id.
    tenant: String,
    /// For the audit log: the operating system's name of the person.
    actor: String,
}

/// A backup to be taken. What is absent is everything.
#[derive(Debug, Clone, Serialize)]
pub struct NewBackup {
    #[serde(rename = "type")]
    pub kind: BackupType,
    pub codec: Codec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<QName>,
    /// Of tenants without a scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// A restore in place, its preview, or the undo of one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRestore {
    pub mode: Mode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<QName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    pub force: bool,
    /// Rows whose parents are gone.
    pub leave_out_orphans: bool,
    /// Of an undo: rows that changed since stay as they are.
    pub leave_changed: bool,
    pub preview: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Uuid>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Enqueued {
    job_id: Uuid,
}

impl Operator {
    /// None where no catalog is configured: it takes `SUPABASE_URL` and `SUPABASE_SECRET_KEY`.
    pub fn new(settings: &Settings, actor: String) -> Result<Option<Self>> {
        let secret = settings.get(&config::SUPABASE_SECRET_KEY);
        let (Some(url), Some(secret)) = (settings.get(&config::SUPABASE_URL), secret) else {
            return Ok(None);
        };
        // Only people's requests need it, and none is made here.
        let publishable = settings.get(&config::SUPABASE_PUBLISHABLE_KEY);
        let publishable = ApiKey::new(publishable.unwrap_or_default());
        let secret = Some(ApiKey::new(secret));
        Ok(Some(Self {
            catalog: Catalog::new(web::client()?, url, publishable, secret),
            tenant: settings.require(&config::ROVODEV_TENANT)?.to_string(),
            actor,
        }))
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Backups whatever their state, newest first, and how many there are in all.
    pub async fn backups(&self, limit: usize, skipped: usize) -> Result<(u64, Vec<BackupRow>)> {
        #[derive(Deserialize)]
        struct Page {
            total: u64,
            backups: Vec<BackupRow>,
        }
        let wanted = json!({ "tenant": self.tenant, "page_size": limit, "skipped": skipped });
        let page: Page = self.read("rovodev_operators_list_backups", wanted).await?;
        Ok((page.total, page.backups))
    }

    pub async fn backup(&self, backup: Uuid) -> Result<BackupRow> {
        #[derive(Deserialize)]
        struct Found {
            backup: BackupRow,
        }
        let wanted = json!({ "tenant": self.tenant, "backup": backup });
        let found: Found = self.read("rovodev_operators_show_backup", wanted).await?;
        Ok(found.backup)
    }

    /// The restore or preview named, or every restore, newest first.
    pub async fn restores(&self, operation: Option<Uuid>) -> Result<Vec<RestoreRow>> {
        #[derive(Deserialize)]
        struct Found {
            restores: Vec<RestoreRow>,
        }
        let wanted = json!({ "tenant": self.tenant, "operation": operation });
        let found: Found = self.read("rovodev_operators_list_restores", wanted).await?;
        Ok(found.restores)
    }

    /// Puts a backup into the queue.
    pub async fn create(&self, request: &NewBackup) -> Result<Job> {
        let backup = Uuid::now_v7();
        let wanted = json!({ "backup": backup, "request": request });
        let id = self.ask("rovodev_operators_create_backup", wanted).await?;
        Ok(Job::Backup { id, backup })
    }

    /// Puts a restore into the queue.
    pub async fn restore(&self, backup: Uuid, request: &NewRestore) -> Result<Job> {
        let operation = Uuid::now_v7();
        let wanted = json!({ "operation": operation, "backup": backup, "request": request });
        let id = self.ask("rovodev_operators_restore_backup", wanted).await?;
        Ok(Job::Restore { id, operation })
    }

    /// Takes a backup out of every list, and its deletion from the store into the queue.
    pub async fn delete(&self, backup: Uuid) -> Result<Job> {
        let wanted = json!({ "backup": backup });
        let id = self.ask("rovodev_operators_delete_backup", wanted).await?;
        Ok(Job::Delete { id })
    }

    /// Asks whoever works on a job to stop.
    async fn cancel(&self, job: Uuid) -> Result<()> {
        let wanted = json!({ "tenant": self.tenant, "actor": self.actor, "job": job });
        let _: Value = self.read("rovodev_operators_cancel", wanted).await?;
        Ok(())
    }

    /// The ids in `wanted` are ours, so that the same request twice is one.
    async fn ask(&self, function: &str, mut wanted: Value) -> Result<Uuid> {
        wanted["tenant"] = json!(self.tenant);
        wanted["actor"] = json!(self.actor);
        let enqueued: Enqueued = self.read(function, wanted).await?;
        Ok(enqueued.job_id)
    }

    async fn read<T: DeserializeOwned>(&self, function: &str, wanted: Value) -> Result<T> {
        let call = self
            .catalog
            .call(As::Jobs, function, &wanted, Repeat::Safely);
        match call.await? {
            Asked::Done(done) => Ok(done),
            Asked::Refused(refusal) => Err(refused(refusal)),
        }
    }
}

/// A refusal, of the catalog or of a deployment, as an error.
pub fn refused(refusal: Refusal) -> Error {
    let code = match refusal.code.as_str() {
        "not_found" => Code::BackupNotFound,
        "no_tenant" => Code::TenantNotFound,
        "forbidden" | "scoped" => Code::Forbidden,
        "rate_limited" => Code::RateLimited,
        "restore_running" => Code::RestoreRunning,
        "undo_expired" => Code::UndoExpired,
        _ => Code::NotPossible,
    };
    let error = Error::new(code, refusal.message.trim_end_matches('.'));
    match code {
        Code::BackupNotFound => error.hint("`rovodev list` shows the backups that are there."),
        Code::TenantNotFound => error.hint(
            "Name one by --tenant or ROVODEV_TENANT; `rovodev init --admin EMAIL` makes the first.",
        ),
        Code::RestoreRunning => error.hint("Wait until it is over, or cancel it in the dashboard."),
        Code::RateLimited => match refusal.retry_after {
            Some(seconds) => error.hint(format!("Try again in {seconds} seconds.")),
            None => error.hint("Try again in a minute."),
        },
        _ => error,
    }
}
