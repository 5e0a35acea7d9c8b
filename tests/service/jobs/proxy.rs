//! A PostgREST between the worker and the real one: it stops the n-th call before or behind it. Renewals of the lease
//! are not counted: they come when time has passed, and the work does not wait for them.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, Response, StatusCode, Uri, header};
use axum::serve::ListenerExt;
use rovodev::ports::web;
use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const RENEWAL: &str = "/rpc/rovodev_renew_job";

pub struct Proxy {
    pub url: String,
    pub reached: Arc<Notify>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Way {
    http: reqwest::Client,
    target: String,
    calls: Arc<AtomicU64>,
    stop_at: u64,
    /// Whether the database has done what was asked when the worker hears nothing.
    behind: bool,
    reached: Arc<Notify>,
}

impl Proxy {
    pub async fn start(target: String, stop_at: u64, behind: bool) -> Proxy {
        let reached = Arc::<Notify>::default();
        let way = Way {
            http: web::client().unwrap(),
            target,
            calls: Arc::default(),
            stop_at,
            behind,
            reached: reached.clone(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(pass).with_state(way);
        let listener = listener.tap_io(|socket| socket.set_nodelay(true).unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Proxy {
            url,
            reached,
            server,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(
    State(way): State<Way>,
    method: Method,
    uri: Uri,
    mut headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let counted = !uri.path().ends_with(RENEWAL);
    let stopped = counted && way.calls.fetch_add(1, Ordering::SeqCst) + 1 == way.stop_at;
    if stopped && !way.behind {
        way.reached.notify_one();
        pending::<()>().await;
    }
    headers.remove(header::HOST);
    headers.remove(header::CONTENT_LENGTH);
    let url = format!("{}{uri}", way.target);
    let sent = way
        .http
        .request(method, url)
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answer) = sent else {
        return Response::builder()
            .status(StatusCode::BAD_GATEWAY)
            .body(Body::empty())
            .unwrap();
    };
    let mut response = Response::builder().status(answer.status());
    for name in [header::CONTENT_TYPE, header::CONTENT_RANGE] {
        if let Some(value) = answer.headers().get(&name) {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap();
    if stopped {
        way.reached.notify_one();
        pending::<()>().await;
    }
    response.body(Body::from(body)).unwrap()
}
