//! Restoring in place: rows are staged beside the live tables, compared, and merged in one transaction.
//!
//! [`prepare`] leaves live tables alone and answers with a [`Plan`]; [`Prepared::apply`] merges. A restore that dies
//! at any moment leaves live data as it was or as it shall be: the schema `undo_<operation>` exists exactly if the
//! merge was committed. What else it leaves is a schema `staging_<operation>`, which the next restore drops or takes up.

mod checks;
mod commit;
mod compare;
mod expiry;
mod hold;
mod merge;
mod operations;
mod reach;
mod recheck;
mod references;
mod refresh;
pub(super) mod room;
mod select;
mod sequences;
mod shapes;
mod staging;
mod statistics;
mod tenant;
mod told;
mod undo;
mod work;

pub use expiry::drop_expired;
pub use operations::{
    Operation, drop_leftovers, find_operation, forget, not_found, operations, undoable, undone_by,
    was_done,
};
pub use refresh::refresh_after;
pub use undo::{UndoRequest, undo};

use self::commit::Record;
use self::merge::Done;
use self::work::Work;
use super::RestoreRequest;
use crate::core::ident::QName;
use crate::core::manifest::{Manifest, Warning};
use crate::core::merge::Names;
use crate::core::progress::Stage;
use crate::core::restore_plan::{Outcome, Plan};
use crate::error::{Code, Result};
use crate::ports::postgres::target;
use crate::ports::store::Store;
use crate::tasks::Context;
use crate::tasks::segments::explained;
use futures_util::FutureExt;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Times that a broken connection is taken up again.
const RECONNECTS: u32 = 2;

/// A restore that is staged and compared. Dropping it leaves the staging schema behind: [`Prepared::discard`] it.
pub struct Prepared {
    work: Work,
    plan: Plan,
    request: RestoreRequest,
    store: Store,
    record: Record,
}

/// Stages and compares. `safety` is the backup that was taken before, if any; the record of the restore names it.
pub async fn prepare(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    safety: Option<Uuid>,
) -> Result<Prepared> {
    stage(ctx, store, request, safety, false).await
}

/// What [`prepare`] would plan, without keeping a restore from running meanwhile. Leaves nothing behind.
pub async fn plan(ctx: &Context, store: &Store, request: &RestoreRequest) -> Result<Plan> {
    let prepared = stage(ctx, store, request, None, true).await?;
    let plan = prepared.plan.clone();
    prepared.discard().await?;
    Ok(plan)
}

/// What a person should know before a row is compared.
struct Told {
    warnings: Vec<Warning>,
    notes: Vec<Warning>,
}

/// Refuses at once what [`prepare`] would refuse, as far as that shows without a row of the backup. Writes nothing,
/// so that a refused restore needs no safety backup.
pub async fn check(ctx: &Context, request: &RestoreRequest) -> Result<()> {
    ready(ctx, request, true).await.map(drop)
}

/// The target is read, and nothing that is known by now speaks against the restore.
async fn ready(ctx: &Context, request: &RestoreRequest, dry_run: bool) -> Result<(Work, Told)> {
    ctx.progress.stage(Stage::Connect, 0);
    let (work, told) = ctx.or_cancelled(open(request, dry_run).boxed()).await?;
    ctx.progress.stage(Stage::Plan, 0);
    ctx.or_cancelled(checks::beforehand(&work)).await?;
    room::check(room::staging(&work), request.room)?;
    Ok((work, told))
}

async fn stage(
    ctx: &Context,
    store: &Store,
    request: &RestoreRequest,
    safety: Option<Uuid>,
    dry_run: bool,
) -> Result<Prepared> {
    let (work, told) = ready(ctx, request, dry_run).await?;
    let record = Record {
        backup: request.backup.id,
        backup_name: request.backup.name.clone(),
        safety,
        mode: request.mode,
        scope: work.scope.clone(),
    };
    let plan = empty_plan(&work, request, told);
    let mut prepared = Prepared {
        work,
        plan,
        request: request.clone(),
        store: store.clone(),
        record,
    };
    // Boxed: the futures below are deep, and a door should not have to know.
    match prepared.stage_and_compare(ctx).boxed().await {
        Ok(()) => Ok(prepared),
        Err(e) => {
            prepared.work.clean().await;
            let unharmed = Some("the live tables are as they were");
            Err(explained(e, &request.backup, unharmed))
        }
    }
}

/// Connects, takes the lock and reads what there is to know about the target.
async fn open(request: &RestoreRequest, dry_run: bool) -> Result<(Work, Told)> {
    let session = match dry_run {
        true => work::look_on(&request.target).await?,
        false => work::lead(&request.target, request.operation).await?,
    };
    let rights = target::rights(&session).await?;
    let doing = "reading the target";
    // Types and expressions print qualified, whatever the target's search_path.
    session
        .batch(doing, "BEGIN; SET LOCAL search_path = ''")
        .await?;
    let selected = select::select(&session, &request.backup, &request.choice).await?;
    let oids: Vec<u32> = selected.units.iter().map(|u| u.oid).collect();
    let keys = target::foreign_keys(&session, &oids).await?;
    session.batch(doing, "ROLLBACK").await?;
    let (taken_over, stamp) = match dry_run {
        true => (None, format!("{} of a restore", operations::DRY_RUN)),
        false => {
            let stamp = staging::stamp(&request.backup, &selected.units)?;
            // A promised operation takes up its own staging alone.
            let taken_over = staging::interrupted(&session, &stamp)
                .await?
                .filter(|found| request.operation.is_none_or(|promised| promised == *found));
            operations::clear(&request.target, &session, taken_over).await;
            expiry::clear(&session).await;
            (taken_over, stamp)
        }
    };
    let operation = taken_over
        .or(request.operation)
        .unwrap_or_else(Uuid::now_v7);
    let told = Told {
        warnings: selected.warnings,
        notes: Vec::from_iter(checks::another_source(&session.identity, &request.backup)),
    };
    let work = Work {
        target: request.target.clone(),
        identity: session.identity.clone(),
        session,
        names: Names::restore(operation),
        mode: request.mode,
        leave_out: request.leave_out_orphans,
        writers: request.writers.max(1),
        room: request.room,
        codec: request.backup.codec,
        units: selected.units,
        targets: selected.targets,
        sources: selected.sources,
        keys,
        rights,
        rows_alone: selected.scope.is_some(),
        scope: selected.scope,
        of_one_tenant: request.backup.selection.scope.is_some(),
        backed_up: backed_up(&request.backup),
        dry_run,
        seen: Default::default(),
        found: 0,
        left_out: 0,
        undo_days: request.undo_days,
        undo_until: None,
        stamp: taken_over.is_none().then_some(stamp),
    };
    Ok((work, told))
}

fn backed_up(backup: &Manifest) -> BTreeSet<QName> {
    let each = backup.tables.iter();
    each.flat_map(|t| std::iter::once(&t.name).chain(&t.partition_root))
        .cloned()
        .collect()
}

fn empty_plan(work: &Work, request: &RestoreRequest, told: Told) -> Plan {
    Plan {
        operation: work.names.operation,
        backup: request.backup.id,
        backup_name: request.backup.name.clone(),
        backup_taken_at: request.backup.started_at,
        target: request.target.to_string(),
        mode: Some(request.mode),
        scope: work.scope.clone(),
        tables: Vec::new(),
        objects_to_create: 0,
        schemas_to_drop: Vec::new(),
        broken_references: Vec::new(),
        locks: vec![told::locks(&work.scope, work.merged().count() as u64)],
        bytes_needed: 0,
        bytes_free: request.room,
        estimated_seconds: 0,
        undo_days: Some(request.undo_days),
        warnings: told.warnings,
        notes: told.notes,
    }
}

impl Prepared {
    /// What would be done. Live rows may still change until [`Prepared::apply`], which decides by what is there then.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Merges, in one transaction; refuses where the plan names references that it would break. Staging is gone
    /// afterwards, whatever the outcome.
    pub async fn apply(mut self, ctx: &Context) -> Result<Outcome> {
        let merged = match self.plan.refuse_broken() {
            Ok(()) => self.merge(ctx).boxed().await,
            Err(refused) => Err(refused),
        };
        match merged {
            Ok((done, mut warnings)) => {
                let changed: Vec<i32> = done
                    .iter()
                    .filter(|(_, c)| c.total() > 0)
                    .map(|(n, _)| *n)
                    .collect();
                warnings.extend(refresh::refresh(ctx, &self.work, &changed).await);
                ctx.progress.stage(Stage::Finish, 0);
                self.work.clean().await;
                Ok(commit::outcome(
                    &self.work,
                    &self.record,
                    &done,
                    self.plan.tables.len() as u64,
                    [self.plan.warnings, warnings].concat(),
                ))
            }
            Err(e) => {
                self.work.clean().await;
                Err(e)
            }
        }
    }

    /// Drops staging; live tables were never touched.
    pub async fn discard(mut self) -> Result<()> {
        self.work.clean().await;
        Ok(())
    }

    async fn stage_and_compare(&mut self, ctx: &Context) -> Result<()> {
        if let Some(stamp) = self.work.stamp.take() {
            staging::create(&self.work, &stamp).await?;
        }
        staging::load(ctx, &self.store, &self.work).await?;
        let compared = compare::compare(ctx, &mut self.work).await?;
        let mut tables = compared.tables;
        self.plan.broken_references = compared.broken;
        self.plan.notes.retain(|n| n.code != "shared_rows_differ");
        self.plan.notes.extend(compared.shared);
        let staged = staging::staged_bytes(&self.work, &self.work.session).await?;
        self.plan.bytes_needed = staged + room::merge(&self.work, &tables).await?;
        self.plan.estimated_seconds = room::seconds(&self.work, &tables);
        let units = self.work.merged().map(|(_, unit)| unit.number);
        let changed = units
            .zip(&tables)
            .filter(|(_, t)| t.add + t.change + t.remove > 0);
        let changed = Vec::from_iter(changed.map(|(number, _)| number));
        self.plan.locks.truncate(1);
        self.plan
            .locks
            .extend(refresh::locks(&self.work, &changed).await?);
        if self.work.scope.is_some() {
            tables.retain(|t| t.rows_in_backup + t.add + t.change + t.remove > 0);
        }
        self.plan.tables = tables;
        self.plan.warnings.retain(|w| w.code != "rows_left_out");
        self.plan.warnings.extend(told::left_out(&self.work));
        room::check(self.plan.bytes_needed, self.request.room)
    }

    /// Tries again where the connection broke, and stages again, once, where the database lost what was staged.
    async fn merge(&mut self, ctx: &Context) -> Result<(Done, Vec<Warning>)> {
        let (mut reconnects, mut restaged, mut waits) = (0, false, 0);
        loop {
            let failed = match self.merge_once(ctx).await {
                Ok(done) => return Ok(done),
                Err(e) => e,
            };
            match failed.code {
                Code::ConnectionLost if reconnects < RECONNECTS => {
                    reconnects += 1;
                    ctx.progress
                        .notice("The database connection broke; connecting again.");
                    ctx.or_cancelled(self.work.reconnect()).await?;
                }
                Code::StagingChanged if !restaged => {
                    restaged = true;
                    ctx.progress
                        .notice("The database lost staged rows; staging them again.");
                    self.work
                        .session
                        .batch("ending the merge", "ROLLBACK")
                        .await?;
                    self.stage_and_compare(ctx).boxed().await?;
                }
                _ if hold::again(ctx, &self.work, &failed, &mut waits).await? => {}
                _ => return Err(failed),
            }
        }
    }

    async fn merge_once(&mut self, ctx: &Context) -> Result<(Done, Vec<Warning>)> {
        let (work, request) = (&self.work, &self.request);
        let transaction = async {
            ctx.progress.stage(Stage::Merge, 0);
            merge::lock(ctx, work).await?;
            let now = merge::unchanged(work).await?;
            merge::silence(work).await?;
            merge::decide(work, &now).await?;
            let done = merge::write(ctx, work).await?;
            merge::unsilence(work).await?;
            let warnings = match work.scope {
                Some(_) => sequences::pass_rows(work).await.map(|()| Vec::new())?,
                None => sequences::advance(&work.session, &request.backup, &request.choice).await?,
            };
            let until = commit::record(work, &self.record, &done).await?;
            Ok((done, warnings, until))
        };
        let (done, warnings, until) = work.session.cancellable(&ctx.cancel, transaction).await?;
        self.work.undo_until = until;
        commit::commit(&mut self.work, !done.is_empty()).await?;
        Ok((done, warnings))
    }
}
