//! `POST, DELETE /api/backups/[id]/restore`: asks for a restore, its preview or its undo; cancels what runs.

use crate::core::ident::QName;
use crate::http::caller::{caller, granted};
use crate::http::guard::Failure;
use crate::http::query::{body, id_in_path, parameters};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{self, RestoreBackup};
use crate::tasks::jobs;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    components: Option<Vec<Component>>,
    /// As the seed has it: nobody is asked here, so it changes nothing.
    #[serde(default)]
    force: bool,
    #[serde(default)]
    leave_out_orphans: bool,
    #[serde(default)]
    leave_changed: bool,
    #[serde(default)]
    target: Target,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    schemas: Vec<String>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    preview: bool,
    /// The operation to reverse.
    undo: Option<Uuid>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Component {
    Database,
    Config,
    Deployment,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Target {
    #[default]
    InPlace,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
enum Mode {
    #[default]
    Missing,
    KeepNewer,
    Exact,
}

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let backup = id_in_path(&request)?;
    if request.method() == Method::DELETE {
        let operation = operation(&parameters(&request, &["operation"])?)?;
        let cancelling =
            granted(cataloged::cancel(service.catalog(), &asker, backup, operation).await?)?;
        return Ok(Answer::json(StatusCode::ACCEPTED, &cancelling));
    }
    parameters(&request, &[])?;
    let wanted = wanted(body(&request)?)?;
    let workshop = service.workshop()?;
    let asked = granted(cataloged::restore(service.catalog(), &asker, backup, &wanted).await?)?;
    let answer = json!({
        "operationId": asked.operation_id, "jobId": asked.job_id, "status": asked.status,
        "safetyBackupId": asked.safety_backup_id, "estimatedTime": asked.estimated_time,
    });
    Ok(Answer::json(StatusCode::ACCEPTED, &answer).behind(jobs::work_on(workshop, asked.job_id)))
}

fn wanted(body: Body) -> Result<RestoreBackup, Problem> {
    let components = body.components.unwrap_or(vec![Component::Database]);
    if components.iter().any(|c| *c != Component::Database) {
        return Err(Problem::bad_request(
            "bad_field",
            "Only the database can be restored into a running app; configuration comes with the download.",
        ));
    }
    let (undo, orphans, changed) = (body.undo, body.leave_out_orphans, body.leave_changed);
    if changed && undo.is_none() || orphans && undo.is_some() {
        return Err(Problem::bad_request(
            "bad_field",
            "leaveChanged goes with an undo alone, and leaveOutOrphans with a restore alone.",
        ));
    }
    Ok(RestoreBackup {
        components: vec!["database".into()],
        schemas: body.schemas,
        tables: tables(&body.tables)?,
        target: match body.target {
            Target::InPlace => "inPlace".into(),
        },
        mode: match body.mode {
            Mode::Missing => "missing".into(),
            Mode::KeepNewer => "keepNewer".into(),
            Mode::Exact => "exact".into(),
        },
        force: body.force,
        leave_out_orphans: body.leave_out_orphans,
        leave_changed: body.leave_changed,
        preview: body.preview,
        undo: body.undo,
    })
}

/// `SCHEMA.TABLE`; a name alone is one of schema `public`.
pub(super) fn tables(names: &[String]) -> Result<Vec<QName>, Problem> {
    names
        .iter()
        .map(|text| {
            QName::parse(text).map_err(|why| {
                Problem::bad_request(
                    "bad_field",
                    format!("The table {text:?} cannot be read: {why}."),
                )
            })
        })
        .collect()
}

pub(super) fn operation(parameters: &[(String, String)]) -> Result<Option<Uuid>, Problem> {
    parameters
        .iter()
        .find(|(name, _)| name == "operation")
        .map(|(_, value)| {
            Uuid::parse_str(value)
                .map_err(|_| Problem::bad_request("bad_parameter", "operation must be an id."))
        })
        .transpose()
}
