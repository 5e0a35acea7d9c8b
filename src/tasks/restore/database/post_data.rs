//! What follows the rows: indexes and keys in parallel, foreign keys, then everything else in pg_dump's order.

use super::content::Content;
use super::roles::Roles;
use super::steps::{self, IfRefused, Step, Warnings};
use super::writers::{Job, Lock, Writers};
use crate::core::ddl::{Entry, Kind, statement};
use crate::core::ident::QName;
use crate::core::progress::Stage;
use crate::error::Result;
use crate::ports::postgres::Session;
use crate::tasks::Context;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes of tables below this size are made many in one round trip.
const SMALL: u64 = 1 << 20;
const SMALL_TABLES_AT_ONCE: usize = 32;

/// The entries after the rows, by what must come before what.
pub struct PostData {
    /// Indexes, primary keys, unique and exclusion constraints of tables that hold rows.
    pub by_table: BTreeMap<QName, Vec<(Lock, Step)>>,
    /// Those of partitioned tables, and their joining to the partitions'.
    pub partitioned: Vec<Step>,
    pub foreign_keys: Vec<ForeignKey>,
    pub rest: Vec<Step>,
    /// They fire on definitions, so they come last.
    pub event_triggers: Vec<Step>,
}

pub struct ForeignKey {
    pub table: QName,
    pub constraint: String,
    pub references: QName,
    pub step: Step,
    /// Added without a look at the rows and checked later; a partitioned table takes no such key.
    pub validate_later: bool,
}

impl PostData {
    /// `managed` entries come from a schema of the platform that the target lacks: what of them fails is told.
    pub fn sort<'e>(
        pre_data: &[&Entry],
        post_data: impl Iterator<Item = (&'e Entry, bool)>,
        roles: &mut Roles,
    ) -> Self {
        let of_kind = |test: fn(&Entry) -> bool| -> BTreeSet<QName> {
            let found = pre_data.iter().filter(|e| test(e));
            found.filter_map(|e| e.table.clone()).collect()
        };
        let partitioned = of_kind(|e| {
            e.kind == Kind::Table
                && e.statements
                    .iter()
                    .any(|s| statement::has_words(s, &["PARTITION", "BY"]))
        });
        let plain = of_kind(|e| e.kind == Kind::Table);
        let mut sorted = Self {
            by_table: BTreeMap::new(),
            partitioned: Vec::new(),
            foreign_keys: Vec::new(),
            rest: Vec::new(),
            event_triggers: Vec::new(),
        };
        for (entry, managed) in post_data {
            let mut step = roles.step(entry, managed);
            match (entry.kind, &entry.table) {
                (Kind::Index | Kind::Constraint, Some(table)) if partitioned.contains(table) => {
                    sorted.partitioned.push(step);
                }
                (Kind::Index, Some(table)) if plain.contains(table) || managed => {
                    sorted.add(table, Lock::Shared, step);
                }
                (Kind::Constraint, Some(table)) if plain.contains(table) || managed => {
                    sorted.add(table, Lock::Exclusive, step);
                }
                (Kind::IndexAttach, _) => sorted.partitioned.push(step),
                (Kind::ForeignKey, Some(_)) => match foreign_key(entry, step, &partitioned) {
                    Ok(key) => sorted.foreign_keys.push(key),
                    Err(step) => sorted.rest.push(step),
                },
                // Of a materialized view, which may have been left out.
                (Kind::Index, Some(_)) => {
                    step.if_refused = IfRefused::TellOfMissing;
                    sorted.rest.push(step);
                }
                (Kind::EventTrigger, _) => sorted.event_triggers.push(step),
                _ => sorted.rest.push(step),
            }
        }
        sorted
    }

    fn add(&mut self, table: &QName, lock: Lock, step: Step) {
        self.by_table
            .entry(table.clone())
            .or_default()
            .push((lock, step));
    }
}

fn foreign_key(
    entry: &Entry,
    mut step: Step,
    partitioned: &BTreeSet<QName>,
) -> Result<ForeignKey, Step> {
    let parts = entry.table.clone().zip(entry.references()).zip(
        entry
            .statements
            .first()
            .and_then(|s| statement::word_after(s, "CONSTRAINT")),
    );
    let Some(((table, references), constraint)) = parts else {
        return Err(step);
    };
    let unchecked = statement::has_words(&step.sql, &["NOT", "VALID"]);
    let validate_later =
        !unchecked && !partitioned.contains(&table) && !partitioned.contains(&references);
    if validate_later && let Some(at) = step.sql.rfind(';') {
        step.sql.insert_str(at, " NOT VALID");
    }
    Ok(ForeignKey {
        table,
        constraint,
        references,
        step,
        validate_later,
    })
}

/// Builds indexes and keys on all connections, those of the largest tables first.
pub async fn build_indexes(
    ctx: &Context,
    writers: &Writers,
    content: &Content<'_>,
    by_table: BTreeMap<QName, Vec<(Lock, Step)>>,
    warnings: &Warnings,
) -> Result<()> {
    let bytes: BTreeMap<_, _> = content.tables().map(|t| (&t.name, t.raw_bytes)).collect();
    let total = content.raw_bytes();
    ctx.progress.stage(Stage::Indexes, total);
    let size = |table: &QName| bytes.get(table).copied().unwrap_or(0);
    let (large, small): (Vec<_>, Vec<_>) =
        by_table.into_iter().partition(|(t, _)| size(t) >= SMALL);
    let mut jobs: Vec<_> = large
        .into_iter()
        .flat_map(|(table, steps)| {
            let share = size(&table) / steps.len().max(1) as u64;
            let job = move |(lock, step)| Job {
                locks: vec![(table.clone(), lock)],
                work: (table.to_string(), share, vec![step]),
            };
            steps.into_iter().map(job).collect::<Vec<_>>()
        })
        .collect();
    jobs.sort_by_key(|job| Reverse(job.work.1));
    for tables in small.chunks(SMALL_TABLES_AT_ONCE) {
        let steps = tables
            .iter()
            .flat_map(|(_, steps)| steps.iter().map(|(_, s)| s.clone()));
        let share = tables.iter().map(|(t, _)| size(t)).sum();
        jobs.push(Job {
            work: (tables[0].0.to_string(), share, steps.collect()),
            locks: Vec::new(),
        });
    }
    let build = async |ctx: &Context, session: &Session, work: (String, u64, Vec<Step>)| {
        let (label, bytes, steps) = work;
        steps::run(ctx, session, &steps, warnings).await?;
        ctx.progress.add(&label, 0, bytes);
        Ok(())
    };
    writers.run(ctx, jobs, build).await
}
