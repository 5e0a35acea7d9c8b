//! A server that plays Vercel's API, and deliveries as Vercel signs them.

use crate::stack::Running;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use ring::hmac;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub const WEBHOOK_SECRET: &str = "what-vercel-showed-once";
pub const PROJECT: &str = "prj_of_the_app";
const TOKEN: &str = "a-token-of-vercel";

/// What the next calls are answered with instead.
#[derive(Clone, Copy, PartialEq)]
pub enum Trouble {
    None,
    Status(u16),
    /// No answer at all.
    Hang,
}

pub struct Api {
    pub url: String,
    state: Arc<Mutex<Book>>,
}

pub struct Book {
    pub trouble: Trouble,
    pub calls: Vec<(Method, String)>,
    pub checks: Vec<Value>,
    /// Runs by deployment, as Vercel shows them.
    pub runs: BTreeMap<String, Vec<Value>>,
}

impl Api {
    /// With the check in its project, as `init` makes it.
    pub async fn start() -> Self {
        let check =
            json!({ "id": "chk_1", "name": "Rovodev backup", "blocks": "deployment-promotion" });
        let other = json!({ "id": "chk_0", "name": "Lint", "blocks": "none" });
        Self::with_checks(vec![other, check]).await
    }

    pub async fn with_checks(checks: Vec<Value>) -> Self {
        let state = Arc::new(Mutex::new(Book {
            trouble: Trouble::None,
            calls: Vec::new(),
            checks,
            runs: BTreeMap::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().unwrap()
    }

    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("VERCEL_API", self.url.clone()),
            ("VERCEL_TOKEN", TOKEN.into()),
            ("APP_PROJECT_ID", PROJECT.into()),
            ("VERCEL_TEAM_ID", "team_1".into()),
            ("VERCEL_WEBHOOK_SECRET", WEBHOOK_SECRET.into()),
        ]
    }

    /// Status and conclusion of a deployment's runs.
    pub fn held(&self, deployment: &str) -> Vec<(String, Option<String>)> {
        let text = |v: &Value| v.as_str().map(str::to_string);
        let runs = self.book().runs.get(deployment).cloned();
        let runs = runs.unwrap_or_default();
        let told = |r: &Value| (text(&r["status"]).unwrap(), text(&r["conclusion"]));
        runs.iter().map(told).collect()
    }

    /// Until every run of a deployment ended as wanted; there is one at least.
    pub async fn ends(&self, deployment: &str, conclusion: &str) {
        for _ in 0..600 {
            let held = self.held(deployment);
            let ended = |run: &(String, Option<String>)| run.0 == "completed";
            if !held.is_empty() && held.iter().all(ended) {
                let wanted = Some(conclusion.to_string());
                assert!(held.iter().all(|run| run.1 == wanted), "{held:?}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?}", self.held(deployment));
    }
}

async fn answer(
    State(state): State<Arc<Mutex<Book>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let trouble = {
        let mut book = state.lock().unwrap();
        book.calls.push((method.clone(), uri.path().to_string()));
        book.trouble
    };
    match trouble {
        Trouble::None => {}
        Trouble::Status(status) => return (StatusCode::from_u16(status).unwrap(), String::new()),
        Trouble::Hang => std::future::pending().await,
    }
    let mut book = state.lock().unwrap();
    if headers["authorization"] != format!("Bearer {TOKEN}").as_str() {
        return (StatusCode::FORBIDDEN, String::new());
    }
    assert_eq!(uri.query(), Some("teamId=team_1"));
    let sent: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    let told = match (method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "projects", PROJECT, "checks"]) => json!({ "checks": book.checks }),
        ("POST", ["v2", "projects", PROJECT, "checks"]) => {
            let mut made = sent;
            made["id"] = json!(format!("chk_{}", book.checks.len()));
            book.checks.push(made.clone());
            made
        }
        ("GET", ["v2", "deployments", "dpl_gone", "check-runs"]) => {
            return (StatusCode::NOT_FOUND, String::new());
        }
        ("GET", ["v2", "deployments", id, "check-runs"]) => {
            json!({ "runs": book.runs.get(*id).cloned().unwrap_or_default() })
        }
        ("POST", ["v2", "deployments", id, "check-runs"]) => {
            let runs = book.runs.entry(id.to_string()).or_default();
            let run = json!({ "id": format!("run_{}", runs.len()), "checkId": sent["checkId"], "status": "queued" });
            runs.push(run.clone());
            run
        }
        ("PATCH", ["v2", "deployments", id, "check-runs", run]) => {
            let runs = book.runs.get_mut(*id).unwrap();
            let run = runs.iter_mut().find(|r| r["id"] == *run).unwrap();
            assert_ne!(run["status"], "completed", "ended twice");
            for field in ["status", "conclusion", "conclusionText"] {
                run[field] = sent[field].clone();
            }
            run.clone()
        }
        _ => return (StatusCode::BAD_REQUEST, String::new()),
    };
    (StatusCode::OK, told.to_string())
}

/// As Vercel tells that a deployment is created.
pub fn created(id: &str, deployment: &str) -> Value {
    json!({
        "type": "deployment.created", "id": id, "createdAt": chrono::Utc::now().timestamp_millis(), "region": null,
        "payload": {
            "team": { "id": "team_1" }, "user": { "id": "u" }, "alias": [], "target": "production",
            "deployment": {
                "id": deployment, "url": "app-1.vercel.app", "name": "app",
                "meta": { "githubCommitSha": "c0ffee", "githubCommitRef": "main" },
            },
            "project": { "id": PROJECT }, "plan": "pro", "regions": ["fra1"],
        },
    })
}

pub fn signature(body: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

pub async fn deliver(running: &Running, event: &Value) -> (u16, Value) {
    let body = event.to_string();
    let signature = signature(&body, WEBHOOK_SECRET);
    send(running, body, &signature).await
}

pub async fn send(running: &Running, body: String, signature: &str) -> (u16, Value) {
    let answer = running
        .request("POST", "/api/hooks/deploy")
        .header("content-type", "application/json")
        .header("x-vercel-signature", signature)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}
