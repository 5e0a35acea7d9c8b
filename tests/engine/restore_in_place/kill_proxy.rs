//! A network that stops exactly at one statement, for a process that is killed there.

use crate::backup::proxy::{address, connected, first_message, listen, through};
use crate::support::PATIENCE;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

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
        let state = Arc::new(State {
            to: address(server),
            point,
            seen: Mutex::default(),
            came: Mutex::default(),
            reached: Notify::new(),
            let_go: Notify::new(),
        });
        let serving = state.clone();
        let at = listen(move |client| {
            let state = serving.clone();
            async move { serve(client, &state).await }
        });
        let url = through(server, at.await);
        Self {
            address: url,
            state,
        }
    }

    /// Kills the process once it comes there; how it ended where it ended before.
    pub async fn kill_there(&self, child: &mut Child) -> Option<ExitStatus> {
        let ended = async {
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let point = self.state.point;
        let ended = tokio::select! {
            () = self.reached() => None,
            status = ended => Some(status),
            () = tokio::time::sleep(PATIENCE) => panic!("{point:?}: neither there nor at the end"),
        };
        child.kill().unwrap();
        child.wait().unwrap();
        self.let_go();
        if let Some(status) = ended {
            assert!(status.success(), "{point:?}: {status}");
        }
        ended
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
    let (kind, body) = first_message(&mut client).await?;
    let server = connected(state.to, kind, &body).await?;
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
