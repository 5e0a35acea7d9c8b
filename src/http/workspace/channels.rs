//! `/api/workspace/channels`: who is told of what.

use crate::core::notify::{Event, Kind};
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::query::{bad, body_with, number, one, parameters};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{self, Asker, WantedChannel};
use crate::tasks::notify;
use http::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use uuid::Uuid;

const LIMIT: usize = 50;
const HIGHEST_LIMIT: usize = 200;
/// The one field that holds an object.
const OBJECT: &str = "subscription";

pub async fn handle(service: Service, asker: Asker, request: &Request) -> Result<Answer, Failure> {
    let allowed: &[&str] = match *request.method() {
        Method::GET => &["id", "show", "limit", "cursor"],
        Method::POST => &[],
        _ => &["id"],
    };
    let asked = asked(&parameters(request, allowed)?)?;
    match (request.method(), asked.id) {
        (&Method::POST, _) => make_or_test(&service, &asker, request).await,
        (&Method::PATCH, Some(id)) => change(&service, &asker, id, request).await,
        (&Method::DELETE, Some(id)) => {
            granted(cataloged::delete_channel(service.catalog(), &asker, id).await?)?;
            Ok(Answer::no_content())
        }
        (&Method::GET, Some(id)) => show(&service, &asker, id, &asked).await,
        (&Method::GET, None) if !asked.deliveries => list(&service, &asker).await,
        _ => Err(bad("id", "the id of a channel").into()),
    }
}

struct Parameters {
    id: Option<Uuid>,
    deliveries: bool,
    limit: usize,
    before: Option<i64>,
}

fn asked(given: &[(String, String)]) -> Result<Parameters, Problem> {
    let mut asked = Parameters {
        id: None,
        deliveries: false,
        limit: LIMIT,
        before: None,
    };
    for (name, value) in given {
        match name.as_str() {
            // A text that is no id leads nowhere, like the id of somebody else's channel.
            "id" => asked.id = Some(Uuid::parse_str(value).map_err(|_| Problem::not_found())?),
            "show" => asked.deliveries = one(name, value, &["deliveries"])? == "deliveries",
            "limit" => asked.limit = number(name, value, 1..=HIGHEST_LIMIT)?,
            _ => asked.before = Some(number(name, value, 0..=i64::MAX)?),
        }
    }
    Ok(asked)
}

async fn list(service: &Service, asker: &Asker) -> Result<Answer, Failure> {
    let listed = granted(cataloged::list_channels(service.catalog(), asker).await?)?;
    let notifier = service.notifier();
    let kinds: Vec<Value> = Kind::ALL
        .iter()
        .map(|kind| {
            json!({
                "kind": kind, "available": notifier.can(*kind), "needs": kind.needs(), "events": kind.events(),
                "publicKey": notifier.public_key().filter(|_| *kind == Kind::Push),
            })
        })
        .collect();
    let told = json!({ "channels": listed.channels, "kinds": kinds });
    Ok(Answer::json(StatusCode::OK, &told))
}

async fn show(
    service: &Service,
    asker: &Asker,
    id: Uuid,
    asked: &Parameters,
) -> Result<Answer, Failure> {
    let limit = if asked.deliveries { asked.limit + 1 } else { 0 };
    let found = cataloged::show_channel(service.catalog(), asker, id, limit, asked.before);
    let found = granted(found.await?)?;
    if !asked.deliveries {
        return Ok(Answer::json(StatusCode::OK, &found.channel));
    }
    let mut deliveries = found.deliveries;
    let more = deliveries.len() > asked.limit;
    deliveries.truncate(asked.limit);
    let last = deliveries.last().filter(|_| more);
    let next = last.map(|last| last.place.to_string());
    let page = json!({ "deliveries": deliveries, "nextCursor": next });
    Ok(Answer::json(StatusCode::OK, &page))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    kind: Kind,
    name: String,
    target: Option<String>,
    subscription: Option<Subscription>,
    events: Vec<Event>,
    schedule_id: Option<Uuid>,
    enabled: Option<bool>,
}

/// What a browser's `PushSubscription` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    endpoint: String,
    p256dh: String,
    auth: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    name: Option<String>,
    target: Option<String>,
    events: Option<Vec<Event>>,
    #[serde(default, deserialize_with = "present")]
    schedule_id: Option<Option<Uuid>>,
    enabled: Option<bool>,
    new_secret: Option<bool>,
}

/// Tells `null` from what is absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Uuid>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Whether somebody wants a channel tested, beside whatever else stands there.
#[derive(Deserialize)]
struct Purpose {
    test: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    test: Uuid,
}

async fn make_or_test(
    service: &Service,
    asker: &Asker,
    request: &Request,
) -> Result<Answer, Failure> {
    let purpose: Purpose = body_with(request, OBJECT)?;
    if purpose.test.is_some() {
        let Test { test } = body_with(request, OBJECT)?;
        return try_out(service, asker, test).await;
    }
    let body: Body = body_with(request, OBJECT)?;
    let (kind, target) = (body.kind, target(&body)?);
    let wanted = WantedChannel {
        kind: Some(kind),
        name: Some(body.name),
        target: Some(target.clone()),
        events: Some(body.events),
        schedule_id: body.schedule_id.map(|id| json!(id)),
        enabled: body.enabled,
        new_secret: None,
    };
    let notifier = service.notifier();
    if !notifier.can(kind) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "channel_not_possible",
            "This deployment is not set up to send such messages.",
        )
        .into());
    }
    notifier.check(kind, &target)?;
    let made = cataloged::create_channel(service.catalog(), asker, &wanted);
    Ok(Answer::json(StatusCode::CREATED, &granted(made.await?)?))
}

fn target(body: &Body) -> Result<String, Problem> {
    let target = match (&body.target, &body.subscription) {
        (Some(target), None) if body.kind != Kind::Push => target.trim().to_string(),
        (None, Some(browser)) if body.kind == Kind::Push => format!(
            "{} {} {}",
            browser.endpoint,
            browser.p256dh.trim_end_matches('='),
            browser.auth.trim_end_matches('=')
        ),
        _ => {
            let detail = "A push channel needs a subscription, and every other one a target.";
            return Err(Problem::bad_request("bad_field", detail));
        }
    };
    Ok(target)
}

async fn try_out(service: &Service, asker: &Asker, id: Uuid) -> Result<Answer, Failure> {
    let asked = granted(cataloged::test_channel(service.catalog(), asker, id).await?)?;
    let tested = notify::test(service.catalog(), service.notifier(), asked.delivery).await?;
    Ok(Answer::json(StatusCode::OK, &tested))
}

async fn change(
    service: &Service,
    asker: &Asker,
    id: Uuid,
    request: &Request,
) -> Result<Answer, Failure> {
    let body: Change = body_with(request, OBJECT)?;
    if let Some(target) = body.target.as_deref().map(str::trim) {
        // Which kind the channel is, and that this is of it, is for the catalog to say.
        let kind = match target.contains("://") {
            true => Kind::Webhook,
            false => Kind::Email,
        };
        service.notifier().check(kind, target)?;
    }
    let change = WantedChannel {
        kind: None,
        name: body.name,
        target: body.target.map(|target| target.trim().to_string()),
        events: body.events,
        schedule_id: body.schedule_id.map(|id| json!(id)),
        enabled: body.enabled,
        new_secret: body.new_secret,
    };
    let changed = cataloged::change_channel(service.catalog(), asker, id, &change);
    Ok(Answer::json(StatusCode::OK, &granted(changed.await?)?))
}
