//! A person who signed in and calls the functions, as the dashboard does.

use crate::error::{Result, message};
use crate::project::Project;
use rovodev::ports::web;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The demo's admin, and everybody's password.
pub const ADMIN: &str = "admin@callcenter.example";
pub const PASSWORD: &str = "demo-password";
const LONGEST_WORK: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(200);

pub struct Visitor {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Visitor {
    /// Signs in with the demo's password.
    pub async fn sign_in(project: &Project, email: &str) -> Result<Visitor> {
        let http = web::client().map_err(|e| message(e.to_string()))?;
        let mut visitor = Visitor {
            http,
            url: project.url(),
            token: String::new(),
        };
        let body = json!({ "email": email, "password": PASSWORD });
        let path = "/auth/v1/token?grant_type=password";
        let answer = visitor.call("POST", path, Some(body)).await?;
        visitor.token = text(&answer, "access_token")?;
        Ok(visitor)
    }

    /// Its access token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The JSON of an answer; any but a success is an error that shows it.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let doing = |e: &dyn std::fmt::Display| message(format!("{method} {path}: {e}"));
        let method_name = method.parse().map_err(|e| doing(&e))?;
        let mut request = self
            .http
            .request(method_name, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.map_err(|e| doing(&e))?;
        let status = answer.status();
        let told = answer.text().await.map_err(|e| doing(&e))?;
        match status.is_success() {
            true => serde_json::from_str(&told).map_err(|e| doing(&e)),
            false => Err(doing(&format!("{status}: {told}"))),
        }
    }

    /// Asks until the backup, or the newest restore of it, is over; anything but its success is an error.
    pub async fn completed(&self, backup: &str) -> Result<Value> {
        let path = format!("/api/backups/{backup}/restore/status");
        let begun = Instant::now();
        loop {
            let told = self.call("GET", &path, None).await?;
            match text(&told, "status")?.as_str() {
                "completed" => return Ok(told),
                "pending" | "in_progress" if begun.elapsed() < LONGEST_WORK => {
                    tokio::time::sleep(LOOK).await;
                }
                _ => return Err(message(format!("GET {path}: {told}"))),
            }
        }
    }
}

/// A text of an answer.
pub fn text(answer: &Value, field: &str) -> Result<String> {
    answer[field]
        .as_str()
        .map(str::to_string)
        .ok_or_else(|| message(format!("`{field}` is missing in {answer}")))
}
