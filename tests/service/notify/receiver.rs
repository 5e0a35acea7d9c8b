//! A real receiver on a free port: keeps what it is sent, and answers as it is told to.

use crate::stack::{CRON_SECRET, Person, Running};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
pub struct Got {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How it answers.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    Status(u16),
    /// Takes the request and says nothing.
    Hang,
}

#[derive(Default)]
struct Kept {
    got: Vec<Got>,
    /// Of the next requests; then 204.
    manners: VecDeque<Manner>,
}

type Shared = Arc<Mutex<Kept>>;

pub struct Receiver {
    pub url: String,
    kept: Shared,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let kept = Shared::default();
        let routes = Router::new().fallback(take).with_state(kept.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, kept, server }
    }

    pub fn answer(&self, manners: impl IntoIterator<Item = Manner>) {
        self.kept.lock().unwrap().manners.extend(manners);
    }

    pub fn got(&self) -> Vec<Got> {
        self.kept.lock().unwrap().got.clone()
    }

    /// Waits until so many requests came.
    pub async fn until(&self, number: usize) -> Vec<Got> {
        for _ in 0..600 {
            let got = self.got();
            if got.len() >= number {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{} of {number} requests came: {:?}",
            self.got().len(),
            self.got()
        );
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(
    State(kept): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let manner = {
        let mut kept = kept.lock().unwrap();
        let path = uri.to_string();
        kept.got.push(Got {
            method,
            path,
            headers,
            body,
        });
        kept.manners.pop_front().unwrap_or(Manner::Status(204))
    };
    match manner {
        Manner::Status(204) => (StatusCode::NO_CONTENT, ""),
        Manner::Status(status) => (StatusCode::from_u16(status).unwrap(), "as it was told"),
        Manner::Hang => std::future::pending().await,
    }
}

/// A project whose channels may lead to this machine.
pub async fn reaching() -> Running {
    Running::start_with(&[("ROVODEV_PRIVATE_TARGETS", "1".into())]).await
}

impl Running {
    /// A channel that is made; its id and what it was answered.
    pub async fn channel(&self, token: &str, body: Value) -> (String, Value) {
        let path = "/api/workspace/channels";
        let (status, made) = self.call(token, "POST", path, Some(body)).await;
        assert_eq!(status, 201, "{made}");
        (made["channel"]["id"].as_str().unwrap().to_string(), made)
    }

    /// What a channel was told, newest first.
    pub async fn deliveries(&self, token: &str, channel: &str) -> Vec<Value> {
        let path = format!("/api/workspace/channels?id={channel}&show=deliveries&limit=200");
        let (status, page) = self.call(token, "GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        page["deliveries"].as_array().unwrap().clone()
    }

    /// Waits until the newest delivery of a channel is as it should be.
    pub async fn delivery(
        &self,
        token: &str,
        channel: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut seen = Value::Null;
        for _ in 0..600 {
            seen = json!(self.deliveries(token, channel).await);
            if seen.get(0).is_some_and(&fits) {
                return seen[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{seen}");
    }

    pub async fn tick(&self) -> Value {
        let (status, told) = self.call(CRON_SECRET, "GET", "/api/cron/tick", None).await;
        assert_eq!(status, 200, "{told}");
        told
    }

    /// A backup that fails: its selection fits nothing.
    pub async fn fail_backup(&self, token: &str) -> String {
        let nothing = json!({ "type": "database", "schemas": ["no_such_schema"] });
        let (status, created) = self
            .call(token, "POST", "/api/backups/create", Some(nothing))
            .await;
        assert_eq!(status, 202, "{created}");
        let id = created["id"].as_str().unwrap().to_string();
        let ended = self
            .ended(token, &format!("/api/backups/{id}/restore/status"))
            .await;
        assert_eq!(ended["status"], "failed", "{ended}");
        id
    }

    pub async fn admin(&self) -> String {
        self.sign_in(Person::Admin).await
    }

    /// As if everything that waits were due.
    pub async fn make_due(&self) {
        let sql = "UPDATE public.rovodev_notification_deliveries SET next_attempt_at = now() WHERE state = 'waiting'";
        self.superuser().await.batch_execute(sql).await.unwrap();
    }
}
