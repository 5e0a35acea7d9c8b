//! One connection, proven to reach the database that was asked for, with every setting pinned that
//! could change how rows are written as text.

mod drive;
mod reached;

use super::{DatabaseUrl, error::from_postgres, tls};
use crate::error::{Code, Error, Result};
use backon::{ExponentialBuilder, Retryable};
use drive::{Gate, ask_to_cancel, drive};
use futures_util::{FutureExt, StreamExt};
use reached::{TakesWrites, cannot_connect, identify, unreachable};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, CopyInSink, CopyOutStream, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use drive::HeldBack;
pub use reached::Identity;

/// What a session is for; decides its `search_path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reads rows and catalogs: `search_path` empty.
    Read,
    /// Writes rows: the target's own `search_path` stays, since CHECKs in PL/pgSQL may need it.
    Write,
}

/// Text output that depends on nothing but the value. Supabase's default `extra_float_digits=0` loses bits.
const PINNED: &str = "SET extra_float_digits=3; SET IntervalStyle=postgres; SET lc_monetary='C'; SET client_encoding='UTF8'; SET bytea_output=hex; SET xmlbinary=base64; SET xmloption=content; \
    SET row_security=off; SET synchronize_seqscans=off; SET standard_conforming_strings=on; SET array_nulls=on; \
    SET default_transaction_read_only=off; SET statement_timeout=0; SET lock_timeout='10s'; SET idle_in_transaction_session_timeout=0; \
    SET quote_all_identifiers=off; SET check_function_bodies=off; SET jit=off; SET application_name='rovodev'";

/// Limits that a role or a database may set and that not every version of the server knows.
const WITHOUT_LIMITS: &str = "; SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
    WHERE name IN ('transaction_timeout', 'idle_session_timeout')";

/// A writer keeps the target's `TimeZone` and `DateStyle`: stored text names its offset and its year first, and a
/// CHECK or a generated column may depend on them.
const PINNED_TO_READ: &str = "; SET search_path=''; SET max_parallel_workers_per_gather=0; \
    SET DateStyle='ISO, YMD'; SET TimeZone='UTC'";

/// Settings that change what a query makes of its values.
const FOLLOW_DATABASE: &str = "RESET extra_float_digits; RESET DateStyle; RESET IntervalStyle; RESET TimeZone; \
    RESET lc_monetary; RESET bytea_output; RESET xmlbinary; RESET xmloption; RESET array_nulls";

/// What the server calls the encoding of a database that has none.
pub const NO_ENCODING: &str = "SQL_ASCII";

/// Ends on the server soon after it is dropped, whatever statement is running: a COPY that nobody reads
/// would hold its locks to the end.
pub struct Session {
    client: Client,
    tls: MakeRustlsConnect,
    pub identity: Identity,
    /// The database has no encoding (SQL_ASCII): its text is whatever bytes were written. Rows pass as they are;
    /// as UTF-8 the server would refuse some.
    raw_text: bool,
    takes_writes: TakesWrites,
    /// The longest silence of the server in a COPY.
    silence: Duration,
    gate: Arc<Gate>,
    _end: DropGuard,
}

impl Session {
    /// Connects, with a few tries where the server or pooler is only busy.
    pub async fn connect(url: &DatabaseUrl, purpose: Purpose) -> Result<Self> {
        // Boxed: a TLS handshake is a deep future, and every use case holds one.
        let attempt = || Box::pin(Self::connect_once(url, purpose));
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(3))
            .with_max_times(4)
            .with_jitter();
        attempt.retry(backoff).when(|e: &Error| e.retry).await
    }

    /// The driver's own limit covers the TCP connection alone; a server may take that and never answer.
    async fn connect_once(url: &DatabaseUrl, purpose: Purpose) -> Result<Self> {
        let limit = url.connect_limit();
        tokio::time::timeout(limit, Self::open(url, purpose))
            .await
            .unwrap_or_else(|_| {
                Err(unreachable(
                    url,
                    &format!("no answer within {} s", limit.as_secs()),
                ))
            })
    }

    async fn open(url: &DatabaseUrl, purpose: Purpose) -> Result<Self> {
        let tls = tls::connector(url)?;
        let (client, connection) = url
            .config
            .connect(tls.clone())
            .await
            .map_err(|e| cannot_connect(url, e))?;
        let (ended, gate) = (CancellationToken::new(), Arc::<Gate>::default());
        // The driver's error reaches whoever waits on a query.
        tokio::spawn(drive(
            gate.clone().pass(connection),
            ended.clone(),
            client.cancel_token(),
            tls.clone(),
        ));
        let end = ended.drop_guard();
        let mut pinned = [PINNED, WITHOUT_LIMITS].concat();
        if purpose == Purpose::Read {
            // A parallel plan would give rows in another order than that of the heap.
            pinned.push_str(PINNED_TO_READ);
        }
        let doing = format!("opening a session at {url}");
        client
            .batch_execute(&pinned)
            .await
            .map_err(|e| from_postgres(&doing, e))?;
        let (identity, encoding, takes_writes) = identify(&client, &doing).await?;
        if identity.database != url.database() {
            return Err(Error::new(
                Code::DatabaseMismatch,
                format!(
                    "asked for database {:?}, but the connection reached {:?}",
                    url.database(),
                    identity.database
                ),
            )
            .hint("The pooler ignores the database name; use the direct connection."));
        }
        let session = Self {
            client,
            tls,
            identity,
            raw_text: encoding == NO_ENCODING,
            takes_writes,
            silence: url.silence,
            gate,
            _end: end,
        };
        if purpose == Purpose::Write {
            session.require_writes(url)?;
        }
        Ok(session)
    }

    /// Fails where what is written at `url` would not be taken, or might take the disk's last room.
    pub fn require_writes(&self, url: &DatabaseUrl) -> Result<()> {
        self.takes_writes.require(url)
    }

    /// Connects once more and makes sure it is the same server and database.
    pub async fn connect_same(
        url: &DatabaseUrl,
        purpose: Purpose,
        expected: &Identity,
    ) -> Result<Self> {
        let session = Self::connect(url, purpose).await?;
        if session.identity != *expected {
            return Err(Error::new(
                Code::DatabaseMismatch,
                format!("two connections to {url} reached different servers or databases"),
            )
            .hint("The pooler spreads connections; use the direct connection."));
        }
        Ok(session)
    }

    pub async fn query(
        &self,
        doing: &str,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.client
            .query(sql, values)
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    pub async fn query_one(
        &self,
        doing: &str,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        self.client
            .query_one(sql, values)
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    /// Returns the number of rows touched.
    pub async fn execute(
        &self,
        doing: &str,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        self.client
            .execute(sql, values)
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    /// Runs statements that take no values; several in one string are one round trip.
    pub async fn batch(&self, doing: &str, sql: &str) -> Result<()> {
        self.client
            .batch_execute(sql)
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    /// One item of the stream is one row of `COPY … TO STDOUT`, which `sql` is without options.
    pub async fn copy_out(&self, doing: &str, sql: &str) -> Result<CopyOutStream> {
        self.client
            .copy_out(&self.with_options(sql, false))
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    /// `sql` is `COPY … FROM STDIN` without options. `freeze` needs a table that this transaction has emptied.
    pub async fn copy_in(
        &self,
        doing: &str,
        sql: &str,
        freeze: bool,
    ) -> Result<CopyInSink<bytes::Bytes>> {
        self.client
            .copy_in(&self.with_options(sql, freeze))
            .await
            .map_err(|e| from_postgres(doing, e))
    }

    /// The next row of a COPY.
    pub async fn next_row(
        &self,
        doing: &str,
        rows: &mut Pin<&mut CopyOutStream>,
    ) -> Result<Option<bytes::Bytes>> {
        // Mostly there is one, and no clock is needed.
        let row = match rows.next().now_or_never() {
            Some(row) => row,
            None => self.answered(doing, rows.next()).await?,
        };
        row.transpose().map_err(|e| from_postgres(doing, e))
    }

    /// What the server says to a part of a COPY, unless it is silent for too long: behind a pooler that lives, a server
    /// that hangs is like one that thinks. Time that we take ourselves does not count.
    pub async fn answered<T>(&self, doing: &str, answer: impl Future<Output = T>) -> Result<T> {
        let limit = self.silence;
        tokio::time::timeout(limit, answer).await.map_err(|_| {
            let seconds = limit.as_secs();
            Error::new(
                Code::ConnectionLost,
                format!("{doing}: no word from the database for {seconds} s"),
            )
            .hint(
                "The server or a pooler hangs. Look into its log and run it again; where it only needs longer, write \
                 silence_timeout=SECONDS behind the ? of the database URL.",
            )
            .retry(true)
        })
    }

    /// Until the answer is dropped, nothing more is read from the server: the driver would hold several rows ahead.
    pub fn hold_back(&self) -> HeldBack {
        HeldBack::shut(self.gate.clone())
    }

    fn with_options(&self, copy: &str, freeze: bool) -> String {
        match (freeze, self.raw_text) {
            (false, false) => copy.to_string(),
            (true, false) => format!("{copy} WITH (FREEZE)"),
            (false, true) => format!("{copy} WITH (ENCODING '{NO_ENCODING}')"),
            (true, true) => format!("{copy} WITH (FREEZE, ENCODING '{NO_ENCODING}')"),
        }
    }

    /// From here on expressions give what they give in the app's own sessions. For statements that compute new
    /// rows (a materialized view), never for ones that copy rows.
    pub async fn follow_database(&self) -> Result<()> {
        self.batch("taking the database's own settings", FOLLOW_DATABASE)
            .await
    }

    /// Whether the database takes any bytes for text.
    pub fn has_raw_text(&self) -> bool {
        self.raw_text
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs `work`; when `cancel` fires, asks the server to stop the running statement and answers
    /// [`Code::Cancelled`].
    pub async fn cancellable<T>(
        &self,
        cancel: &CancellationToken,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                self.cancel_running().await;
                Err(Error::cancelled())
            }
            done = work => done,
        }
    }

    /// `pg_cancel_backend` by the protocol's own cancel request.
    pub async fn cancel_running(&self) {
        ask_to_cancel(self.client.cancel_token(), self.tls.clone()).await;
    }
}
