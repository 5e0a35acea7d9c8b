//! `/api/schedules`: when backups are taken by themselves, and what their retention would do.

use super::backups::create::{Component, Kind, kind};
use super::caller::{caller, granted};
use super::guard::Failure;
use super::query::{bad, body, body_with, one, parameters};
use super::{Answer, Problem, Request, Service};
use crate::core::retention::Policy;
use crate::tasks::cataloged::{self, Asker};
use crate::tasks::deployments::new_secret;
use crate::tasks::jobs;
use crate::tasks::schedules::{Draft, Gate, OnFailure, Schedule, Trigger, Wanted, preview};
use chrono::Utc;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use uuid::Uuid;

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let asker = caller(&service, &request).await?;
    let allowed: &[&str] = match *request.method() {
        Method::GET => &["id", "preview"],
        Method::POST => &[],
        _ => &["id"],
    };
    let asked = asked(&parameters(&request, allowed)?)?;
    match (request.method(), asked.id) {
        (&Method::POST, _) => make_or_ask(&service, &asker, &request).await,
        (&Method::PATCH, Some(id)) => change(&service, &asker, id, &request).await,
        (&Method::DELETE, Some(id)) => {
            granted(cataloged::delete_schedule(service.catalog(), &asker, id).await?)?;
            Ok(Answer::no_content())
        }
        (&Method::GET, Some(id)) => show(&service, &asker, id, asked.preview).await,
        (&Method::GET, None) if !asked.preview => list(&service, &asker).await,
        _ => Err(bad("id", "the id of a schedule").into()),
    }
}

#[derive(Default)]
struct Parameters {
    id: Option<Uuid>,
    preview: bool,
}

fn asked(given: &[(String, String)]) -> Result<Parameters, Problem> {
    let mut asked = Parameters::default();
    for (name, value) in given {
        match name.as_str() {
            // A text that is no id leads nowhere, like the id of somebody else's schedule.
            "id" => asked.id = Some(Uuid::parse_str(value).map_err(|_| Problem::not_found())?),
            _ => asked.preview = one(name, value, &["retention"])? == "retention",
        }
    }
    Ok(asked)
}

async fn list(service: &Service, asker: &Asker) -> Result<Answer, Failure> {
    let listed = granted(cataloged::list_schedules(service.catalog(), asker).await?)?;
    let now = Utc::now();
    let shown: Vec<_> = listed.schedules.into_iter().map(|s| s.shown(now)).collect();
    Ok(Answer::json(StatusCode::OK, &json!({ "schedules": shown })))
}

async fn show(
    service: &Service,
    asker: &Asker,
    id: Uuid,
    with_preview: bool,
) -> Result<Answer, Failure> {
    let found = cataloged::show_schedule(service.catalog(), asker, id, with_preview);
    let found = granted(found.await?)?;
    let schedule = found.schedule;
    if !with_preview {
        return Ok(answer(StatusCode::OK, schedule));
    }
    let (policy, zone) = (schedule.retention, &schedule.timezone);
    let previewed = preview(policy, zone, Utc::now(), found.backups)?;
    Ok(Answer::json(StatusCode::OK, &previewed))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: Option<String>,
    cron: Option<String>,
    timezone: Option<String>,
    trigger: Option<Trigger>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    components: Option<Vec<Component>>,
    compress: Option<bool>,
    retention: Option<Policy>,
    enabled: Option<bool>,
    gate: Option<Gate>,
    on_failure: Option<OnFailure>,
    wait_at_most: Option<u32>,
}

/// What somebody wants instead of a new schedule, beside whatever else stands there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Purpose {
    run_now: Option<IgnoredAny>,
    preview: Option<IgnoredAny>,
    make_hook: Option<IgnoredAny>,
    remove_hook: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Run {
    run_now: Uuid,
}

/// What a schedule would do that nobody has saved yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Planned {
    preview: bool,
    /// Whose backups the policy would be for.
    id: Option<Uuid>,
    cron: Option<String>,
    timezone: Option<String>,
    retention: Option<Policy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MakeHook {
    make_hook: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoveHook {
    remove_hook: Uuid,
}

async fn make_or_ask(
    service: &Service,
    asker: &Asker,
    request: &Request,
) -> Result<Answer, Failure> {
    let purpose: Purpose = body_with(request, "retention")?;
    if purpose.run_now.is_some() {
        let Run { run_now } = body(request)?;
        return run(service, asker, run_now).await;
    }
    if purpose.preview.is_some() {
        return plan(service, asker, body_with(request, "retention")?).await;
    }
    if purpose.make_hook.is_some() {
        let MakeHook { make_hook } = body(request)?;
        return hook(service, asker, make_hook).await;
    }
    if purpose.remove_hook.is_some() {
        let RemoveHook { remove_hook } = body(request)?;
        granted(cataloged::set_hook(service.catalog(), asker, remove_hook, None).await?)?;
        return Ok(Answer::no_content());
    }
    let wanted = wanted(body_with(request, "retention")?)?.made(Utc::now())?;
    let made = cataloged::create_schedule(service.catalog(), asker, &wanted);
    Ok(answer(StatusCode::CREATED, granted(made.await?)?.schedule))
}

async fn run(service: &Service, asker: &Asker, id: Uuid) -> Result<Answer, Failure> {
    let workshop = service.workshop()?;
    let begun = granted(cataloged::run_schedule(service.catalog(), asker, id).await?)?;
    let work = jobs::work_on(workshop, begun.job_id);
    Ok(Answer::json(StatusCode::ACCEPTED, &begun).behind(work))
}

async fn plan(service: &Service, asker: &Asker, planned: Planned) -> Result<Answer, Failure> {
    if !planned.preview {
        return Err(Problem::bad_request("bad_field", "preview must be true.").into());
    }
    let kept = match planned.id {
        Some(id) => {
            let found = cataloged::show_schedule(service.catalog(), asker, id, true);
            let found = granted(found.await?)?;
            Some((found.schedule, found.backups))
        }
        // Who belongs to no tenant plans nothing.
        None => {
            granted(cataloged::list_schedules(service.catalog(), asker).await?)?;
            None
        }
    };
    let draft = Draft {
        cron: planned.cron,
        timezone: planned.timezone,
        retention: planned.retention,
    };
    let planned = draft.planned(kept, Utc::now())?;
    Ok(Answer::json(StatusCode::OK, &planned))
}

/// A new secret, shown this once; one that was there ends.
async fn hook(service: &Service, asker: &Asker, id: Uuid) -> Result<Answer, Failure> {
    let (secret, hash) = new_secret();
    granted(cataloged::set_hook(service.catalog(), asker, id, Some(&hash)).await?)?;
    let made = json!({ "path": "/api/hooks/deploy", "secret": secret });
    Ok(Answer::json(StatusCode::CREATED, &made))
}

async fn change(
    service: &Service,
    asker: &Asker,
    id: Uuid,
    request: &Request,
) -> Result<Answer, Failure> {
    let change = wanted(body_with(request, "retention")?)?;
    let old = cataloged::show_schedule(service.catalog(), asker, id, false);
    let old = granted(old.await?)?.schedule;
    let change = change.changed(&old, Utc::now())?;
    let changed = cataloged::change_schedule(service.catalog(), asker, id, &change);
    Ok(answer(StatusCode::OK, granted(changed.await?)?.schedule))
}

fn answer(status: StatusCode, schedule: Schedule) -> Answer {
    Answer::json(status, &schedule.shown(Utc::now()))
}

fn wanted(body: Body) -> Result<Wanted, Problem> {
    let kind = match (body.kind, &body.components) {
        (None, None) => None,
        (asked, components) => Some(kind(asked.unwrap_or_default(), components.as_deref())?),
    };
    Ok(Wanted {
        name: body.name,
        cron: body.cron,
        timezone: body.timezone,
        trigger: body.trigger,
        kind,
        compress: body.compress,
        retention: body.retention,
        enabled: body.enabled,
        gate: body.gate,
        on_failure: body.on_failure,
        wait_at_most: body.wait_at_most,
        ..Wanted::default()
    })
}
