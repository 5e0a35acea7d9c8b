//! `/api/workspace/metrics`: what happened day by day, for charts.

use crate::core::schedule::zone;
use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::query::{bad, number, parameters};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{Asker, Period, read_metrics};
use http::StatusCode;
use uuid::Uuid;

const PARAMETERS: &[&str] = &["days", "timezone", "schedule"];
/// A quarter.
const DAYS: u32 = 90;
/// A year, for a heatmap.
const MOST_DAYS: u32 = 366;

pub async fn handle(service: Service, asker: Asker, request: &Request) -> Result<Answer, Failure> {
    let period = period(&parameters(request, PARAMETERS)?)?;
    let metrics = granted(read_metrics(service.catalog(), &asker, &period).await?)?;
    Ok(Answer::json(StatusCode::OK, &metrics))
}

fn period(given: &[(String, String)]) -> Result<Period, Problem> {
    let mut period = Period {
        days: DAYS,
        timezone: "UTC".into(),
        schedule: None,
    };
    for (name, value) in given {
        match name.as_str() {
            "days" => period.days = number(name, value, 1..=MOST_DAYS)?,
            "timezone" => {
                zone(value).map_err(|_| bad(name, "an IANA name such as Europe/Berlin"))?;
                period.timezone.clone_from(value);
            }
            // Of somebody else's, as of none, nothing is counted.
            "schedule" => {
                let id = Uuid::parse_str(value).map_err(|_| bad(name, "the id of a schedule"))?;
                period.schedule = Some(id);
            }
            _ => {}
        }
    }
    Ok(period)
}
