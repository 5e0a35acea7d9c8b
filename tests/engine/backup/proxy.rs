//! What stands between us and a server: poolers and networks that misbehave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

/// What becomes of the n-th session (counted from 0).
#[derive(Clone)]
pub enum Answer {
    /// Takes the connection and says nothing.
    Silence,
    /// Refuses at the start as a pooler does.
    Refuse {
        code: &'static str,
        message: &'static str,
    },
    /// Passes on so many bytes of the server, or of the client, and then no more in either direction; nothing is closed.
    Freeze {
        to: SocketAddr,
        after: u64,
        of_client: bool,
    },
    /// Passes everything on, to another database where one is named.
    Pass {
        to: SocketAddr,
        database: Option<String>,
    },
}

/// Listens until the test's runtime ends. `answer` is asked once per session.
pub async fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, sessions) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).unwrap();
            let (answer, sessions) = (answer.clone(), sessions.clone());
            tokio::spawn(async move {
                // A session that breaks off is what these tests are about.
                let _ = serve(socket, &*answer, &sessions).await;
            });
        }
    });
    address
}

async fn serve(
    mut client: TcpStream,
    answer: &(dyn Fn(usize) -> Answer + Send + Sync),
    sessions: &AtomicUsize,
) -> std::io::Result<()> {
    let (kind, body) = loop {
        let length = client.read_u32().await?;
        let kind = client.read_u32().await?;
        let mut body = vec![0; length as usize - 8];
        client.read_exact(&mut body).await?;
        if kind != SSL_REQUEST {
            break (kind, body);
        }
        client.write_all(b"N").await?;
    };
    let number = match kind {
        CANCEL_REQUEST => sessions.load(Ordering::SeqCst).saturating_sub(1),
        _ => sessions.fetch_add(1, Ordering::SeqCst),
    };
    match answer(number) {
        Answer::Silence => {
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await?;
        }
        Answer::Refuse { code, message } => {
            let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
            client.write_all(b"E").await?;
            client.write_u32(fields.len() as u32 + 4).await?;
            client.write_all(fields.as_bytes()).await?;
        }
        Answer::Freeze {
            to,
            after,
            of_client,
        } => {
            let mut server = TcpStream::connect(to).await?;
            server.set_nodelay(true)?;
            server.write_u32(body.len() as u32 + 8).await?;
            server.write_u32(kind).await?;
            server.write_all(&body).await?;
            let ((from_server, mut to_server), (from_client, mut to_client)) =
                (server.into_split(), client.into_split());
            let limit = |this: bool| if this { after } else { u64::MAX };
            let (mut down, mut up) = (
                from_server.take(limit(!of_client)),
                from_client.take(limit(of_client)),
            );
            tokio::select! {
                done = tokio::io::copy(&mut down, &mut to_client) => done?,
                done = tokio::io::copy(&mut up, &mut to_server) => done?,
            };
            std::future::pending::<()>().await;
        }
        Answer::Pass { to, database } => {
            let body = match database {
                Some(name) if kind != CANCEL_REQUEST => renamed(&body, &name),
                _ => body,
            };
            let mut server = TcpStream::connect(to).await?;
            server.set_nodelay(true)?;
            server.write_u32(body.len() as u32 + 8).await?;
            server.write_u32(kind).await?;
            server.write_all(&body).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
    }
    Ok(())
}

/// The parameters of a startup message, with another database.
fn renamed(body: &[u8], database: &str) -> Vec<u8> {
    let texts: Vec<&[u8]> = body.split(|b| *b == 0).collect();
    let mut changed = Vec::new();
    for pair in texts.chunks(2).filter(|p| p.len() == 2 && !p[0].is_empty()) {
        let value = if pair[0] == b"database" {
            database.as_bytes()
        } else {
            pair[1]
        };
        changed.extend([pair[0], b"\0", value, b"\0"].concat());
    }
    changed.push(0);
    changed
}

/// Where the server of a URL listens.
pub fn address(url: &str) -> SocketAddr {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
        .parse()
        .unwrap()
}

/// The same URL by way of a proxy.
pub fn through(url: &str, proxy: SocketAddr) -> String {
    crate::support::changed(url, |url| url.set_port(Some(proxy.port())).unwrap())
}
