//! S3 in this process, on 127.0.0.1: `s3s` over a folder, with conditional writes made atomic.

use crate::error::{Context, Result, at, message};
use crate::port;
use hyper::Method;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use uuid::Uuid;

/// The region that the local S3 signs for; it accepts any.
pub const REGION: &str = "us-east-1";

/// A key that may only read, with the same secret.
pub const READER: &str = "reader";

/// An access key and its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
}

impl Credentials {
    pub fn random() -> Credentials {
        Credentials {
            key: "local".into(),
            secret: Uuid::new_v4().simple().to_string(),
        }
    }
}

/// A running S3, stopped when dropped. It has a thread and a runtime of its own, so that it outlives
/// the runtime of a single test.
#[derive(Debug)]
pub struct S3 {
    folder: PathBuf,
    port: u16,
    credentials: Credentials,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl S3 {
    /// Serves the buckets in `folder` on `port`, or on a free one.
    pub fn start(folder: &Path, port: Option<u16>, credentials: Credentials) -> Result<S3> {
        std::fs::create_dir_all(folder).context(at("make", folder))?;
        let files = s3s_fs::FileSystem::new(folder).map_err(|error| {
            message(format!(
                "the local S3 cannot use {}: {error:?}",
                folder.display()
            ))
        })?;
        let mut builder = S3ServiceBuilder::new(files);
        let secret = &credentials.secret;
        let mut keys = SimpleAuth::from_single(credentials.key.clone(), secret.clone());
        keys.register(READER.into(), secret.clone().into());
        builder.set_auth(keys);
        let service = AtomicWrites::new(builder.build());
        let port = match port {
            Some(port) => port,
            None => port::free()?,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .context(format!("cannot open port {port} for S3"))?;
        let (stop, stopped) = oneshot::channel();
        let server = spawn_server(listener, service, stopped)?;
        Ok(S3 {
            folder: folder.to_path_buf(),
            port,
            credentials,
            stop: Some(stop),
            server: Some(server),
        })
    }

    /// Makes a bucket unless it is there.
    pub fn create_bucket(&self, name: &str) -> Result<()> {
        let bucket = self.folder.join(name);
        std::fs::create_dir_all(&bucket).context(at("make", &bucket))
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Either end may be gone already; both mean that the server has stopped.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

fn spawn_server(
    listener: TcpListener,
    service: AtomicWrites,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>> {
    listener
        .set_nonblocking(true)
        .context("cannot listen for S3")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("local S3")
        .enable_all()
        .build()
        .context("cannot start the runtime of S3")?;
    let listener = {
        let _inside = runtime.enter();
        tokio::net::TcpListener::from_std(listener).context("cannot listen for S3")?
    };
    std::thread::Builder::new()
        .name("local S3".into())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, service) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })
        .context("cannot start the thread of S3")
}

async fn accept(listener: tokio::net::TcpListener, service: AtomicWrites) {
    loop {
        // A connection that failed before it was accepted is the client's matter.
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Headers and body go out as two writes; without this each answer waits 40 ms for the client's ACK.
        let _ = socket.set_nodelay(true);
        let service = service.clone();
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let service = service.clone();
            async move { service.call(request.map(Body::from)).await }
        });
        tokio::spawn(async move {
            // The client sees a broken connection itself.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), answer)
                .await;
        });
    }
}

/// `s3s-fs` looks whether an object exists, then writes it: two writers with `If-None-Match: *` may
/// both succeed. Here writers of one object wait for each other, as S3's outcome demands.
#[derive(Clone)]
struct AtomicWrites {
    service: S3Service,
    writers: Arc<Mutex<HashMap<String, Arc<AsyncMutex<()>>>>>,
}

impl AtomicWrites {
    fn new(service: S3Service) -> AtomicWrites {
        AtomicWrites {
            service,
            writers: Arc::default(),
        }
    }

    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        if is_reader(&request) && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(denied());
        }
        if !writes_whole_object(&request) {
            return self.service.call(request).await;
        }
        let path = request.uri().path().to_string();
        let turn = {
            let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
            // Only this map holds those that nobody waits for.
            writers.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(writers.entry(path).or_default())
        };
        let _turn = turn.lock().await;
        self.service.call(request).await
    }
}

fn is_reader(request: &HttpRequest) -> bool {
    let signed = request.headers().get(hyper::header::AUTHORIZATION);
    let by = format!("Credential={READER}/");
    signed.is_some_and(|text| String::from_utf8_lossy(text.as_bytes()).contains(&by))
}

fn denied() -> HttpResponse {
    let text = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
    let mut response = HttpResponse::new(Body::from(text.to_string()));
    *response.status_mut() = hyper::StatusCode::FORBIDDEN;
    response
}

/// Uploads of parts stay parallel: an object appears only when they are completed.
fn writes_whole_object(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    match *request.method() {
        Method::PUT | Method::DELETE => !query.contains("partNumber="),
        Method::POST => query.contains("uploadId="),
        _ => false,
    }
}
