//! `GET /api/status/health?format=openmetrics`: how the service does, for whoever scrapes it with a secret.

use crate::config;
use crate::error::{Code, Error, Result};
use crate::http::answer::full;
use crate::http::guard::Failure;
use crate::http::secret::shows;
use crate::http::{Answer, Problem, Request, Service};
use crate::ports::catalog::{As, Repeat};
use http::{HeaderValue, Response, header};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Deserialize;
use serde_json::json;
use std::sync::atomic::AtomicU64;

const TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Deserialize)]
struct Gauges {
    backups: Vec<Backups>,
    schedules: Vec<Schedule>,
    jobs: Jobs,
    storage: Vec<Storage>,
    lasted: Vec<Lasted>,
    checks: i64,
}

#[derive(Deserialize)]
struct Storage {
    tenant: String,
    stored: i64,
    quota: Option<i64>,
    damaged: i64,
}

/// What restores and reading back took, of those of the last day.
#[derive(Deserialize)]
struct Lasted {
    tenant: String,
    work: String,
    p50: Option<f64>,
    p95: Option<f64>,
}

#[derive(Deserialize)]
struct Backups {
    tenant: String,
    status: String,
    count: i64,
    bytes: i64,
    newest: Option<f64>,
}

#[derive(Deserialize)]
struct Schedule {
    tenant: String,
    id: String,
    name: String,
    failures: i64,
    overdue: f64,
}

#[derive(Deserialize)]
struct Jobs {
    queued: i64,
    running: i64,
    oldest: f64,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfTenant {
    tenant: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfStatus {
    tenant: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfSchedule {
    tenant: String,
    schedule: String,
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfWork {
    tenant: String,
    work: String,
    quantile: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfState {
    state: String,
}

type Seconds = Gauge<f64, AtomicU64>;

pub async fn answer(service: &Service, request: &Request) -> Result<Answer, Failure> {
    if !shows(request, service.settings(), &config::METRICS_SECRET) {
        return Err(Problem::unauthorized(
            "metrics_secret",
            "This address is for whoever scrapes metrics.",
        )
        .into());
    }
    let gauges: Gauges = service
        .catalog()
        .call(As::Jobs, "rovodev_read_gauges", &json!({}), Repeat::Safely)
        .await?;
    let mut response = Response::new(full(text(&gauges)?));
    response.headers_mut().insert(header::CONTENT_TYPE, TYPE);
    Ok(Answer::from(response))
}

fn text(gauges: &Gauges) -> Result<String> {
    let mut registry = Registry::with_prefix("rovodev");
    backups(&mut registry, &gauges.backups);
    schedules(&mut registry, &gauges.schedules);
    jobs(&mut registry, &gauges.jobs);
    storage(&mut registry, &gauges.storage);
    lasted(&mut registry, &gauges.lasted);
    let checks = Gauge::<i64>::default();
    checks.set(gauges.checks);
    let help = "Checks of deployments that have not ended";
    registry.register("open_checks", help, checks);
    let mut text = String::new();
    encode(&mut text, &registry)
        .map_err(|e| Error::new(Code::Internal, "metrics cannot be written").source(e))?;
    Ok(text)
}

fn backups(registry: &mut Registry, all: &[Backups]) {
    let held = Family::<OfStatus, Gauge>::default();
    let stored = Family::<OfStatus, Gauge>::default();
    let newest = Family::<OfTenant, Seconds>::default();
    for of in all {
        let labels = OfStatus {
            tenant: of.tenant.clone(),
            status: of.status.clone(),
        };
        held.get_or_create(&labels).set(of.count);
        stored.get_or_create(&labels).set(of.bytes);
        if let (Some(at), "completed") = (of.newest, of.status.as_str()) {
            let tenant = of.tenant.clone();
            newest.get_or_create(&OfTenant { tenant }).set(at);
        }
    }
    registry.register("backups", "Backups in the catalog", held);
    let help = "Size of the backups in the catalog, each counted whole";
    registry.register_with_unit("backups_size", help, Unit::Bytes, stored);
    let help = "When the newest completed backup ended, since 1970";
    registry.register_with_unit("last_success_timestamp", help, Unit::Seconds, newest);
}

fn schedules(registry: &mut Registry, all: &[Schedule]) {
    let failures = Family::<OfSchedule, Gauge>::default();
    let overdue = Family::<OfSchedule, Seconds>::default();
    for of in all {
        let labels = OfSchedule {
            tenant: of.tenant.clone(),
            schedule: of.id.clone(),
            name: of.name.clone(),
        };
        failures.get_or_create(&labels).set(of.failures);
        overdue.get_or_create(&labels).set(of.overdue);
    }
    let help = "Runs that failed since one was good";
    registry.register("schedule_failures_in_a_row", help, failures);
    let help = "By how much the next run is late";
    registry.register_with_unit("schedule_overdue", help, Unit::Seconds, overdue);
}

fn storage(registry: &mut Registry, all: &[Storage]) {
    let stored = Family::<OfTenant, Gauge>::default();
    let quota = Family::<OfTenant, Gauge>::default();
    let damaged = Family::<OfTenant, Gauge>::default();
    for of in all {
        let labels = OfTenant {
            tenant: of.tenant.clone(),
        };
        stored.get_or_create(&labels).set(of.stored);
        damaged.get_or_create(&labels).set(of.damaged);
        if let Some(bytes) = of.quota {
            quota.get_or_create(&labels).set(bytes);
        }
    }
    let help = "What a tenant's backups take in the store";
    registry.register_with_unit("stored", help, Unit::Bytes, stored);
    let help = "What a tenant's backups may take, where somebody set it";
    registry.register_with_unit("quota", help, Unit::Bytes, quota);
    let help = "Backups that were not what was written when they were last read back";
    registry.register("damaged_backups", help, damaged);
}

fn lasted(registry: &mut Registry, all: &[Lasted]) {
    let family = Family::<OfWork, Seconds>::default();
    for of in all {
        for (quantile, seconds) in [("0.5", of.p50), ("0.95", of.p95)] {
            let labels = OfWork {
                tenant: of.tenant.clone(),
                work: of.work.clone(),
                quantile: quantile.into(),
            };
            if let Some(seconds) = seconds {
                family.get_or_create(&labels).set(seconds);
            }
        }
    }
    let help = "How long restores and reading back took within the last day";
    registry.register_with_unit("work_duration", help, Unit::Seconds, family);
}

fn jobs(registry: &mut Registry, jobs: &Jobs) {
    let held = Family::<OfState, Gauge>::default();
    for (state, count) in [("queued", jobs.queued), ("running", jobs.running)] {
        let state = state.to_string();
        held.get_or_create(&OfState { state }).set(count);
    }
    registry.register("jobs", "Jobs that have not ended", held);
    let oldest = Seconds::default();
    oldest.set(jobs.oldest);
    let help = "How long the oldest job waits";
    registry.register_with_unit("oldest_job_age", help, Unit::Seconds, oldest);
}
