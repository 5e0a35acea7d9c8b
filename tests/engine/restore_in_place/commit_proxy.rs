//! A network that breaks exactly at the commit of a merge.

use super::fixture::Fixture;
use crate::backup::proxy::{address, through};
use rovodev::ports::postgres::DatabaseUrl;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const SSL_REQUEST: u32 = 80_877_103;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets the COMMIT.
    Before,
    /// The server has committed; nobody hears of it.
    After,
}

/// Passes everything on, but cuts the connection at the COMMIT of a merge.
pub struct CommitProxy {
    pub url: DatabaseUrl,
    pub address: String,
    state: Arc<State>,
}

struct State {
    to: SocketAddr,
    cut: Cut,
    /// Cuts still to be made.
    left: AtomicUsize,
    made: AtomicUsize,
    /// Whether the connection stays open, silent, until [`CommitProxy::let_go`].
    held: AtomicBool,
    reached: Notify,
    let_go: Notify,
}

impl CommitProxy {
    pub async fn start(f: &Fixture, cut: Cut, times: usize, held: bool) -> Self {
        let server = std::env::var("ROVODEV_TEST_SUPERUSER_URL").unwrap();
        let server = crate::support::changed(&server, |u| u.set_path(f.url.database()));
        Self::before(&server, cut, times, held).await
    }

    /// In front of a database that is named by its URL.
    pub async fn before(server: &str, cut: Cut, times: usize, held: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = through(server, listener.local_addr().unwrap());
        let state = Arc::new(State {
            to: address(server),
            cut,
            left: AtomicUsize::new(times),
            made: AtomicUsize::new(0),
            held: AtomicBool::new(held),
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
            url: DatabaseUrl::parse(&url).unwrap(),
            address: url,
            state,
        }
    }

    pub fn cuts(&self) -> usize {
        self.state.made.load(Ordering::SeqCst)
    }

    /// Waits until a connection is held at its COMMIT.
    pub async fn reached(&self) {
        self.state.reached.notified().await;
    }

    pub fn let_go(&self) {
        self.state.let_go.notify_one();
    }
}

async fn serve(mut client: TcpStream, state: &State) -> std::io::Result<()> {
    let (length, kind, body) = loop {
        let (length, kind) = (client.read_u32().await?, client.read_u32().await?);
        let mut body = vec![0; length as usize - 8];
        client.read_exact(&mut body).await?;
        if kind != SSL_REQUEST {
            break (length, kind, body);
        }
        client.write_all(b"N").await?;
    };
    let mut server = TcpStream::connect(state.to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_u32(length).await?;
    server.write_u32(kind).await?;
    server.write_all(&body).await?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let (silent, answered) = (AtomicBool::new(false), Notify::new());
    tokio::select! {
        done = answers(from_server, to_client, &silent, &answered) => done,
        done = questions(from_client, to_server, state, &silent, &answered) => done,
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silent: &AtomicBool,
    answered: &Notify,
) -> std::io::Result<()> {
    let (mut bytes, mut unheard) = (vec![0; 1 << 16], Vec::new());
    loop {
        let n = from.read(&mut bytes).await?;
        if n == 0 {
            return Ok(());
        }
        if !silent.load(Ordering::SeqCst) {
            to.write_all(&bytes[..n]).await?;
            continue;
        }
        // Before it may come the answer to closing a statement, which nobody waits for.
        unheard.extend_from_slice(&bytes[..n]);
        if names(&unheard, b"COMMIT\0") {
            answered.notify_one();
        }
    }
}

async fn questions(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: &State,
    silent: &AtomicBool,
    answered: &Notify,
) -> std::io::Result<()> {
    let mut merging = false;
    loop {
        let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        let asked = |text: &[u8]| kind == b'Q' && names(&body, text);
        merging |= asked(b"CREATE SCHEMA \"undo_");
        let cut = merging && asked(b"COMMIT\0") && take(&state.left);
        if cut && state.cut == Cut::Before {
            return end(state).await;
        }
        silent.store(cut, Ordering::SeqCst);
        to.write_u8(kind).await?;
        to.write_u32(length).await?;
        to.write_all(&body).await?;
        if cut {
            answered.notified().await;
            return end(state).await;
        }
    }
}

fn names(message: &[u8], text: &[u8]) -> bool {
    message.windows(text.len()).any(|w| w == text)
}

fn take(left: &AtomicUsize) -> bool {
    let less = |n: usize| n.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

async fn end(state: &State) -> std::io::Result<()> {
    state.made.fetch_add(1, Ordering::SeqCst);
    state.reached.notify_one();
    if state.held.load(Ordering::SeqCst) {
        state.let_go.notified().await;
    }
    Ok(())
}
