//! One running function.

use crate::program::Program;
use crate::reading::Reading;
use rovodev::ports::web;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

const PATIENCE: Duration = Duration::from_secs(60);
const SOCKET: &str = "platform";
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// A message of the function to the platform.
#[derive(Debug, Clone)]
pub struct Message {
    pub kind: String,
    pub payload: Value,
}

#[derive(Default)]
struct Heard {
    messages: Mutex<Vec<Message>>,
    more: Notify,
}

pub struct Function {
    port: u16,
    child: Child,
    heard: Arc<Heard>,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Function {
    /// Starts it in an environment of its own, and waits until it says that it listens.
    pub async fn start(program: Program, variables: &[(&str, String)]) -> Function {
        let Program {
            command,
            folder,
            seen_as,
        } = program;
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let port = local::port::free().unwrap();
        let child = Command::from(command)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("VERCEL_DEV_PORT", port.to_string())
            .env("VERCEL_IPC_PATH", seen_as.join(SOCKET))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let heard = Arc::<Heard>::default();
        let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept())
            .await
            .expect("the function does not speak to the platform")
            .unwrap();
        tokio::spawn(listen(stream, heard.clone()));
        let function = Function {
            port,
            child,
            heard,
            http: web::client().unwrap(),
            _folder: folder,
        };
        function.message(|m| m.kind == "server-started").await;
        function
    }

    /// What had been written to an event stream when the platform was told that its invocation is over. Nothing is
    /// read before that, so what is there then was sent before.
    pub async fn events_at_end(&self, path: &str, token: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let own = format!("accept: text/event-stream\r\nauthorization: Bearer {token}\r\n");
        let (number, request) = plain(path, &own);
        stream.write_all(request.as_bytes()).await.unwrap();
        self.end(number).await;
        let mut there = Vec::new();
        while let Ok(1..) = stream.try_read_buf(&mut there) {}
        String::from_utf8(there).unwrap()
    }

    /// Begins to read the answer of a GET without a token.
    pub async fn read_slowly(&self, path: &str) -> Reading {
        let (number, request) = plain(path, "");
        Reading::begin(self.port, number, &request).await
    }

    /// A request, as the platform hands it over; its number is what [`Function::end`] asks for.
    pub fn request(&self, method: &str, path: &str) -> (u64, reqwest::RequestBuilder) {
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = self
            .http
            .request(method.parse().unwrap(), url)
            .header("x-vercel-internal-invocation-id", format!("inv-{number}"))
            .header("x-vercel-internal-request-id", number.to_string());
        (number, request)
    }

    /// Waits until the invocation of a request is over.
    pub async fn end(&self, number: u64) {
        let of_it = |m: &Message| {
            m.kind == "end" && m.payload["context"]["requestId"].as_u64() == Some(number)
        };
        self.message(of_it).await;
    }

    /// Whether the invocation is already over.
    pub fn has_ended(&self, number: u64) -> bool {
        let heard = self.heard.messages.lock().unwrap();
        heard
            .iter()
            .any(|m| m.kind == "end" && m.payload["context"]["requestId"].as_u64() == Some(number))
    }

    /// Suspends the process, as the platform does between invocations.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// The process is gone, and what it had in mind with it.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks the process to end, as the platform does, and waits for it.
    pub async fn stop(mut self) -> std::process::ExitStatus {
        self.signal(Signal::TERM);
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the function does not end").unwrap()
    }

    async fn message(&self, wanted: impl Fn(&Message) -> bool) -> Message {
        let search = async {
            loop {
                let more = self.heard.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                let found = self
                    .heard
                    .messages
                    .lock()
                    .unwrap()
                    .iter()
                    .find(|m| wanted(m))
                    .cloned();
                match found {
                    Some(message) => return message,
                    None => more.await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .expect("the platform was not told")
    }
}

/// A GET request with headers of its own, and its number.
fn plain(path: &str, headers: &str) -> (u64, String) {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}x-vercel-internal-invocation-id: inv-{number}\r\n\
         x-vercel-internal-request-id: {number}\r\n\r\n"
    );
    (number, request)
}

/// Messages are JSON, each ended by a NUL.
async fn listen(mut stream: UnixStream, heard: Arc<Heard>) {
    let (mut rest, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        rest.extend_from_slice(&chunk[..read]);
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let told: Vec<u8> = rest.drain(..=end).collect();
            let told: Value = serde_json::from_slice(&told[..end]).unwrap();
            heard.messages.lock().unwrap().push(Message {
                kind: told["type"].as_str().unwrap().to_string(),
                payload: told["payload"].clone(),
            });
            heard.more.notify_waiters();
        }
    }
}
