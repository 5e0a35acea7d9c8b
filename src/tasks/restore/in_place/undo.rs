//! Undo: the rows that a restore kept go back, those that changed since are left to people. An undo keeps what it
//! changes as well, so it can be undone.

use super::commit::{self, Record};
use super::merge::{self, Done};
use super::operations::{self, Operation};
use super::work::{Work, lead, look_on};
use super::{checks, hold, references, refresh, shapes, statistics, told};
use crate::core::counted::counted;
use crate::core::ident::QName;
use crate::core::manifest::Codec;
use crate::core::merge::apply::Counts;
use crate::core::merge::{Names, Unit, stage, undo as sql};
use crate::core::progress::Stage;
use crate::core::restore_plan::{Mode, Outcome, refuse};
use crate::error::{Code, Error, Result};
use crate::ports::postgres::target;
use crate::ports::postgres::{DatabaseUrl, Session};
use crate::tasks::Context;
use crate::tasks::backups::short_id;
use futures_util::FutureExt;
use std::collections::HashMap;
use uuid::Uuid;

/// Where nobody says.
const UNDO_DAYS: u32 = 7;

/// What is asked of an undo.
#[derive(Debug, Clone, Copy)]
pub struct UndoRequest {
    /// The restore, or the undo, that is reversed.
    pub reverses: Uuid,
    /// Given where the undo's id was promised, by which [`super::was_done`] knows it; else a new id.
    pub operation: Option<Uuid>,
    /// Decides and tells, and changes nothing.
    pub dry_run: bool,
    /// Rows are left alone that changed since, that others refer to by now, or whose parents are gone; else they are refused.
    pub leave_changed: bool,
    /// Days that what the undo changes is kept, to be undone in turn.
    pub undo_days: u32,
}

impl UndoRequest {
    /// Reverses all of it, under an id of its own.
    pub fn of(reverses: Uuid) -> Self {
        Self {
            reverses,
            operation: None,
            dry_run: false,
            leave_changed: false,
            undo_days: UNDO_DAYS,
        }
    }
}

/// Reverses a restore. Refuses with [`Code::UndoConflict`], naming rows, where some changed since.
pub async fn undo(ctx: &Context, target: &DatabaseUrl, request: UndoRequest) -> Result<Outcome> {
    reverse(ctx, target, request).boxed().await
}

async fn reverse(ctx: &Context, target: &DatabaseUrl, request: UndoRequest) -> Result<Outcome> {
    let (operation, dry_run) = (request.reverses, request.dry_run);
    ctx.progress.stage(Stage::Connect, 0);
    let session = match dry_run {
        true => ctx.or_cancelled(look_on(target)).await?,
        false => ctx.or_cancelled(lead(target, request.operation)).await?,
    };
    let (reversed, record) = find(target, &session, operation).await?;
    if !dry_run {
        operations::clear(target, &session, None).await;
    }
    let own = request.operation.unwrap_or_else(Uuid::now_v7);
    let mut work = open(target, session, &reversed, own).await?;
    (work.leave_out, work.dry_run) = (request.leave_changed, dry_run);
    work.undo_days = request.undo_days;
    checks::beforehand(&work).await?;
    let stamp = match dry_run {
        true => format!("{} of an undo of {operation}", operations::DRY_RUN),
        false => format!("rovodev undo of {operation}"),
    };
    let prepare = format!(
        "BEGIN; {}; COMMIT",
        stage::create_schema(&work.names, &stamp)
    );
    work.session
        .batch("creating the staging schema", &prepare)
        .await?;
    let done = run(ctx, &mut work, &record).await;
    let mut warnings = Vec::from_iter(told::left_out(&work));
    if let Ok((done, changed)) = &done {
        warnings.extend(told::left_changed(
            changed,
            !done.is_empty() && !dry_run,
            &work,
        ));
    }
    let done = done.map(|(done, _)| done);
    if let (Ok(done), false) = (&done, dry_run) {
        let changed: Vec<i32> = done.keys().copied().collect();
        warnings.extend(refresh::refresh(ctx, &work, &changed).await);
    }
    ctx.progress.stage(Stage::Finish, 0);
    work.clean().await;
    let tables = work.merged().count() as u64;
    let mut outcome = commit::outcome(&work, &record, &done?, tables, warnings);
    if dry_run {
        outcome.undo_schema = None;
    }
    Ok(outcome)
}

async fn find(
    target: &DatabaseUrl,
    session: &Session,
    operation: Uuid,
) -> Result<(Operation, Record)> {
    let all = operations::list(session).await?;
    let Some(found) = all.iter().find(|o| o.id == operation) else {
        return Err(operations::not_found(target, &operation.to_string()));
    };
    if let Some(by) = operations::undone_by(&all, operation) {
        return Err(Error::new(
            Code::UndoConflict,
            format!("restore {} was undone already", short_id(operation)),
        )
        .hint(format!(
            "To bring the restore back, reverse that undo: `rovodev restore --undo {}`.",
            short_id(by.id)
        )));
    }
    let mode = serde_json::from_value(serde_json::Value::String(found.mode.clone()))
        .unwrap_or(Mode::Exact);
    let record = Record {
        backup: found.backup,
        backup_name: found.backup_name.clone(),
        safety: found.safety,
        mode,
        scope: found.scope.clone(),
    };
    Ok((found.clone(), record))
}

/// The units as the restore recorded them, and the tables as they are now.
async fn open(
    target: &DatabaseUrl,
    session: Session,
    reversed: &Operation,
    own: Uuid,
) -> Result<Work> {
    let doing = "reading what the restore kept";
    let mut units = operations::units(&session, reversed.id).await?;
    let rights = target::rights(&session).await?;
    session
        .batch(doing, "BEGIN; SET LOCAL search_path = ''")
        .await?;
    let names = Names::undo_of(reversed.id, own);
    let targets = shapes::find(&session, &names, &mut units).await?;
    let oids: Vec<u32> = units.iter().map(|u| u.oid).collect();
    let keys = target::foreign_keys(&session, &oids).await?;
    session.batch(doing, "ROLLBACK").await?;
    Ok(Work {
        target: target.clone(),
        identity: session.identity.clone(),
        session,
        names,
        mode: Mode::Exact,
        leave_out: false,
        writers: 1,
        room: None,
        codec: Codec::None,
        sources: units.iter().map(|_| Vec::new()).collect(),
        units,
        targets,
        keys,
        rights,
        scope: None,
        rows_alone: reversed.scope.is_some(),
        of_one_tenant: false,
        backed_up: Default::default(),
        dry_run: false,
        seen: Default::default(),
        found: 0,
        left_out: 0,
        undo_days: UNDO_DAYS,
        undo_until: None,
        stamp: None,
    })
}

/// What was done, and the rows of each table that were left because they changed since.
async fn run(ctx: &Context, work: &mut Work, record: &Record) -> Result<(Done, Vec<(QName, u64)>)> {
    work.session
        .cancellable(&ctx.cancel, statistics::gather(work).boxed())
        .await?;
    let mut waits = 0;
    loop {
        match run_once(ctx, work, record).await {
            Err(e) if hold::again(ctx, work, &e, &mut waits).await? => {}
            done => return done,
        }
    }
}

async fn run_once(
    ctx: &Context,
    work: &mut Work,
    record: &Record,
) -> Result<(Done, Vec<(QName, u64)>)> {
    let shared = &*work;
    let transaction = async {
        ctx.progress.stage(Stage::Merge, 0);
        if shared.dry_run {
            shared
                .session
                .batch("starting the dry run", "BEGIN")
                .await?;
        } else {
            merge::lock(ctx, shared).await?;
            merge::unchanged(shared).await?;
            merge::silence(shared).await?;
        }
        let changed = match shared.rows_alone && !shared.dry_run {
            true => hold::settle(shared, async |session| decide(shared, &session).await).await?,
            false => decide(shared, &shared.session).await?,
        };
        if !shared.dry_run {
            merge::hold_parents(shared).await?;
        }
        let left_out = settle(shared).await?;
        if shared.dry_run {
            let counts = super::compare::counts(&shared.session, &shared.names.decided()).await?;
            return Ok((counts, left_out, changed, None));
        }
        let done = merge::write(ctx, shared).await?;
        merge::unsilence(shared).await?;
        let until = commit::record(shared, record, &done).await?;
        Ok((done, left_out, changed, until))
    };
    let (done, left_out, changed, until) = shared
        .session
        .cancellable(&ctx.cancel, transaction.boxed())
        .await?;
    (work.left_out, work.undo_until) = (left_out, until);
    if work.dry_run {
        work.session.batch("ending the dry run", "ROLLBACK").await?;
    } else {
        commit::commit(work, !done.is_empty()).await?;
    }
    Ok((done, changed))
}

/// Refuses to break references; or else leaves the rows concerned as they are, and returns how many.
async fn settle(work: &Work) -> Result<u64> {
    let decided = work.names.decided();
    if !work.leave_out {
        refuse(&references::broken(work, &work.session, &decided).await?)?;
        return Ok(0);
    }
    let mut left = 0;
    loop {
        let before = left;
        left += references::leave_out(work, &work.session, &decided).await?;
        left += references::keep_referred(work, &decided).await?;
        if left == before {
            return Ok(left);
        }
    }
}

/// Decides what goes back. Rows that changed since are refused, or else counted per table.
async fn decide(work: &Work, session: &Session) -> Result<Vec<(QName, u64)>> {
    let mut expected = HashMap::new();
    for (_, unit) in work.merged() {
        let doing = format!("comparing {} with what the restore left", unit.table);
        for step in sql::decide(&work.names, unit) {
            session.batch(&doing, &step).await?;
        }
        let count: i64 = session
            .query_one(&doing, &sql::expected(&work.names, unit), &[])
            .await?
            .get(0);
        expected.insert(unit.number, count.unsigned_abs());
    }
    let decided = super::compare::counts(session, &work.names.decided()).await?;
    let (mut changed, mut told) = (Vec::new(), Vec::new());
    for (_, unit) in work.merged() {
        let total = decided.get(&unit.number).map_or(0, Counts::total);
        let rows = expected[&unit.number].saturating_sub(total);
        if rows > 0 {
            changed.push((unit.table.clone(), rows));
        }
        if rows > 0 && !work.leave_out {
            told.push(format!(
                "{} of {} ({})",
                counted(rows, "row"),
                unit.table,
                show(work, session, unit).await?
            ));
        }
    }
    if told.is_empty() {
        return Ok(changed);
    }
    Err(Error::new(
        Code::UndoConflict,
        format!("rows changed since the restore: {}", told.join("; ")),
    )
    .hint("Undo the other rows alone with --leave-changed, or change these back first."))
}

async fn show(work: &Work, session: &Session, unit: &Unit) -> Result<String> {
    let Some(sql) = sql::changed_since(&work.names, unit) else {
        return Ok("a table without a primary key".into());
    };
    let rows = session.query("listing changed rows", &sql, &[]).await?;
    Ok(rows
        .iter()
        .map(|r| r.get::<_, String>(0))
        .collect::<Vec<_>>()
        .join("; "))
}
