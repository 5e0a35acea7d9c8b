//! Vercel's API: the check that holds deployments of a project until their backup is there.

use crate::config::{self, Settings};
use crate::error::{Code, Error, Result};
use crate::ports::web;
use backon::{ExponentialBuilder, Retryable};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// All tries of one call together.
const PATIENCE: Duration = Duration::from_secs(15);
/// Of one try: Vercel answers in less, and what hangs is asked again.
const ONE_TRY: Duration = Duration::from_secs(5);
/// What the check is called on Vercel's pages; it is found again by that.
const CHECK_NAME: &str = "Rovodev backup";
const BLOCKS: &str = "deployment-promotion";

/// One project, as a token may reach it. Cheap to clone.
#[derive(Clone)]
pub struct Vercel {
    http: reqwest::Client,
    base: String,
    token: String,
    project: String,
    team: Option<String>,
}

/// Whether there is a check to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Yes,
    /// The project has no check of ours.
    NoCheck,
}

#[derive(Deserialize)]
struct Checks {
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Runs {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    id: String,
    check_id: String,
    status: String,
}

/// The Vercel project whose deployments are backed up before they go live.
pub fn guarded_project(settings: &Settings) -> Option<&str> {
    let named = settings.get(&config::APP_PROJECT_ID);
    named.or_else(|| settings.get(&config::VERCEL_PROJECT_ID))
}

impl Vercel {
    /// None where no token or no project is set: then nothing is held.
    pub fn new(settings: &Settings, http: reqwest::Client) -> Option<Self> {
        let base = settings.get(&config::VERCEL_API).unwrap_or_default();
        Some(Self {
            http,
            base: base.trim_end_matches('/').to_string(),
            token: settings.get(&config::VERCEL_TOKEN)?.to_string(),
            project: guarded_project(settings)?.to_string(),
            team: settings.get(&config::VERCEL_TEAM_ID).map(str::to_string),
        })
    }

    /// Makes the check in the project where it is missing; whether it was.
    pub async fn set_up(&self) -> Result<bool> {
        if self.check().await?.is_some() {
            return Ok(false);
        }
        let wanted = json!({
            "name": CHECK_NAME, "requires": "none", "blocks": BLOCKS, "targets": ["production"],
            "isRerequestable": false, "source": { "kind": "webhook" },
        });
        let path = ["v2", "projects", &self.project, "checks"];
        let _: Value = self.call(Method::POST, &path, Some(&wanted)).await?;
        Ok(true)
    }

    /// Opens a run of the check for a deployment, where Vercel did not do so itself.
    ///
    /// # Errors
    /// [`Code::DeploymentNotFound`] for one that was deleted; else whatever [`Error::retry`] tells may pass, and
    /// [`Code::VercelRefused`].
    pub async fn hold(&self, deployment: &str) -> Result<Told> {
        let Some((check, runs)) = self.runs(deployment).await? else {
            return Ok(Told::NoCheck);
        };
        if runs.is_empty() {
            self.open(deployment, &check).await?;
        }
        Ok(Told::Yes)
    }

    /// Ends every run of the check for a deployment that has not ended; one is made where there is none.
    ///
    /// # Errors
    /// As above.
    pub async fn end(&self, deployment: &str, conclusion: &str, reason: &str) -> Result<Told> {
        let Some((check, mut runs)) = self.runs(deployment).await? else {
            return Ok(Told::NoCheck);
        };
        if runs.is_empty() {
            runs.push(self.open(deployment, &check).await?);
        }
        let ended = json!({
            "status": "completed", "conclusion": conclusion, "conclusionText": reason,
        });
        for run in runs.iter().filter(|run| run.status != "completed") {
            let path = ["v2", "deployments", deployment, "check-runs", &run.id];
            let _: Value = self.call(Method::PATCH, &path, Some(&ended)).await?;
        }
        Ok(Told::Yes)
    }

    /// Our check, and its runs for a deployment; none where there is no check.
    async fn runs(&self, deployment: &str) -> Result<Option<(String, Vec<Run>)>> {
        let Some(check) = self.check().await? else {
            return Ok(None);
        };
        let path = ["v2", "deployments", deployment, "check-runs"];
        let found: Runs = self.call(Method::GET, &path, None).await?;
        let runs = found.runs.into_iter().filter(|run| run.check_id == check);
        let runs = runs.collect();
        Ok(Some((check, runs)))
    }

    async fn check(&self) -> Result<Option<String>> {
        let path = ["v2", "projects", &self.project, "checks"];
        let found: Checks = self.call(Method::GET, &path, None).await?;
        let mut ours = found.checks.into_iter().filter(|c| c.name == CHECK_NAME);
        Ok(ours.next().map(|check| check.id))
    }

    async fn open(&self, deployment: &str, check: &str) -> Result<Run> {
        let path = ["v2", "deployments", deployment, "check-runs"];
        let wanted = json!({ "checkId": check });
        self.call(Method::POST, &path, Some(&wanted)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T> {
        let tries = (|| self.call_once(&method, path, body))
            .retry(
                ExponentialBuilder::default()
                    .with_min_delay(Duration::from_millis(200))
                    .with_max_times(3)
                    .with_jitter(),
            )
            .when(|error: &Error| error.retry);
        tokio::time::timeout(PATIENCE, tries)
            .await
            .unwrap_or_else(|_| Err(unreachable("it did not answer in time")))
    }

    async fn call_once<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T> {
        let mut request = self
            .http
            .request(method.clone(), self.address(path)?)
            .bearer_auth(&self.token)
            .timeout(ONE_TRY);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request
            .send()
            .await
            .map_err(|e| unreachable(&web::cause(e)))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(status, path));
        }
        let bytes = answer
            .bytes()
            .await
            .map_err(|e| unreachable(&web::cause(e)))?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(Code::VercelRefused, "an answer of Vercel cannot be read").source(e)
        })
    }

    fn address(&self, path: &[&str]) -> Result<url::Url> {
        let broken = || Error::new(Code::Config, "VERCEL_API is no address of an API");
        let mut url = url::Url::parse(&self.base).map_err(|e| broken().source(e))?;
        url.path_segments_mut()
            .map_err(|()| broken())?
            .pop_if_empty()
            .extend(path);
        if let Some(team) = &self.team {
            url.query_pairs_mut().append_pair("teamId", team);
        }
        Ok(url)
    }
}

fn unreachable(why: &str) -> Error {
    Error::new(
        Code::VercelUnreachable,
        format!("Vercel's API cannot be reached: {why}"),
    )
    .retry(true)
}

fn refused(status: StatusCode, path: &[&str]) -> Error {
    let what = path.join("/");
    match status.as_u16() {
        408 | 429 | 500.. => unreachable(&format!("{what} was answered {status}")),
        404 if path.get(1) == Some(&"deployments") => Error::new(
            Code::DeploymentNotFound,
            format!("Vercel has no {what}, or this token may not see it"),
        ),
        _ => Error::new(
            Code::VercelRefused,
            format!("Vercel answered {what} with {status}"),
        )
        .hint("Check VERCEL_TOKEN, APP_PROJECT_ID and, for a team, VERCEL_TEAM_ID."),
    }
}
