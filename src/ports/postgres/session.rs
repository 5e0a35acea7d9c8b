//! One connection, proven to reach the database that was asked for, with every setting pinned that
//! could change how rows are written as text.

use super::{DatabaseUrl, error::from_postgres, tls};
use crate::error::{Code, Error, Result};
use backon::{ExponentialBuilder, Retryable};
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{CancelToken, Client, CopyInSink, CopyOutStream, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::{CancellationToken, DropGuard};

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
    SET quote_all_identifiers=off; SET check_function_bodies=off; SET application_name='rovodev'";

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

/// Which server and database a session really reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub database: String,
    pub system_identifier: String,
    /// As `server_version_num`.
    pub version: u32,
}

/// How long a dropped session may take to end in order, before its statement is cancelled and its
/// connection closed.
const FAREWELL: Duration = Duration::from_millis(200);
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// Ends on the server soon after it is dropped, whatever statement is running: a COPY that nobody reads
/// would hold its locks to the end.
pub struct Session {
    client: Client,
    tls: MakeRustlsConnect,
    pub identity: Identity,
    /// The database has no encoding (SQL_ASCII): its text is whatever bytes were written. Rows pass as they are;
    /// as UTF-8 the server would refuse some.
    raw_text: bool,
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
        let ended = CancellationToken::new();
        // The driver's error reaches whoever waits on a query.
        tokio::spawn(drive(
            connection,
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
        let (identity, encoding) = identify(&client, &doing).await?;
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
        Ok(Self {
            client,
            tls,
            identity,
            raw_text: encoding == NO_ENCODING,
            _end: end,
        })
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

/// Moves a session's messages until it ends, or for [`FAREWELL`] after it was dropped.
async fn drive(
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

async fn ask_to_cancel(token: CancelToken, tls: MakeRustlsConnect) {
    let asked = tokio::time::timeout(CANCEL_LIMIT, token.cancel_query(tls)).await;
    if !matches!(asked, Ok(Ok(()))) {
        tracing::warn!(
            "the database did not take the cancel request; the statement ends with the connection"
        );
    }
}

/// Which database this is, and its encoding.
async fn identify(client: &Client, doing: &str) -> Result<(Identity, String)> {
    let row = client
        .query_one(
            "SELECT current_database()::text, (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), \
             current_setting('server_version_num')::int, current_setting('server_encoding')",
            &[],
        )
        .await
        .map_err(|e| from_postgres(doing, e))?;
    let identity = Identity {
        database: row.get(0),
        system_identifier: row.get(1),
        version: row.get::<_, i32>(2).unsigned_abs(),
    };
    Ok((identity, row.get(3)))
}

fn cannot_connect(url: &DatabaseUrl, error: tokio_postgres::Error) -> Error {
    if error.as_db_error().is_some() {
        return from_postgres(&format!("connecting to {url}"), error);
    }
    let cause = std::error::Error::source(&error)
        .map(|s| format!(": {s}"))
        .unwrap_or_default();
    let told = unreachable(url, &format!("{error}{cause}"));
    let told = if cause.contains("does not support TLS") {
        told.hint(
            "This server has TLS switched off: switch it on, or, on a network that you trust, write sslmode=disable.",
        )
    } else if cause.contains("certificate") {
        told.hint(
            "The server's certificate is not accepted: name its authority's file with sslrootcert=FILE (Supabase: \
             Database → SSL), and the host for which it was issued.",
        )
    } else {
        told
    };
    told.source(error)
}

fn unreachable(url: &DatabaseUrl, why: &str) -> Error {
    Error::new(Code::DatabaseUnreachable, format!("no connection to {url}: {why}")).hint(
        "Check host and port, and that this machine may reach it. Supabase's direct host answers on IPv6 alone: \
         without IPv6 use the session pooler's URL (port 5432).",
    )
}
