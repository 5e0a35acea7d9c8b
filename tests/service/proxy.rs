//! A line between two parts that breaks where a test says so: by the request, or for whatever comes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Nothing,
    /// The request arrives, its answer does not.
    Answer,
    /// Half of what comes first of its answer arrives, and no more.
    Middle,
    /// One event arrives, and no more.
    AfterEvent,
    /// Neither arrives, and the line stays open.
    Silence,
    /// The answer comes later.
    Late(Duration),
}

/// What to do with a request, by its head and by how many of the same path and kind came before.
type Choice = Arc<dyn Fn(&str, usize) -> Cut + Send + Sync>;

pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    serving: JoinHandle<()>,
}

struct Line {
    upstream: String,
    requests: Mutex<Vec<String>>,
    choice: Mutex<Choice>,
    /// Whether anybody listens.
    up: watch::Sender<bool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    /// Before the server at `url`, or at a host and port.
    pub async fn before(
        url: &str,
        choice: impl Fn(&str, usize) -> Cut + Send + Sync + 'static,
    ) -> Self {
        let listener = bound("127.0.0.1:0".parse().unwrap()).listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(Line {
            upstream: url.trim_start_matches("http://").to_string(),
            requests: Mutex::default(),
            choice: Mutex::new(Arc::new(choice)),
            up: watch::Sender::new(true),
        });
        let serving = tokio::spawn(serve(listener, line.clone()));
        Self {
            address,
            line,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From here on requests, and answers under way, fare so.
    pub fn now(&self, choice: impl Fn(&str, usize) -> Cut + Send + Sync + 'static) {
        *self.line.choice.lock().unwrap() = Arc::new(choice);
    }

    /// Ends every connection, and refuses new ones until [`Proxy::listen`].
    pub async fn refuse(&self) {
        self.turn(false).await;
    }

    pub async fn listen(&self) {
        self.turn(true).await;
    }

    async fn turn(&self, up: bool) {
        self.line.up.send_replace(up);
        for _ in 0..5000 {
            if TcpStream::connect(self.address).await.is_ok() == up {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the line at {} does not turn {up}", self.address);
    }

    /// Heads and bodies of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.line.requests.lock().unwrap().clone()
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

/// Shared with the socket before or after it, so that nobody else gets the port between the two.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn serve(mut listener: TcpListener, line: Arc<Line>) {
    let address = listener.local_addr().unwrap();
    let mut up = line.up.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                tokio::spawn(pass(client, line.clone()));
            }
            _ = up.changed() => {
                if *up.borrow_and_update() {
                    continue;
                }
                // Bound and not listening: refused.
                let socket = bound(address);
                drop(listener);
                while !*up.borrow_and_update() {
                    up.changed().await.unwrap();
                }
                listener = socket.listen(1024).unwrap();
            }
        }
    }
}

/// One connection: requests are small, and each comes in one piece. Of what is larger each piece counts as one.
async fn pass(mut client: TcpStream, line: Arc<Line>) {
    let Ok(mut server) = TcpStream::connect(&line.upstream).await else {
        return;
    };
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap();
    }
    let mut up = line.up.subscribe();
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut request, mut before, mut began) = (String::new(), 0, false);
    loop {
        tokio::select! {
            read = client.read(&mut sent) => {
                let length = read.unwrap_or(0);
                if length == 0 {
                    return;
                }
                request = String::from_utf8_lossy(&sent[..length]).to_string();
                (before, began) = (line.seen(&request), false);
                if line.cut(&request, before) != Cut::Silence
                    && server.write_all(&sent[..length]).await.is_err()
                {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let length = read.unwrap_or(0);
                let cut = line.cut(&request, before);
                let arrives = match cut {
                    Cut::Answer => return,
                    Cut::Silence if length > 0 => continue,
                    Cut::Middle => length / 2,
                    _ => length,
                };
                if let Cut::Late(time) = cut {
                    tokio::time::sleep(time).await;
                }
                if length == 0 || client.write_all(&answered[..arrives]).await.is_err() {
                    return;
                }
                began |= String::from_utf8_lossy(&answered[..length]).contains("data: ");
                if cut == Cut::Middle || cut == Cut::AfterEvent && began {
                    return;
                }
            }
            _ = up.changed() => {
                if !*up.borrow_and_update() {
                    return;
                }
            }
        }
    }
}

impl Line {
    fn cut(&self, request: &str, before: usize) -> Cut {
        let choice = self.choice.lock().unwrap().clone();
        choice(request, before)
    }

    /// Remembers a request; how many of its kind came before.
    fn seen(&self, request: &str) -> usize {
        let kind = |request: &str| request.lines().next().unwrap_or_default().to_string();
        let mut all = self.requests.lock().unwrap();
        let before = all.iter().filter(|r| kind(r) == kind(request)).count();
        all.push(request.to_string());
        before
    }
}
