//! Comparing live rows with staged ones while everybody goes on working.

use super::work::{Seen, Work};
use super::{checks, references, statistics, tenant};
use crate::core::counted::counted;
use crate::core::manifest::Warning;
use crate::core::merge::apply::Counts;
use crate::core::merge::{Unit, compare, stage};
use crate::core::progress::Stage;
use crate::core::restore_plan::{BrokenReference, TablePlan};
use crate::error::Result;
use crate::ports::postgres::Session;
use crate::tasks::Context;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, future};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Column names that tell when a row came, in order of preference.
const CREATED: &[&str] = &[
    "created_at",
    "createdAt",
    "inserted_at",
    "insertedAt",
    "created",
    "created_on",
    "date_created",
    "timestamp",
];

/// Tables of which the backup has at most this many rows are compared together, this many at a time.
const SMALL: u64 = 5_000;
const AT_ONCE: usize = 50;
/// Tables whose rows one query counts.
const COUNTED: usize = 200;

/// What a comparison found.
pub struct Compared {
    /// One per merged unit.
    pub tables: Vec<TablePlan>,
    pub broken: Vec<BrokenReference>,
    /// Of shared rows that differ and stay as they are.
    pub shared: Option<Warning>,
}

/// Finds what would change, and refuses what would fail.
pub async fn compare(ctx: &Context, work: &mut Work) -> Result<Compared> {
    ctx.progress.stage(Stage::Compare, 0);
    work.session
        .cancellable(&ctx.cancel, statistics::gather(work).boxed())
        .await?;
    let next = AtomicUsize::new(0);
    let groups = groups(work);
    let sessions = work.writers.clamp(1, groups.len().max(1));
    let each = (0..sessions).map(|_| compare_some(ctx, work, &groups, &next));
    let seen = future::try_join_all(each).await?;
    work.seen = seen.into_iter().flatten().collect();
    let (left_out, broken, shared) = match &work.scope {
        Some(_) => compare_at_once(ctx, work).await?,
        None => {
            let look = async {
                let (left_out, broken) = references(work, &work.session).await?;
                let taken = checks::taken(work, &work.session).await?;
                Ok(left_out == 0 && broken.is_empty() && taken.is_none())
            };
            match work.session.cancellable(&ctx.cancel, look.boxed()).await? {
                true => (0, Vec::new(), None),
                // Tables were compared at different moments: parents and children that came in between look parted, and
                // what was written since looks like somebody else's.
                false => compare_at_once(ctx, work).await?,
            }
        }
    };
    work.left_out = left_out;
    let counts = counts(&work.session, &work.names.found()).await?;
    work.found = counts.values().map(Counts::total).sum();
    let changes = |unit| counts.get(&unit).is_some_and(|c| c.total() > 0);
    let possible = async {
        checks::locks(work, changes).await?;
        checks::rows(work, &counts).await
    };
    work.session
        .cancellable(&ctx.cancel, possible.boxed())
        .await?;
    let tenants_rows = match work.scope {
        Some(_) => Some(tenant::staged(work).await?),
        None => None,
    };
    let mut tables = Vec::new();
    for (index, unit) in work.merged() {
        let counts = counts.get(&unit.number).copied().unwrap_or_default();
        tables.push(TablePlan {
            table: unit.table.clone(),
            rows_in_backup: match &tenants_rows {
                Some(rows) => rows.get(&unit.number).copied().unwrap_or_default(),
                None => work.source_rows(index),
            },
            add: counts.add,
            change: counts.change,
            remove: counts.remove,
            removed_between: if counts.remove > 0 {
                removed_between(work, index).await?
            } else {
                None
            },
        });
    }
    Ok(Compared {
        tables,
        broken,
        shared,
    })
}

/// Compares in one snapshot, by one session, and cuts what was found down to the tenant's rows. Where rows are written all
/// the time, the place of a row that one statement saw may hold another one for the next.
async fn compare_at_once(
    ctx: &Context,
    work: &Work,
) -> Result<(u64, Vec<BrokenReference>, Option<Warning>)> {
    let (session, found) = (work.writer().await?, work.names.found());
    let compared = async {
        let doing = "comparing rows";
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; DELETE FROM {found}");
        session.batch(doing, &begin).await?;
        for (_, unit) in work.merged() {
            let sql = compare::full(&work.names, unit, unit.mode(work.mode), &found);
            session.execute(doing, &sql, &[]).await?;
        }
        let shared = match &work.scope {
            Some(scope) => tenant::limit(work, &session, scope, &found).await?,
            None => HashMap::new(),
        };
        let (left_out, broken) = references(work, &session).await?;
        if let Some(taken) = checks::taken(work, &session).await? {
            return Err(taken);
        }
        session.batch(doing, "COMMIT").await?;
        Ok((left_out, broken, shared_stay(work, &shared)))
    };
    session.cancellable(&ctx.cancel, compared.boxed()).await
}

fn shared_stay(work: &Work, differing: &HashMap<i32, u64>) -> Option<Warning> {
    let each = work.merged().filter_map(|(_, unit)| {
        let rows = differing.get(&unit.number)?;
        Some(format!("{} of {}", counted(*rows, "row"), unit.table))
    });
    let each = Vec::from_iter(each).join(", ");
    (!each.is_empty()).then(|| Warning {
        code: "shared_rows_differ".into(),
        message: format!(
            "rows that the tenant's refer to differ from the backup and stay as they are, since others may refer to them too: \
             {each}"
        ),
    })
}

/// Rows that are left out for want of a parent, where asked for, and what would still be broken.
async fn references(work: &Work, session: &Session) -> Result<(u64, Vec<BrokenReference>)> {
    let found = work.names.found();
    session
        .batch("reading statistics", &format!("ANALYZE {found}"))
        .await?;
    let left_out = match work.leave_out {
        true => references::leave_out(work, session, &found).await?,
        false => 0,
    };
    Ok((left_out, references::broken(work, session, &found).await?))
}

/// Units that are compared in one transaction: small ones together, so that many tables do not cost a round trip each.
fn groups(work: &Work) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut open = false;
    for index in 0..work.units.len() {
        let small = work.source_rows(index) <= SMALL;
        match groups.last_mut() {
            Some(group) if open && small && group.len() < AT_ONCE => group.push(index),
            _ => groups.push(vec![index]),
        }
        open = small;
    }
    groups
}

async fn compare_some(
    ctx: &Context,
    work: &Work,
    groups: &[Vec<usize>],
    next: &AtomicUsize,
) -> Result<BTreeMap<i32, Seen>> {
    let session = work.writer().await?;
    let mut seen = BTreeMap::new();
    loop {
        let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return Ok(seen);
        };
        let prepare = |index: &usize| {
            let unit = &work.units[*index];
            let (finish, found) = (stage::finish_table(&work.names, unit), work.names.found());
            format!("{finish}; DELETE FROM {found} WHERE unit = {}", unit.number)
        };
        let prepare = Vec::from_iter(group.iter().map(prepare)).join("; ");
        let doing = format!("indexing staged rows of {}", named(work, group));
        let one = async {
            session.batch(&doing, &prepare).await?;
            if work.scope.is_none() {
                seen.extend(look(work, &session, group).await?);
            }
            Ok(())
        };
        session.cancellable(&ctx.cancel, one).await?;
        for index in group {
            let table = work.units[*index].table.to_string();
            ctx.progress.add(&table, work.source_rows(*index), 0);
        }
    }
}

fn named(work: &Work, group: &[usize]) -> String {
    let first = &work.units[group[0]].table;
    match group.len() {
        1 => first.to_string(),
        many => format!("{first} and {}", counted(many as u64 - 1, "other table")),
    }
}

/// Counts and comparisons see one snapshot.
async fn look(work: &Work, session: &Session, group: &[usize]) -> Result<Vec<(i32, Seen)>> {
    let units = group.iter().map(|index| (*index, &work.units[*index]));
    let units = Vec::from_iter(units.filter(|(_, unit)| unit.merged));
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let doing = format!("comparing {}", named(work, group));
    session
        .batch(&doing, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await?;
    let horizon = session
        .query_one(
            &doing,
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
            &[],
        )
        .await?;
    // The low half is what a row's xmin holds.
    let horizon = (horizon.get::<_, i64>(0).unsigned_abs() & u64::from(u32::MAX)) as u32;
    let asked = Vec::from_iter(units.iter().map(|(_, unit)| (*unit, horizon)));
    let counts = count_touched(session, &asked).await?;
    let full = |(_, unit): &(usize, &Unit)| {
        compare::full(&work.names, unit, unit.mode(work.mode), &work.names.found())
    };
    let all = Vec::from_iter(units.iter().map(full)).join("; ");
    session.batch(&doing, &format!("{all}; COMMIT")).await?;
    let seen = units.iter().map(|(index, unit)| {
        let (old, touched) = counts.get(&unit.number).copied().unwrap_or_default();
        let files = work.targets[*index].files.clone();
        let seen = Seen {
            horizon,
            old,
            touched,
            files,
        };
        (unit.number, seen)
    });
    Ok(seen.collect())
}

/// By unit: live rows that are older than its horizon, and the others.
pub async fn count_touched(
    session: &Session,
    units: &[(&Unit, u32)],
) -> Result<HashMap<i32, (i64, i64)>> {
    let mut counts = HashMap::new();
    for some in units.chunks(COUNTED) {
        let sql = compare::count_touched(some.iter().copied());
        let rows = session.query("counting live rows", &sql, &[]).await?;
        counts.extend(rows.iter().map(|r| (r.get(0), (r.get(1), r.get(2)))));
    }
    Ok(counts)
}

/// Decisions per unit.
pub async fn counts(session: &Session, table: &str) -> Result<HashMap<i32, Counts>> {
    let rows = session
        .query("counting decisions", &compare::count_decisions(table), &[])
        .await?;
    let number = |row: &tokio_postgres::Row, i: usize| row.get::<_, i64>(i).unsigned_abs();
    let counts = rows.iter().map(|row| {
        let counts = Counts {
            add: number(row, 1),
            change: number(row, 2),
            remove: number(row, 3),
        };
        (row.get(0), counts)
    });
    Ok(counts.collect())
}

async fn removed_between(
    work: &Work,
    index: usize,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    let dated = |name: &&&str| {
        let column = work.targets[index]
            .columns
            .iter()
            .find(|c| c.name == ***name);
        column.is_some_and(|c| c.type_name.starts_with("timestamp") || c.type_name == "date")
    };
    let Some(column) = CREATED.iter().find(dated) else {
        return Ok(None);
    };
    let sql = compare::removed_between(&work.names, &work.units[index], column);
    let row = work
        .session
        .query_one("dating rows to be removed", &sql, &[])
        .await?;
    let moment = |i: usize| {
        let seconds: Option<f64> = row.get(i);
        DateTime::from_timestamp_micros((seconds? * 1e6).round() as i64)
    };
    Ok(moment(0).zip(moment(1)))
}
