//! The merge: one transaction that locks, decides by what is there under the lock, writes and rechecks.

use super::work::{Seen, Work};
use super::{checks, compare, hold, recheck, references, staging, tenant};
use crate::core::counted::counted;
use crate::core::merge::apply::{self, Counts};
use crate::core::merge::{Unit, compare as sql, foreign_keys, relation};
use crate::core::progress::Stage;
use crate::core::restore_plan::refuse;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::Session;
use crate::ports::postgres::target::{self, Fires, TargetTable, TargetTrigger};
use crate::tasks::Context;
use std::collections::HashMap;
use std::time::Duration;

/// Writers queue behind a lock that is waited for: short waits, and many of them. Each is shorter than the second after
/// which the server looks for deadlocks, so that we give way and not the app.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '500ms'";
const LOCK_TRIES: u64 = 30;
/// Milliseconds between two of them, at most.
const LONGEST_PAUSE: u64 = 1000;

/// What was written, by unit; nothing is committed yet.
pub type Done = HashMap<i32, Counts>;

/// Opens the transaction and locks every table. Another session's lock is waited for in short turns.
pub async fn lock(ctx: &Context, work: &Work) -> Result<()> {
    let mut units: Vec<_> = work.merged().map(|(_, u)| u).collect();
    // Everybody takes locks in the same order.
    units.sort_by_key(|u| u.oid);
    let list: Vec<_> = units
        .iter()
        .map(|u| relation(&u.table, u.partitioned))
        .collect();
    // The mode of any writer keeps the tables' shape, and none of them waits for it.
    let mode = match work.rows_alone {
        true => "ROW EXCLUSIVE",
        false => "SHARE ROW EXCLUSIVE",
    };
    let lock = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; {LOCK_WAIT}; SET LOCAL synchronous_commit = on; LOCK TABLE {} IN {mode} MODE",
        list.join(", ")
    );
    let mut turn = 1;
    loop {
        match work.session.batch("locking the tables", &lock).await {
            Err(e) if e.code == Code::LockTimeout && turn < LOCK_TRIES => {
                work.session.batch("ending a turn", "ROLLBACK").await?;
                if turn == 1 {
                    ctx.progress
                        .notice("Another session holds a lock on these tables; waiting for it.");
                }
                // Never in step with another waiter.
                let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]) * 2;
                tokio::time::sleep(Duration::from_millis(
                    (100 * turn).min(LONGEST_PAUSE) + jitter,
                ))
                .await;
                turn += 1;
            }
            done => return done,
        }
    }
}

/// The tables as they are under the lock; refuses where they are not what was planned for.
pub async fn unchanged(work: &Work) -> Result<Vec<TargetTable>> {
    let oids: Vec<u32> = work.units.iter().map(|u| u.oid).collect();
    let doing = "looking at the tables under the lock";
    // Types and expressions print as they did before, whatever the target's search_path.
    work.session
        .batch(doing, "SAVEPOINT looking; SET LOCAL search_path = ''")
        .await?;
    let mut by_oid: HashMap<u32, TargetTable> = target::tables(&work.session, &oids)
        .await?
        .into_iter()
        .map(|t| (t.oid, t))
        .collect();
    let keys = target::foreign_keys(&work.session, &oids).await?;
    work.session
        .batch(doing, "ROLLBACK TO looking; RELEASE looking")
        .await?;
    let now: Vec<_> = work
        .units
        .iter()
        .filter_map(|u| by_oid.remove(&u.oid))
        .collect();
    let differs = |(then, now): (&TargetTable, &TargetTable)| {
        let now = TargetTable {
            files: then.files.clone(),
            ..now.clone()
        };
        then.files.keys().ne(now.files.keys()) || *then != now
    };
    let changed = now.len() != work.units.len()
        || keys != work.keys
        || std::iter::zip(&work.targets, &now).any(differs);
    if changed {
        return Err(Error::new(
            Code::SchemaDrift,
            "the target's tables were altered while the restore was prepared",
        )
        .hint("Start the restore again.")
        .retry(true));
    }
    Ok(now)
}

/// Keeps triggers from changing what is written, until [`unsilence`].
pub async fn silence(work: &Work) -> Result<()> {
    let mut steps: Vec<String> = firing(work).map(|t| switch(t, "DISABLE TRIGGER")).collect();
    if work.rights.replica_role {
        steps.push("SET LOCAL session_replication_role = replica".into());
    }
    work.session
        .batch("silencing triggers", &steps.join("; "))
        .await
}

/// Puts triggers back as they were.
pub async fn unsilence(work: &Work) -> Result<()> {
    let steps: Vec<String> = firing(work)
        .map(|t| {
            switch(
                t,
                match t.fires {
                    Fires::Origin => "ENABLE TRIGGER",
                    Fires::Replica => "ENABLE REPLICA TRIGGER",
                    Fires::Always => "ENABLE ALWAYS TRIGGER",
                },
            )
        })
        .collect();
    work.session
        .batch("putting triggers back", &steps.join("; "))
        .await
}

fn firing(work: &Work) -> impl Iterator<Item = &TargetTrigger> {
    let tables = work.merged().map(|(index, _)| &work.targets[index]);
    tables
        .flat_map(|t| &t.triggers)
        .filter(|t| checks::fires(work, t))
}

fn switch(trigger: &TargetTrigger, how: &str) -> String {
    format!(
        "ALTER TABLE ONLY {} {how} {}",
        trigger.table.sql(),
        crate::core::ident::quote(&trigger.name)
    )
}

/// Decides by the live rows under the lock, looking only at what was written since the comparison.
pub async fn decide(work: &Work, now: &[TargetTable]) -> Result<()> {
    staging::verify(work).await?;
    let found = compare::counts(&work.session, &work.names.found()).await?;
    if found.values().map(Counts::total).sum::<u64>() != work.found {
        return Err(Error::new(
            Code::StagingChanged,
            "what the comparison found is not there any more",
        )
        .retry(true));
    }
    if work.rows_alone {
        hold::settle(work, async |session| decide_on(work, &session, now).await).await?;
    } else {
        let (decided, touched) = (work.names.decided(), work.names.touched());
        let empty = format!("TRUNCATE {decided}, {touched}");
        work.session.batch("deciding", &empty).await?;
        decide_on(work, &work.session, now).await?;
    }
    check_parents(work).await
}

async fn decide_on(work: &Work, session: &Session, now: &[TargetTable]) -> Result<()> {
    // One query tells of all tables in which nothing happened: writers wait meanwhile.
    let comparable = work
        .merged()
        .filter_map(|(index, unit)| Some((unit, comparable(work, unit, &now[index])?.horizon)));
    let counted = compare::count_touched(session, &Vec::from_iter(comparable)).await?;
    let mut same = Vec::new();
    for (index, unit) in work.merged() {
        match steps(work, unit, &now[index], counted.get(&unit.number)) {
            None => same.push(unit.number),
            Some(steps) => {
                for step in steps {
                    session.batch("deciding", &step).await?;
                }
            }
        }
    }
    if !same.is_empty() {
        let sql = sql::keep_found(&work.names, &same);
        session.batch("deciding", &sql).await?;
    }
    if let Some(scope) = &work.scope {
        tenant::limit(work, session, scope, &work.names.decided()).await?;
    }
    Ok(())
}

/// Holds the parents outside the merge, and leaves out or refuses rows that would have none.
async fn check_parents(work: &Work) -> Result<()> {
    hold_parents(work).await?;
    let decided = work.names.decided();
    if work.leave_out {
        references::leave_out(work, &work.session, &decided).await?;
        return Ok(());
    }
    refuse(&references::missing(work, &work.session, &decided).await?)
}

/// Holds the parents outside the merge.
pub async fn hold_parents(work: &Work) -> Result<()> {
    work.session
        .batch(
            "reading statistics",
            &format!("ANALYZE {}", work.names.decided()),
        )
        .await?;
    for key in work
        .keys
        .iter()
        .filter(|k| checks::needs_parent_lock(work, k))
    {
        if let Some(child) = key.child_unit.map(|c| &work.units[c])
            && key.columns.iter().all(|c| child.has_column(c))
        {
            let doing = format!("holding rows of {}", key.parent);
            work.session
                .query(
                    &doing,
                    &foreign_keys::lock_parents(&work.names, key, child),
                    &[],
                )
                .await?;
        }
    }
    Ok(())
}

/// What the comparison saw of a unit, where it can be brought up to date. One tenant's rows are few, and what was found
/// was cut down to them. A rewritten table has its rows elsewhere.
fn comparable<'a>(work: &'a Work, unit: &Unit, now: &TargetTable) -> Option<&'a Seen> {
    let seen = work.seen.get(&unit.number)?;
    (work.scope.is_none() && seen.files == now.files).then_some(seen)
}

/// The statements that decide on a unit, or `None` where what was found holds.
fn steps(
    work: &Work,
    unit: &Unit,
    now: &TargetTable,
    counted: Option<&(i64, i64)>,
) -> Option<Vec<String>> {
    let again = || {
        let into = work.names.decided();
        Some(vec![sql::full(
            &work.names,
            unit,
            unit.mode(work.mode),
            &into,
        )])
    };
    let (Some(seen), Some((old, touched))) = (comparable(work, unit, now), counted) else {
        return again();
    };
    // Rows that the comparison saw as touched may have vanished unseen.
    let vanished = *old != seen.old || seen.touched > 0;
    if *touched == 0 && !vanished && !work.leave_out {
        return None;
    }
    // What was left out for want of a parent may have one now.
    if unit.key.is_empty() || work.leave_out {
        return again();
    }
    let mut steps = Vec::new();
    if *touched > 0 {
        steps.push(sql::note_touched(&work.names, unit, seen.horizon));
        steps.push(format!("ANALYZE {}", work.names.touched()));
    }
    steps.extend(sql::refine(
        &work.names,
        unit,
        unit.mode(work.mode),
        seen.horizon,
        vanished,
    ));
    Some(steps)
}

/// Writes what was decided and rechecks it.
pub async fn write(ctx: &Context, work: &Work) -> Result<Done> {
    let counts = compare::counts(&work.session, &work.names.decided()).await?;
    let total: u64 = counts.values().map(Counts::total).sum();
    if total == 0 {
        return Ok(counts);
    }
    let session = &work.session;
    session
        .batch("creating the undo schema", &apply::create_undo(&work.names))
        .await?;
    let units: Vec<&Unit> = work
        .parents_first()
        .filter(|u| counts.contains_key(&u.number))
        .collect();
    for unit in &units {
        session
            .batch(
                &format!("keeping rows of {}", unit.table),
                &apply::keep(&work.names, unit),
            )
            .await?;
    }
    for unit in units.iter().rev() {
        run(work, unit, "removing", &apply::delete(&work.names, unit)).await?;
    }
    for unit in &units {
        let mut written = 0;
        if let Some(update) = apply::update(&work.names, unit) {
            written += run(work, unit, "changing", &update).await?;
        }
        for insert in apply::insert(&work.names, unit) {
            written += run(work, unit, "adding", &insert).await?;
        }
        let counts = &counts[&unit.number];
        if written != counts.add + counts.change {
            return Err(Error::new(
                Code::Internal,
                format!(
                    "{} of {} written where the decision was to write {}",
                    counted(written, "row"),
                    unit.table,
                    counts.add + counts.change
                ),
            ));
        }
        ctx.progress.add(&unit.table.to_string(), counts.total(), 0);
    }
    ctx.progress.stage(Stage::ForeignKeys, 0);
    recheck::recheck(work, &counts).await?;
    Ok(counts)
}

async fn run(work: &Work, unit: &Unit, doing: &str, sql: &str) -> Result<u64> {
    work.session
        .execute(&format!("{doing} rows of {}", unit.table), sql, &[])
        .await
}
