//! `/api/workspace/restores`: the tenant's restores, whoever asked for them.

use crate::http::caller::granted;
use crate::http::guard::Failure;
use crate::http::query::{STATUSES, number, parameters, several};
use crate::http::{Answer, Problem, Request, Service};
use crate::tasks::cataloged::{Asker, RestoresFilter, list_restores};
use http::StatusCode;
use serde_json::json;

const PARAMETERS: &[&str] = &["status", "limit"];
const HIGHEST_LIMIT: usize = 50;

pub async fn handle(service: Service, asker: Asker, request: &Request) -> Result<Answer, Failure> {
    let filter = filter(&parameters(request, PARAMETERS)?)?;
    let listed = granted(list_restores(service.catalog(), &asker, &filter).await?)?;
    let restores = json!({ "restores": listed.restores });
    Ok(Answer::json(StatusCode::OK, &restores))
}

fn filter(given: &[(String, String)]) -> Result<RestoresFilter, Problem> {
    let mut filter = RestoresFilter {
        statuses: Vec::new(),
        limit: HIGHEST_LIMIT,
    };
    for (name, value) in given {
        match name.as_str() {
            "status" => filter.statuses = several(name, value, STATUSES)?,
            "limit" => filter.limit = number(name, value, 1..=HIGHEST_LIMIT)?,
            _ => {}
        }
    }
    Ok(filter)
}
