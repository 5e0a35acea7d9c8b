//! What a session reached, or why it reached nothing.

use super::super::error::{STANDBY, from_postgres};
use super::DatabaseUrl;
use crate::error::{Code, Error, Result};
use tokio_postgres::Client;

/// Which server and database a session really reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub database: String,
    pub system_identifier: String,
    /// As `server_version_num`.
    pub version: u32,
}

/// Whether the database lets somebody write who does not insist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesWrites {
    Yes,
    /// Sessions begin read-only: on Supabase this keeps a disk from filling up that is nearly full.
    SwitchedOff,
    /// A standby, which nobody can write to.
    Never,
}

impl TakesWrites {
    pub fn require(self, url: &DatabaseUrl) -> Result<()> {
        match self {
            Self::Never => Err(Error::new(
                Code::DatabaseReadOnly,
                format!("{url} is a standby, which takes no writes"),
            )
            .hint(STANDBY)),
            Self::SwitchedOff if !url.even_read_only => Err(Error::new(
                Code::NoSpace,
                format!("{url} is switched to read-only (default_transaction_read_only is on)"),
            )
            .hint(
                "Supabase does this when the disk is nearly full: to write now could fill it and stop the database. Add \
                 disk space or free some first, and it is switched back. Where it is on for another reason, say \
                 --even-read-only.",
            )),
            _ => Ok(()),
        }
    }
}

/// Which database this is, its encoding, and whether it takes writes. What our own SET overrides is in `reset_val`.
pub async fn identify(client: &Client, doing: &str) -> Result<(Identity, String, TakesWrites)> {
    let row = client
        .query_one(
            "SELECT current_database()::text, (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), \
             current_setting('server_version_num')::int, current_setting('server_encoding'), \
             pg_catalog.pg_is_in_recovery(), \
             (SELECT reset_val = 'on' FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only')",
            &[],
        )
        .await
        .map_err(|e| from_postgres(doing, e))?;
    let identity = Identity {
        database: row.get(0),
        system_identifier: row.get(1),
        version: row.get::<_, i32>(2).unsigned_abs(),
    };
    let takes_writes = match (row.get(4), row.get(5)) {
        (true, _) => TakesWrites::Never,
        (false, true) => TakesWrites::SwitchedOff,
        (false, false) => TakesWrites::Yes,
    };
    Ok((identity, row.get(3), takes_writes))
}

pub fn cannot_connect(url: &DatabaseUrl, error: tokio_postgres::Error) -> Error {
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

pub fn unreachable(url: &DatabaseUrl, why: &str) -> Error {
    Error::new(Code::DatabaseUnreachable, format!("no connection to {url}: {why}")).hint(
        "Check host and port, and that this machine may reach it. Supabase's direct host answers on IPv6 alone: \
         without IPv6 use the session pooler's URL (port 5432).",
    )
}
