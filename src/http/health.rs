//! `GET /api/status/health`: is everything well? Every part is really asked, side by side, each with its own limit.

mod looks;
mod openmetrics;

pub use looks::Looks;

use super::caller::caller_within;
use super::guard::Failure;
use super::query::{one, parameters};
use super::{Answer, Problem, Request, Service};
use crate::config::{self, Origin};
use crate::error::{Code, Error, Result};
use crate::ports::catalog::{As, Repeat};
use crate::tasks::cataloged::{Asked, Asker, Filter, Page, list};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use looks::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// The answer comes within a second, also when something hangs.
const LIMIT: Duration = Duration::from_millis(850);
/// Of that, to learn who asks: longer only where the issuer has to be asked for its keys.
const RECOGNITION: Duration = Duration::from_millis(350);
/// Without these nothing works.
const NEEDED: &[config::Variable] = &[
    config::DATABASE_URL,
    config::BACKUP_STORE,
    config::STORE_KEY,
    config::SUPABASE_URL,
    config::SUPABASE_PUBLISHABLE_KEY,
    config::SUPABASE_SECRET_KEY,
    config::CRON_SECRET,
];

pub async fn handle(service: Service, request: Request) -> Result<Answer, Failure> {
    let given = parameters(&request, &["probe", "format"])?;
    match given.first().map(|(name, value)| (name.as_str(), value)) {
        Some((name @ "probe", value)) => {
            one(name, value, &["live"])?;
            return Ok(alive());
        }
        Some((name, value)) => {
            one(name, value, &["openmetrics"])?;
            return openmetrics::answer(&service, &request).await;
        }
        None => {}
    }
    let began = Instant::now();
    let asker = caller_within(RECOGNITION, &service, &request).await?;
    let limit = LIMIT.saturating_sub(began.elapsed());
    let newest = Filter {
        statuses: vec!["completed".into()],
        limit: 1,
        ..Filter::default()
    };
    let (sight, page, parts) = tokio::join!(
        sight(limit, &service, &asker),
        within(
            limit,
            "the catalog",
            list(service.catalog(), &asker, &newest).boxed()
        ),
        service.looks().look(limit, &service),
    );
    let services = services(&parts, &sight);
    Ok(Answer::json(
        StatusCode::OK,
        &match sight {
            Ok(Sight::Nothing) => {
                return Err(Problem::new(StatusCode::FORBIDDEN, "no_tenant", NO_TENANT).into());
            }
            Ok(Sight::Whole) => whole(&service, &parts, services),
            // While nobody can tell, no more than that.
            Ok(Sight::Scope) | Err(_) => scoped(&parts, page.ok().and_then(newest_of), services),
        },
    ))
}

/// For uptime monitors: that this answers is the answer.
fn alive() -> Answer {
    Answer::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// What a process without its settings can still tell: that it lives.
pub fn without_settings(function: &str, method: &Method, query: Option<&str>) -> Option<Answer> {
    let asked = function == "status/health" && query == Some("probe=live");
    match *method {
        Method::GET if asked => Some(alive()),
        Method::HEAD if asked => Some(alive().without_body()),
        _ => None,
    }
}

const NO_TENANT: &str = "You belong to no tenant, or not to this one.";

/// How much of the project is the caller's business.
enum Sight {
    /// The tenant is the whole database.
    Whole,
    /// Rows of the tenant, and nothing else.
    Scope,
    /// Anybody may sign up in an app.
    Nothing,
}

/// What operators see: the project as it is.
fn whole(service: &Service, parts: &Parts, services: Value) -> Value {
    let source = parts.source.ok();
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|v| matches!(service.settings().origin(v), None | Some(Origin::Default)))
        .map(|v| v.name)
        .collect();
    json!({
        "healthy": healthy(&services) && missing.is_empty(),
        "database": {
            "connected": source.is_some(),
            "tables": source.map(|s| s.tables),
            "records": source.map(|s| s.estimated_rows),
            "lastUpdate": source.and_then(|s| s.last_write.clone()),
        },
        "config": { "complete": missing.is_empty(), "missing": missing },
        "deployment": deployment(),
        "services": services,
    })
}

/// What a customer sees: the parts, and the rows of the newest backup; nothing about the project as a whole.
fn scoped(parts: &Parts, newest: Option<(u64, u64, DateTime<Utc>)>, services: Value) -> Value {
    json!({
        "healthy": healthy(&services),
        "database": {
            "connected": parts.source.ok().is_some(),
            "tables": newest.map(|n| n.0),
            "records": newest.map(|n| n.1),
            "lastUpdate": newest.map(|n| n.2),
        },
        "services": services,
    })
}

fn newest_of(page: Asked<Page>) -> Option<(u64, u64, DateTime<Utc>)> {
    match page {
        Asked::Done(page) => page
            .backups
            .first()
            .map(|b| (b.tables.unwrap_or(0), b.records.unwrap_or(0), b.created_at)),
        Asked::Refused(_) => None,
    }
}

async fn sight(limit: Duration, service: &Service, asker: &Asker) -> Result<Sight> {
    #[derive(Deserialize)]
    struct Who {
        tenants: Vec<Tenant>,
    }
    #[derive(Deserialize)]
    struct Tenant {
        id: String,
        slug: String,
        scoped: bool,
    }
    let arguments = json!({});
    let asked = service.catalog().call::<Who>(
        As::Person(&asker.token),
        "rovodev_whoami",
        &arguments,
        Repeat::Safely,
    );
    let who = within(limit, "the catalog", asked.boxed()).await?;
    let meant = who.tenants.iter().find(|t| match &asker.tenant {
        Some(wanted) => *wanted == t.id || *wanted == t.slug,
        None => true,
    });
    Ok(match meant {
        Some(tenant) if tenant.scoped => Sight::Scope,
        Some(_) => Sight::Whole,
        None => Sight::Nothing,
    })
}

/// Boxed: the compiler cannot prove a borrowed future of several at once to be `Send`.
async fn within<T>(limit: Duration, part: &str, asked: BoxFuture<'_, Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, asked)
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                Code::CatalogUnreachable,
                format!("{part} did not answer within {limit:?}"),
            ))
        })
}

fn services<T>(parts: &Parts, catalog: &Result<T>) -> Value {
    let mut all = Map::new();
    for (name, error) in [
        ("database", parts.source.error()),
        ("store", parts.store.error()),
        ("catalog", catalog.as_ref().err()),
        ("auth", parts.auth.as_ref().err()),
    ] {
        all.insert(name.into(), part(error.is_none()));
        if let Some(error) = error {
            tracing::warn!(part = name, code = error.code.as_str(), %error, "not well");
        }
    }
    Value::Object(all)
}

/// Why it is not well stands in the log: messages name hosts.
fn part(well: bool) -> Value {
    match well {
        true => json!({ "status": "ok", "message": "Answers" }),
        false => json!({ "status": "error", "message": "Does not answer as it should" }),
    }
}

fn healthy(services: &Value) -> bool {
    services
        .as_object()
        .is_some_and(|all| all.values().all(|part| part["status"] == "ok"))
}

/// What Vercel says of this deployment.
fn deployment() -> Value {
    let told = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let environment = told("VERCEL_ENV");
    json!({
        "healthy": true,
        "status": if environment.is_some() { "Running" } else { "Local" },
        "environment": environment,
        "url": told("VERCEL_URL").map(|host| format!("https://{host}")),
        "region": told("VERCEL_REGION"),
        "commit": told("VERCEL_GIT_COMMIT_SHA"),
    })
}
