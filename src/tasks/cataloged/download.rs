//! Asking for a download: a link for minutes, or an export where a stream would not end in time.

use super::{Asked, Asker, Nothing, ask};
use crate::core::ident::QName;
use crate::error::Result;
use crate::ports::catalog::{As, Catalog, Repeat, moment_if_any};
use crate::tasks::download::{Content, DownloadFormat};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Clone, Serialize)]
pub struct DownloadBackup {
    /// `sql.zst`, `sql.gz`, `tar`, `csv`, or `file` for one of the configuration's.
    pub format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<QName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Makes it ready beforehand, however small it is.
    pub export: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadAnswer {
    /// Folder of the tenant in the store.
    pub tenant: String,
    /// The backup's name.
    pub name: String,
    /// When the link expires.
    pub expires_at: DateTime<Utc>,
    /// There is no link then.
    pub export: Option<Export>,
    /// Of an export that was asked for now.
    pub job_id: Option<Uuid>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    pub id: Uuid,
    pub status: String,
    pub store_key: String,
    pub size: Option<u64>,
}

/// `secret_hash` is that of the link's secret; what would stream longer than `stream_seconds` becomes an export.
pub async fn download(
    catalog: &Catalog,
    asker: &Asker,
    backup: Uuid,
    request: &DownloadBackup,
    secret_hash: &str,
    stream_seconds: Option<u64>,
) -> Result<Asked<DownloadAnswer>> {
    let arguments = json!({
        "backup": backup, "request": request, "secret_hash": secret_hash, "stream_seconds": stream_seconds,
        "door": asker.door, "address": asker.address,
    });
    let function = "rovodev_download_backup";
    ask(catalog, asker, function, &arguments, Repeat::Unsent).await
}

/// Ends every link to a backup, and its exports.
pub async fn revoke(catalog: &Catalog, asker: &Asker, backup: Uuid) -> Result<Asked<Nothing>> {
    let arguments = json!({ "backup": backup, "door": asker.door, "address": asker.address });
    let function = "rovodev_revoke_downloads";
    ask(catalog, asker, function, &arguments, Repeat::Safely).await
}

/// Where a link leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub id: Uuid,
    pub tenant: String,
    pub name: String,
    format: String,
    table: Option<QName>,
    /// The tenant sees rows of its own and nothing else.
    pub scoped: bool,
}

impl Link {
    pub fn content(&self) -> Option<Content> {
        content(&self.format, self.table.as_ref())
    }
}

/// What a format and a table mean together.
pub fn content(format: &str, table: Option<&QName>) -> Option<Content> {
    match table {
        Some(table) => (format == "csv").then(|| Content::Csv(table.clone())),
        None => DownloadFormat::parse(format).map(Content::Backup),
    }
}

/// `None` where the link has expired, was revoked, leads to another backup, or never was one.
pub async fn open_link(
    catalog: &Catalog,
    backup: Uuid,
    secret_hash: &str,
    address: Option<&str>,
) -> Result<Option<Link>> {
    let arguments = json!({ "backup": backup, "secret_hash": secret_hash, "address": address });
    let function = "rovodev_open_download_link";
    catalog
        .call(As::Anybody, function, &arguments, Repeat::Safely)
        .await
}

/// How fast a link was read, from which later downloads are judged.
pub async fn record_stream(catalog: &Catalog, link: Uuid, bytes: u64, seconds: f64) -> Result<()> {
    let arguments = json!({ "link": link, "bytes": bytes, "seconds": seconds });
    let function = "rovodev_record_stream";
    let recorded: Result<Value> = catalog
        .call(As::Jobs, function, &arguments, Repeat::Unsent)
        .await;
    recorded.map(drop)
}

/// A row of `rovodev_exports`.
#[derive(Debug, Clone, Deserialize)]
pub struct ExportStatus {
    pub id: Uuid,
    pub format: String,
    pub table_name: Option<QName>,
    pub status: String,
    pub progress: Option<Value>,
    pub size_bytes: Option<u64>,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub finished_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "moment_if_any")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// None where there is no such export of this backup, or it is another tenant's.
pub async fn export_status(
    catalog: &Catalog,
    token: &str,
    backup: Uuid,
    export: Uuid,
) -> Result<Option<ExportStatus>> {
    const COLUMNS: &str = "id,format,table_name,status,progress,size_bytes,error_code,error_message,started_at,\
        finished_at,expires_at";
    let rows = catalog
        .read(As::Person(token), "rovodev_exports", |query| {
            query
                .select(COLUMNS)
                .eq("backup_id", backup.to_string())
                .eq("id", export.to_string())
                .limit(1)
        })
        .await?;
    Ok(rows.into_iter().next())
}
