//! `POST`: a link that streams, a link into the store, or an export that will be one.

use super::{secret_hash, soon};
use crate::core::ident::QName;
use crate::http::backups::restore::tables;
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::query::{body, id_in_path, parameters};
use crate::http::service::WORKING_TIME;
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{self, DownloadAnswer, DownloadBackup, Export};
use crate::tasks::jobs::Workshop;
use crate::tasks::{backups, jobs};
use chrono::Utc;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A link into the store serves this long; it cannot be taken back before, but by deleting what it leads to.
const STORE_LINK: Duration = Duration::from_secs(300);
const FORMATS: &[&str] = &["sql.zst", "sql.gz", "tar", "csv"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    format: Option<String>,
    /// `SCHEMA.TABLE`: its rows as CSV.
    table: Option<String>,
    /// A configuration file, as it is stored.
    file: Option<String>,
    #[serde(default)]
    export: bool,
}

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let backup = id_in_path(&request)?;
    parameters(&request, &[])?;
    let wanted = wanted(body(&request)?)?;
    let store = service.store()?;
    if (wanted.export || wanted.file.is_some()) && !store.has_links() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no_store_links",
            "This store gives no links. Download the backup as tar.",
        )
        .into());
    }
    // 244 random bits from the system, which the link alone holds.
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    // An export is only asked for where it can be made; other downloads need no more than the store.
    let workshop = match service.workshop() {
        Err(error) if wanted.export => return Err(error.into()),
        made => made.ok(),
    };
    let exports = store.has_links() && workshop.is_some();
    let limit = exports.then_some(WORKING_TIME.as_secs());
    let hash = secret_hash(&secret);
    let asked = cataloged::download(service.catalog(), &asker, backup, &wanted, &hash, limit);
    let made = granted(asked.await?)?;
    match (&made.export, &wanted.file) {
        (Some(export), _) if export.status == "completed" => {
            ready(&service, &wanted, &made, export).await
        }
        (Some(export), _) => waiting(workshop.zip(made.job_id), backup, &wanted, export),
        (None, Some(file)) => stored_file(&service, backup, &made, file).await,
        (None, None) => {
            let url = format!("/api/backups/{backup}/download?link={secret}");
            let answer = json!({
                "url": url, "expiresAt": made.expires_at, "format": wanted.format, "table": wanted.table,
            });
            Ok(Answer::json(StatusCode::CREATED, &answer))
        }
    }
}

fn wanted(body: Body) -> Result<DownloadBackup, Problem> {
    let table: Option<QName> = match &body.table {
        Some(name) => tables(std::slice::from_ref(name))?.pop(),
        None => None,
    };
    if let Some(file) = body.file {
        if body.format.is_some() || table.is_some() || body.export {
            return Err(bad("file stands alone: it is had as it is stored."));
        }
        return Ok(DownloadBackup {
            format: "file".into(),
            table: None,
            file: Some(file),
            export: false,
        });
    }
    let usual = if table.is_some() { "csv" } else { "sql.zst" };
    let format = body.format.unwrap_or_else(|| usual.into());
    if !FORMATS.contains(&format.as_str()) {
        return Err(bad(format!(
            "format must be one of {}.",
            FORMATS.join(", ")
        )));
    }
    if (format == "csv") != table.is_some() {
        return Err(bad(
            "csv is of one table, and one table is csv: give both or neither.",
        ));
    }
    Ok(DownloadBackup {
        format,
        table,
        file: None,
        export: body.export,
    })
}

async fn ready(
    service: &Service,
    wanted: &DownloadBackup,
    made: &DownloadAnswer,
    export: &Export,
) -> Result<Answer, Failure> {
    let content =
        cataloged::content(&wanted.format, wanted.table.as_ref()).ok_or_else(Problem::internal)?;
    let name = content.file_name(&made.name);
    let url = link(service, &export.store_key, &name, content.media_type()).await?;
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "url": url, "expiresAt": Utc::now() + STORE_LINK, "format": wanted.format, "table": wanted.table,
            "size": export.size, "exportId": export.id, "status": export.status,
        }),
    ))
}

fn waiting(
    work: Option<(Workshop, Uuid)>,
    backup: Uuid,
    wanted: &DownloadBackup,
    export: &Export,
) -> Result<Answer, Failure> {
    let place = format!("/api/backups/{backup}/restore/status?export={}", export.id);
    let told = json!({
        "exportId": export.id, "status": export.status, "format": wanted.format, "table": wanted.table,
    });
    let answer = Answer::json(StatusCode::ACCEPTED, &told).header(
        header::LOCATION,
        HeaderValue::from_str(&place).map_err(|_| Problem::internal())?,
    );
    Ok(match work {
        Some((workshop, job)) => answer.behind(jobs::work_on(workshop, job)),
        None => answer,
    })
}

async fn stored_file(
    service: &Service,
    backup: Uuid,
    made: &DownloadAnswer,
    file: &str,
) -> Result<Answer, Failure> {
    let store = service.store()?;
    let manifest = soon(backups::read(&store, &made.tenant, backup)).await?;
    let stored = manifest.config.iter().find(|f| f.path == file);
    let object = &stored.ok_or_else(Problem::not_found)?.object;
    let name = file.rsplit('/').next().unwrap_or(file);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = format!("{}.zst", name.replace(|c| !plain(c), "_"));
    let url = link(service, &object.key, &name, "application/zstd").await?;
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "url": url, "expiresAt": Utc::now() + STORE_LINK, "format": "file", "file": file,
            "fileName": name, "size": object.stored_bytes,
        }),
    ))
}

async fn link(service: &Service, key: &str, name: &str, kind: &str) -> Result<Value, Failure> {
    let url = service.store()?.link(key, name, kind, STORE_LINK).await?;
    Ok(url.ok_or_else(Problem::internal)?.into())
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::bad_request("bad_field", detail)
}
