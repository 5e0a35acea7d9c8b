//! `GET /api/backups/[id]/restore/status`: how far a backup or the restore of it is, as JSON or as events.
//!
//! Without `operation` or `export` it is the newest restore, or the backup itself where none was asked for. Events carry ids: the
//! digest of what they say, so that a reader who comes back with `Last-Event-ID` gets only what is new.

use crate::error::Code;
use crate::http::answer::Body;
use crate::http::caller::caller;
use crate::http::guard::Failure;
use crate::http::query::{id_in_path, parameters};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{Asker, ExportStatus, details, export_status, restore_status};
use bytes::Bytes;
use chrono::Utc;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// A change is on the wire within this time.
const LOOK: Duration = Duration::from_millis(500);
/// Something is sent at least this often, so that no proxy ends a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends before the platform ends it; readers come back by themselves.
const LONGEST: Duration = Duration::from_secs(240);

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let backup = id_in_path(&request)?;
    let subject = subject(&parameters(&request, &["operation", "export"])?)?;
    let first = look(&service, &asker, backup, subject).await?;
    let header = |name: header::HeaderName| {
        request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::to_string)
    };
    let streamed = header(header::ACCEPT).is_some_and(|v| v.contains("text/event-stream"));
    if !streamed {
        return Ok(Answer::json(StatusCode::OK, &first));
    }
    let seen = header(header::HeaderName::from_static("last-event-id"));
    Ok(stream(service, asker, backup, subject, first, seen))
}

/// Whose progress it is.
#[derive(Clone, Copy)]
enum Subject {
    Newest,
    Operation(Uuid),
    Export(Uuid),
}

fn subject(given: &[(String, String)]) -> Result<Subject, Problem> {
    let bad = |detail: &str| Problem::bad_request("bad_parameter", detail);
    match given {
        [] => Ok(Subject::Newest),
        [(name, value)] => {
            let id = Uuid::parse_str(value).map_err(|_| bad(&format!("{name} must be an id.")))?;
            Ok(match name.as_str() {
                "export" => Subject::Export(id),
                _ => Subject::Operation(id),
            })
        }
        _ => Err(bad("Give operation or export, not both.")),
    }
}

fn stream(
    service: Service,
    asker: Asker,
    backup: Uuid,
    subject: Subject,
    first: Value,
    seen: Option<String>,
) -> Answer {
    let (events, mut received) = mpsc::channel::<Bytes>(4);
    let frames = futures_util::stream::poll_fn(move |cx| received.poll_recv(cx));
    let frames = futures_util::StreamExt::map(frames, |bytes| Ok(http_body::Frame::data(bytes)));
    let body: Body = StreamBody::new(frames).boxed();
    let mut response = http::Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    let producer = async move {
        let teller = Teller { events, seen };
        teller.tell(&service, &asker, backup, subject, first).await;
    };
    // The platform may stop an instance whose handler returned; what is behind the answer keeps it.
    Answer::from(response).behind(producer)
}

struct Teller {
    events: mpsc::Sender<Bytes>,
    /// Id of the last event that the reader has.
    seen: Option<String>,
}

impl Teller {
    async fn tell(
        mut self,
        service: &Service,
        asker: &Asker,
        backup: Uuid,
        subject: Subject,
        first: Value,
    ) {
        let (began, mut spoke, mut state) = (Instant::now(), Instant::now(), Ok(first));
        loop {
            match &state {
                Ok(state) => {
                    if self.event(state).await.unwrap_or(true) {
                        spoke = Instant::now();
                    }
                    if state["status"].as_str().is_some_and(is_over) {
                        return;
                    }
                }
                // The backup went: the reader asks again and is told.
                Err(Failure::Told(_)) => return,
                // The token expired: no later look could succeed. The reader comes back with a new one.
                Err(Failure::Broke(error)) if error.code == Code::CatalogRefused => return,
                Err(Failure::Broke(error)) => tracing::warn!(%error, "progress could not be read"),
            }
            if self.events.is_closed() || began.elapsed() > LONGEST {
                return;
            }
            if spoke.elapsed() >= KEEP_ALIVE {
                spoke = Instant::now();
                if self
                    .events
                    .send(Bytes::from_static(b": still here\n\n"))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
            state = look(service, asker, backup, subject).await;
        }
    }

    /// Sends what the reader has not seen; whether something was sent, or an error where nobody reads any more.
    async fn event(&mut self, state: &Value) -> Result<bool, mpsc::error::SendError<Bytes>> {
        let data = state.to_string();
        let id = blake3::hash(data.as_bytes()).to_hex()[..16].to_string();
        if self.seen.as_deref() == Some(&id) {
            return Ok(false);
        }
        let text = format!("id: {id}\nevent: status\ndata: {data}\n\n");
        self.seen = Some(id);
        self.events.send(Bytes::from(text)).await.map(|()| true)
    }
}

fn is_over(status: &str) -> bool {
    matches!(status, "completed" | "failed" | "cancelled" | "expired")
}

/// What the seed draws, and what came since.
async fn look(
    service: &Service,
    asker: &Asker,
    backup: Uuid,
    subject: Subject,
) -> Result<Value, Failure> {
    let catalog = service.catalog();
    let operation = match subject {
        Subject::Newest => None,
        Subject::Operation(id) => Some(id),
        Subject::Export(id) => {
            let found = export_status(catalog, &asker.token, backup, id).await?;
            return Ok(export(backup, found.ok_or_else(Problem::not_found)?));
        }
    };
    if let Some(r) = restore_status(catalog, &asker.token, backup, operation).await? {
        let undo_until = r.undo_until();
        return Ok(json!({
            "kind": "restore", "operationId": r.id, "backupId": backup, "status": r.status, "target": r.target,
            "mode": r.mode, "preview": r.preview, "undoOf": r.undo_of, "progress": progress(r.progress),
            "plan": r.plan, "result": r.result, "undoUntil": undo_until, "warnings": r.warnings, "safetyBackupId": r.safety_backup_id,
            "errorCode": r.error_code, "error": r.error_message, "startedAt": r.started_at,
            "completedAt": r.completed_at, "estimatedTime": r.estimated_seconds,
        }));
    }
    if operation.is_some() {
        return Err(Problem::not_found().into());
    }
    let b = details(catalog, &asker.token, backup)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(json!({
        "kind": "backup", "operationId": b.id, "backupId": b.id, "status": b.status,
        "progress": progress(b.progress), "warnings": b.warnings, "errorCode": b.error_code,
        "error": b.error_message, "startedAt": b.started_at, "completedAt": b.finished_at,
        "estimatedTime": b.estimated_seconds,
    }))
}

/// The link to it is another call, `POST …/download`: it takes a role, and stands in the audit log.
fn export(backup: Uuid, e: ExportStatus) -> Value {
    let expired = e.status == "completed" && e.expires_at.is_none_or(|at| at <= Utc::now());
    let status = if expired { "expired" } else { &e.status };
    json!({
        "kind": "export", "operationId": e.id, "exportId": e.id, "backupId": backup, "status": status,
        "format": e.format, "table": e.table_name, "size": e.size_bytes, "expiresAt": e.expires_at,
        "progress": progress(e.progress), "errorCode": e.error_code, "error": e.error_message,
        "startedAt": e.started_at, "completedAt": e.finished_at,
    })
}

fn progress(told: Option<Value>) -> Value {
    told.unwrap_or_else(|| json!({ "current": 0, "total": 0, "step": "" }))
}
