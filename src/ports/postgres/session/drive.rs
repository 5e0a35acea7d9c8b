//! What moves a session's messages, holds them back, and ends it.

use futures_util::future;
use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio_postgres::CancelToken;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

/// How long a dropped session may take to end in order, before its statement is cancelled and its
/// connection closed.
const FAREWELL: Duration = Duration::from_millis(200);
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// Keeps the driver from reading.
#[derive(Default)]
pub struct Gate {
    shut: AtomicBool,
    waker: AtomicWaker,
}

impl Gate {
    pub async fn pass<T>(self: Arc<Self>, connection: impl Future<Output = T>) -> T {
        tokio::pin!(connection);
        future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            match self.shut.load(Ordering::SeqCst) {
                true => Poll::Pending,
                false => connection.as_mut().poll(cx),
            }
        })
        .await
    }
}

/// See [`super::Session::hold_back`].
pub struct HeldBack(Arc<Gate>);

impl HeldBack {
    pub fn shut(gate: Arc<Gate>) -> Self {
        gate.shut.store(true, Ordering::SeqCst);
        Self(gate)
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        self.0.shut.store(false, Ordering::SeqCst);
        self.0.waker.wake();
    }
}

/// Moves a session's messages until it ends, or for [`FAREWELL`] after it was dropped.
pub async fn drive(
    connection: impl Future<Output = std::result::Result<(), tokio_postgres::Error>>,
    ended: CancellationToken,
    token: CancelToken,
    tls: MakeRustlsConnect,
) {
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = ended.cancelled() => {}
    }
    if tokio::time::timeout(FAREWELL, &mut connection)
        .await
        .is_err()
    {
        ask_to_cancel(token, tls).await;
    }
}

pub async fn ask_to_cancel(token: CancelToken, tls: MakeRustlsConnect) {
    let asked = tokio::time::timeout(CANCEL_LIMIT, token.cancel_query(tls)).await;
    if !matches!(asked, Ok(Ok(()))) {
        tracing::warn!(
            "the database did not take the cancel request; the statement ends with the connection"
        );
    }
}
