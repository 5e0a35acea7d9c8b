//! A network that stops exactly at one statement, for a process that is killed there.

use crate::backup::proxy::{address, through};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A client asks for encryption, by TLS or by GSSAPI, before it begins.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The server never gets the first statement that holds this text.
    Before(&'static str),
    /// It has answered that statement; its session gets no other.
    After(&'static str),
    /// The server never gets the statement of this number, over all sessions.
    Call(usize),
    /// Nowhere: statements are counted.
    Never,
}

pub struct KillProxy {
    pub address: String,
    state: Arc<State>,
}

struct State {
    to: SocketAddr,
    point: Point,
    seen: Mutex<Vec<String>>,
    /// Whether some session has come to the point.
    came: Mutex<bool>,
    reached: Notify,
    let_go: Notify,
}

impl KillProxy {
    pub async fn start(server: &str, point: Point) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = through(server, listener.local_addr().unwrap());
        let state = Arc::new(State {
            to: address(server),
            point,
            seen: Mutex::default(),
            came: Mutex::default(),
            reached: Notify::new(),
            let_go: Notify::new(),
        });
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = serving.clone();
                // A session that breaks off is what these tests are about.
                tokio::spawn(async move { serve(client, &state).await.ok() });
            }
        });
        Self {
            address: url,
            state,
        }
    }

    /// Waits until a session is held.
    pub async fn reached(&self) {
        self.state.reached.notified().await;
    }

    pub fn let_go(&self) {
        self.state.let_go.notify_one();
    }

    /// The statements that came so far.
    pub fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, state: &State) -> std::io::Result<()> {
    let (length, body) = loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await?;
        let asked = |code: &u32| body[..4] == code.to_be_bytes();
        if !ENCRYPTION.iter().any(asked) {
            break (length, body);
        }
        client.write_all(b"N").await?;
    };
    let mut server = TcpStream::connect(state.to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_u32(length).await?;
    server.write_all(&body).await?;
    let ((from_client, mut to_client), (mut from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::select! {
        done = tokio::io::copy(&mut from_server, &mut to_client) => done.map(drop),
        done = statements(from_client, to_server, state) => done,
    }
}

async fn statements(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
) -> std::io::Result<()> {
    let mut answered = false;
    loop {
        let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        // A simple statement, or one that is prepared.
        if matches!(kind, b'Q' | b'P') {
            let text = String::from_utf8_lossy(&body).into_owned();
            let holds = state.holds(&text, answered);
            answered |=
                matches!(state.point, Point::After(mark) if text.contains(mark)) && state.comes();
            if holds {
                state.reached.notify_one();
                state.let_go.notified().await;
                return Ok(());
            }
        }
        to.write_u8(kind).await?;
        to.write_u32(length).await?;
        to.write_all(&body).await?;
    }
}

impl State {
    fn holds(&self, text: &str, answered: bool) -> bool {
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(text.into());
            seen.len()
        };
        match self.point {
            Point::Before(mark) => text.contains(mark) && self.comes(),
            Point::After(_) => answered,
            Point::Call(wanted) => number == wanted,
            Point::Never => false,
        }
    }

    /// The first one alone.
    fn comes(&self) -> bool {
        !std::mem::replace(&mut *self.came.lock().unwrap(), true)
    }
}
