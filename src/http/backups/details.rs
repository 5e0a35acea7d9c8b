//! `GET, PATCH, DELETE /api/backups/[id]/details`: one backup.

use crate::core::size;
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::query::{body, id_in_path, parameters};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{self, Asker, Change, Details, RestoreStatus};
use crate::tasks::jobs;
use http::{Method, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use uuid::Uuid;

const LONGEST_NOTE: usize = 2000;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let id = id_in_path(&request)?;
    parameters(&request, &[])?;
    match *request.method() {
        Method::PATCH => {
            let change = change(body(&request)?)?;
            granted(cataloged::change(service.catalog(), &asker, id, &change).await?)?;
            show(&service, &asker, id).await
        }
        Method::DELETE => {
            let workshop = service.workshop()?;
            let deleting = granted(cataloged::delete(service.catalog(), &asker, id).await?)?;
            Ok(Answer::no_content().behind(jobs::work_on(workshop, deleting.job_id)))
        }
        _ => show(&service, &asker, id).await,
    }
}

async fn show(service: &Service, asker: &Asker, id: Uuid) -> Result<Answer, Failure> {
    let details = cataloged::details(service.catalog(), &asker.token, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Answer::json(StatusCode::OK, &shown(details)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    note: Option<Option<String>>,
    pinned: Option<bool>,
}

/// Tells `null` from an absent field.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(d).map(Some)
}

fn change(body: Body) -> Result<Change, Problem> {
    if let Some(name) = &body.name {
        crate::tasks::create::usable(name).map_err(|e| Problem::from(&e))?;
    }
    if body
        .note
        .iter()
        .flatten()
        .any(|n| n.chars().count() > LONGEST_NOTE)
    {
        return Err(Problem::bad_request(
            "bad_field",
            format!("note holds {LONGEST_NOTE} characters at most."),
        ));
    }
    Ok(Change {
        name: body.name,
        note: body.note.map(Value::from),
        pinned: body.pinned,
    })
}

fn shown(backup: Details) -> Value {
    let restores: Vec<Value> = backup.restore_operations.iter().map(restore).collect();
    let last = backup
        .restore_operations
        .iter()
        .filter(|r| r.status == "completed" && !r.preview)
        .filter_map(|r| r.completed_at)
        .max();
    let size = backup.size_bytes.unwrap_or_default();
    json!({
        "id": backup.id, "name": backup.name, "path": backup.backup_path, "createdAt": backup.created_at,
        "createdBy": backup.created_by, "startedAt": backup.started_at, "finishedAt": backup.finished_at,
        "size": size, "sizeFormatted": size::formatted(size), "rawSize": backup.raw_bytes,
        "newSize": backup.new_bytes, "type": backup.backup_type, "trigger": backup.trigger, "status": backup.status,
        "compressed": backup.compressed, "codec": backup.codec, "selection": backup.selection,
        "components": backup.components, "parentId": backup.parent_id, "contents": backup.contents,
        "appVersion": backup.app_version,
        "metadata": { "tables": backup.tables, "records": backup.records, "files": backup.files },
        "warnings": backup.warnings, "progress": backup.progress, "errorCode": backup.error_code,
        "error": backup.error_message, "verifiedAt": backup.verified_at,
        "check": { "at": backup.checked_at, "milliseconds": backup.check_ms, "bytes": backup.check_bytes, "damage": backup.damage },
        "damaged": backup.damage.is_some(), "anomalies": backup.anomalies, "pinned": backup.pinned,
        "note": backup.note, "expiresAt": backup.expires_at, "attempt": backup.attempt,
        "restores": { "total": restores.len(), "lastRestoredAt": last, "operations": restores },
    })
}

fn restore(r: &RestoreStatus) -> Value {
    json!({
        "operationId": r.id, "status": r.status, "target": r.target, "mode": r.mode, "preview": r.preview,
        "undoOf": r.undo_of, "undoneAt": r.undone_at, "undoUntil": r.undo_until(), "createdAt": r.created_at, "startedAt": r.started_at,
        "completedAt": r.completed_at, "initiatedBy": r.initiated_by, "result": r.result, "error": r.error_message,
        "safetyBackupId": r.safety_backup_id,
    })
}
