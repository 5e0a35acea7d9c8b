//! What the steps of a restore in place share.

use super::commit::exists;
use crate::core::ident::QName;
use crate::core::manifest::{Codec, Scope, Table};
use crate::core::merge::{ForeignKey, Names, Unit, names, order, stage};
use crate::core::restore_plan::Mode;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::target::{Rights, TargetTable};
use crate::ports::postgres::{DatabaseUrl, Identity, Purpose, Session};
use crate::tasks::restore::lock::{
    claim, end_orphans, refusal, share_dry_run, share_writing, try_lock,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Hash joins of a merge in memory, without hurting a small server.
const SESSION: &str = "SET work_mem = '64MB'; SET maintenance_work_mem = '128MB'; SET jit = off";

/// How long the server may need to notice that a connection broke.
const DEAD_SESSION: Duration = Duration::from_secs(30);

const CLEANINGS: u32 = 3;

pub struct Work {
    pub target: DatabaseUrl,
    /// Holds the advisory lock and runs the merge.
    pub session: Session,
    pub identity: Identity,
    pub names: Names,
    pub mode: Mode,
    /// Rows that would break references are left out, or left as they are; else they are refused.
    pub leave_out: bool,
    pub writers: usize,
    pub room: Option<u64>,
    pub codec: Codec,
    pub units: Vec<Unit>,
    pub targets: Vec<TargetTable>,
    pub sources: Vec<Vec<Table>>,
    pub keys: Vec<ForeignKey>,
    pub rights: Rights,
    pub scope: Option<Scope>,
    /// Rows that change are held one by one, instead of their tables.
    pub rows_alone: bool,
    /// Whether the backup holds the scope's rows alone.
    pub of_one_tenant: bool,
    /// Tables that the backup holds, partitioned ones too.
    pub backed_up: BTreeSet<QName>,
    /// A dry run: works beside a restore and changes nothing.
    pub dry_run: bool,
    /// What the comparison saw, by unit.
    pub seen: BTreeMap<i32, Seen>,
    /// Decisions that the comparison found.
    pub found: u64,
    /// Present until the staging schema is created.
    pub stamp: Option<String>,
    /// Rows that were left out for want of a parent.
    pub left_out: u64,
    /// Days that what changes is kept for an undo, and from the commit on until when.
    pub undo_days: u32,
    pub undo_until: Option<DateTime<Utc>>,
}

/// A unit's live rows at the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Low half of the snapshot's xmin.
    pub horizon: u32,
    /// Rows written before that.
    pub old: i64,
    /// Rows that may have been written since.
    pub touched: i64,
    pub files: BTreeMap<u32, u32>,
}

impl Work {
    pub fn merged(&self) -> impl Iterator<Item = (usize, &Unit)> {
        self.units.iter().enumerate().filter(|(_, u)| u.merged)
    }

    /// Merged units, parents first.
    pub fn parents_first(&self) -> impl DoubleEndedIterator<Item = &Unit> {
        let order = order::parents_first(self.units.len(), &self.keys);
        let units: Vec<_> = order
            .into_iter()
            .map(|i| &self.units[i])
            .filter(|u| u.merged)
            .collect();
        units.into_iter()
    }

    pub fn source_rows(&self, unit: usize) -> u64 {
        self.sources[unit].iter().map(|t| t.rows).sum()
    }

    pub async fn writer(&self) -> Result<Session> {
        let session = Session::connect_same(&self.target, Purpose::Write, &self.identity).await?;
        session
            .batch(
                "preparing a session",
                &format!("{SESSION}; SET synchronous_commit = off"),
            )
            .await?;
        // A dry run has no leader whose end would end it.
        if !self.dry_run {
            share_writing(&session).await?;
        }
        Ok(session)
    }

    /// Drops staging, on a new connection where this one broke. A request to cancel that came late may hit the cleaning
    /// itself, so that it is tried again. What cannot be dropped now is dropped by the next restore.
    pub async fn clean(&mut self) {
        for tries_left in (0..CLEANINGS).rev() {
            let Err(e) = self.drop_staging().await else {
                return;
            };
            // What goes makes room.
            self.target = self.target.clone().even_read_only();
            let broken = e.code == Code::ConnectionLost && self.reconnect().await.is_err();
            if broken || tries_left == 0 {
                let schema = self.names.staging_schema();
                tracing::warn!("schema {schema} stays until the next restore: {e}");
                return;
            }
        }
    }

    async fn drop_staging(&self) -> Result<()> {
        self.session
            .batch("ending the transaction", "ROLLBACK")
            .await?;
        let drop = stage::drop_schema(&self.names.staging_schema());
        self.session
            .batch("dropping the staging schema", &drop)
            .await
    }

    /// Connects again after the connection broke.
    pub async fn reconnect(&mut self) -> Result<()> {
        self.session = match self.dry_run {
            true => look_on(&self.target).await?,
            false => again(&self.target, &self.identity).await?,
        };
        // The disk may have become full meanwhile.
        self.session.require_writes(&self.target)
    }
}

/// Opens a session that needs no other to wait for it.
pub async fn beside(target: &DatabaseUrl) -> Result<Session> {
    let session = Session::connect(target, Purpose::Write).await?;
    session.batch("preparing a session", SESSION).await?;
    Ok(session)
}

/// Opens the session that leads a restore; refuses beside another one. A former attempt at the same operation ends.
pub async fn lead(target: &DatabaseUrl, operation: Option<Uuid>) -> Result<Session> {
    let session = beside(target).await?;
    if let Some(operation) = operation {
        claim(&session, operation).await?;
    }
    if try_lock(&session).await? {
        end_orphans(&session).await?;
        if let Some(operation) = operation {
            refuse_twice(&session, operation).await?;
        }
        return Ok(session);
    }
    Err(refusal(&session).await?)
}

/// A former attempt may have been at its commit until this session had the lock. Done twice, a restore would take away what
/// people wrote in between; tried again, it is found done.
async fn refuse_twice(session: &Session, operation: Uuid) -> Result<()> {
    match exists(session, &names::undo_schema(operation)).await? {
        false => Ok(()),
        true => Err(Error::new(
            Code::RestoreRunning,
            format!("an attempt before this one has done restore {operation}"),
        )
        .retry(true)),
    }
}

/// Opens the session of a dry run, which needs no restore to wait for it.
pub async fn look_on(target: &DatabaseUrl) -> Result<Session> {
    let session = beside(target).await?;
    share_dry_run(&session).await?;
    Ok(session)
}

/// Leads again in the place of a session that broke: waits until the server has ended that one, so that nothing
/// of it is still under way. Whoever is about to write asks the session whether it may.
pub async fn again(target: &DatabaseUrl, identity: &Identity) -> Result<Session> {
    let target = &target.clone().even_read_only();
    let until = Instant::now() + DEAD_SESSION;
    loop {
        let tried = async {
            let session = Session::connect_same(target, Purpose::Write, identity).await?;
            session.batch("preparing a session", SESSION).await?;
            Ok((try_lock(&session).await?, session))
        };
        match tried.await {
            Ok((true, session)) => return Ok(session),
            Ok((false, _)) if Instant::now() >= until => {
                return Err(Error::new(
                    Code::ConnectionLost,
                    "the connection broke, and the server still holds on to it",
                ));
            }
            Err(e) if Instant::now() >= until || !may_pass(&e) => return Err(e),
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

/// A server that restarts refuses connections for a while.
pub fn may_pass(error: &Error) -> bool {
    matches!(
        error.code,
        Code::ConnectionLost | Code::DatabaseUnreachable | Code::PoolExhausted
    )
}
