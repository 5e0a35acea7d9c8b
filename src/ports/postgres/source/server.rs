//! Facts about the server that a backup records or depends on.

use super::super::Session;
use crate::error::Result;

#[derive(Debug, Clone)]
pub struct Server {
    pub version: String,
    pub encoding: String,
    pub timeline: u32,
    pub postmaster_started_at: String,
    pub snapshot: String,
    pub lsn: String,
}

/// One round trip; call it inside the backup's snapshot.
pub async fn server(session: &Session) -> Result<Server> {
    let row = session
        .query_one(
            "reading facts about the server",
            "SELECT current_setting('server_version'), current_setting('server_encoding'), \
             pg_postmaster_start_time()::text, pg_current_snapshot()::text, l.lsn::text, \
             CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint()) \
                  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END \
             FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
                   ELSE pg_current_wal_lsn() END) l(lsn)",
            &[],
        )
        .await?;
    Ok(Server {
        version: row.get(0),
        encoding: row.get(1),
        postmaster_started_at: row.get(2),
        snapshot: row.get(3),
        lsn: row.get(4),
        timeline: row.get::<_, i32>(5).cast_unsigned(),
    })
}

/// Room in the server's lock table.
#[derive(Debug, Clone, Copy)]
pub struct LockRoom {
    /// Objects that can be locked at the same time, over all sessions.
    pub objects: u64,
    pub used: u64,
    pub per_transaction: u64,
}

impl LockRoom {
    pub fn free(&self) -> u64 {
        self.objects.saturating_sub(self.used)
    }
}

/// The lock table holds `max_locks_per_transaction` for every process that the server can start
/// (`NLOCKENTS` in src/backend/storage/lmgr/lock.c). It is shared by all sessions.
pub async fn lock_room(session: &Session) -> Result<LockRoom> {
    let row = session
        .query_one(
            "reading the size of the lock table",
            "SELECT current_setting('max_locks_per_transaction')::bigint, \
             current_setting('max_connections')::bigint + current_setting('autovacuum_max_workers')::bigint + 1 \
             + current_setting('max_worker_processes')::bigint + current_setting('max_wal_senders')::bigint \
             + current_setting('max_prepared_transactions')::bigint, \
             (SELECT count(*) FROM pg_locks)",
            &[],
        )
        .await?;
    let number = |i: usize| row.get::<_, i64>(i).unsigned_abs();
    Ok(LockRoom {
        objects: number(0) * number(1),
        used: number(2),
        per_transaction: number(0),
    })
}
