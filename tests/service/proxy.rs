//! A line between the command line and the project that breaks where a test says so.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Where a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Nothing,
    /// The request arrives, its answer does not.
    Answer,
    /// One event arrives, and no more.
    AfterEvent,
}

/// What to do with a request, by its head and by how many of the same path and kind came before.
type Choice = fn(&str, usize) -> Cut;

pub struct Proxy {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    /// Before the server at `url`.
    pub async fn before(url: &str, choice: Choice) -> Self {
        let upstream = url.trim_start_matches("http://").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = requests.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, upstream.clone(), seen.clone(), choice));
            }
        });
        Self {
            port,
            requests,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Heads and bodies of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub async fn until(&self, enough: fn(&[String]) -> bool) {
        for _ in 0..1200 {
            if enough(&self.requests()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("still {:#?}", self.requests());
    }
}

/// One connection: requests are small, and each comes in one piece.
async fn pass(
    mut client: TcpStream,
    upstream: String,
    requests: Arc<Mutex<Vec<String>>>,
    choice: Choice,
) {
    let mut server = TcpStream::connect(upstream).await.unwrap();
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut cut, mut began) = (Cut::Nothing, false);
    loop {
        tokio::select! {
            read = client.read(&mut sent) => {
                let length = read.unwrap_or(0);
                if length == 0 {
                    return;
                }
                let text = String::from_utf8_lossy(&sent[..length]).to_string();
                let line = |request: &str| request.lines().next().unwrap_or_default().to_string();
                let before = {
                    let mut all = requests.lock().unwrap();
                    let before = all.iter().filter(|r| line(r) == line(&text)).count();
                    all.push(text.clone());
                    before
                };
                (cut, began) = (choice(&text, before), false);
                server.write_all(&sent[..length]).await.unwrap();
            }
            read = server.read(&mut answered) => {
                let length = read.unwrap_or(0);
                if length == 0 || cut == Cut::Answer {
                    return;
                }
                let event = String::from_utf8_lossy(&answered[..length]).contains("data: ");
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
                began |= event;
                if cut == Cut::AfterEvent && began {
                    return;
                }
            }
        }
    }
}
