//! One tenant's rows: those whose column holds the tenant's value, the rows below them along foreign keys
//! (where these have no such column), and whatever rows all of these refer to.
//!
//! Rows are named by `ctid`, which cannot change within the backup's snapshot. Each round follows every
//! key from the rows found in the round before, so cycles end.

use super::owners::{Owners, below};
use super::reads::{Read, What};
use super::selected::{Selected, Sized};
use super::tids::Tids;
use crate::core::fingerprint::Ctid;
use crate::core::ident::{self, literal, quote};
use crate::core::manifest::{Range, Scope};
use crate::core::segmenter::Cut;
use crate::error::{Code, Error, Result};
use crate::ports::postgres::scope_value::{require_canonical, unfit};
use crate::ports::postgres::source::{ForeignKey, foreign_keys};
use crate::ports::postgres::{Session, from_postgres};
use futures_util::{StreamExt, pin_mut};
use std::collections::{HashMap, HashSet};

/// Tables (`$1`) that have a column (`$2`), and its type there.
const COLUMN: &str = "SELECT a.attrelid, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
   WHERE a.attrelid = ANY($1) AND a.attname::text = $2 AND a.attnum > 0 AND NOT a.attisdropped";
/// Rows named in one statement.
const ROWS_AT_ONCE: usize = 20_000;

/// The rows of one table that belong to a scoped backup.
#[derive(Debug, Default)]
pub struct Scoped {
    pub rows: Tids,
    /// Whether the tenant owns them, or some of them; else they are shared rows that the tenant's rows need.
    pub owned: bool,
}

/// The tenant's rows, by the tables' places in the selection. Refuses where there are none, unless `may_be_empty`.
pub async fn closure(
    session: &Session,
    selected: &Selected,
    scope: &Scope,
    may_be_empty: bool,
) -> Result<HashMap<usize, Scoped>> {
    let place: HashMap<u32, usize> = selected
        .tables
        .iter()
        .enumerate()
        .map(|(i, t)| (t.listed.oid, i))
        .collect();
    let all_keys = foreign_keys(session).await?;
    let keys: Vec<(usize, usize, &ForeignKey)> = all_keys
        .iter()
        .filter_map(|k| Some((*place.get(&k.child)?, *place.get(&k.parent)?, k)))
        .collect();
    // A safety backup follows the scope of a restore, or of the backup that it restores.
    if !may_be_empty {
        let tables: Vec<u32> = place.keys().copied().collect();
        require_canonical(session, &tables, scope).await?;
    }
    let mut walk = Walk {
        session,
        selected,
        found: HashMap::new(),
    };
    let with_column = walk.seed(scope, may_be_empty).await?;
    // With or without rows.
    let edges: Vec<(usize, usize)> = keys.iter().map(|(c, p, _)| (*c, *p)).collect();
    let owned = below(with_column.clone(), &edges);
    let down: Vec<_> = keys
        .iter()
        .filter(|(child, ..)| !with_column.contains(child))
        .map(|(child, parent, key)| Step::down(*parent, *child, key))
        .collect();
    walk.follow(&down).await?;
    for table in owned {
        walk.found.entry(table).or_default().owned = true;
    }
    let owners = match scope.exclusive {
        true => {
            let chosen = place.keys().copied().collect();
            Some(Owners::read(session, &all_keys, &chosen, scope).await?)
        }
        false => None,
    };
    let up: Vec<_> = keys
        .iter()
        .map(|(child, parent, key)| Step::up(*child, *parent, key, owners.as_ref()))
        .collect();
    walk.follow(&up).await?;
    walk.found
        .retain(|_, scoped| scoped.owned || !scoped.rows.is_empty());
    Ok(walk.found)
}

struct Walk<'a> {
    session: &'a Session,
    selected: &'a Selected,
    found: HashMap<usize, Scoped>,
}

/// From the rows of one table (`f`) to those of another (`t`).
struct Step {
    from: usize,
    to: usize,
    condition: String,
}

impl Step {
    fn down(parent: usize, child: usize, key: &ForeignKey) -> Self {
        Self {
            from: parent,
            to: child,
            condition: key.matches("f", "t"),
        }
    }

    /// With `owners` only to what is nobody else's.
    fn up(child: usize, parent: usize, key: &ForeignKey, owners: Option<&Owners<'_>>) -> Self {
        let allowed = owners.and_then(|o| o.is_no_others(key.parent, "t"));
        Self {
            from: child,
            to: parent,
            condition: [Some(key.matches("t", "f")), allowed]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" AND "),
        }
    }
}

impl Walk<'_> {
    /// Finds the rows that carry the tenant's value; returns the tables that have the column.
    async fn seed(&mut self, scope: &Scope, may_be_empty: bool) -> Result<HashSet<usize>> {
        let mut with_column = HashSet::new();
        let types = self.types_of(&scope.column).await?;
        for (i, table) in self.selected.tables.iter().enumerate() {
            let Some(type_name) = types.get(&table.listed.oid) else {
                continue;
            };
            with_column.insert(i);
            // A cast to varchar(4) would cut the value, and find another tenant.
            let sql = format!(
                "SELECT ctid FROM ONLY {} WHERE {} = {}",
                table.listed.name.sql(),
                quote(&scope.column),
                literal(&scope.value),
            );
            let rows = self
                .ctids(table, &sql)
                .await
                .map_err(|e| unfit(e, &table.listed.name.to_string(), type_name, scope))?;
            if !rows.is_empty() {
                self.found.entry(i).or_default().rows = rows;
            }
        }
        if (with_column.is_empty() || !may_be_empty) && self.found.is_empty() {
            let why = if with_column.is_empty() {
                "no table has that column"
            } else {
                "no row has that value"
            };
            return Err(Error::new(
                Code::NothingSelected,
                format!(
                    "the scope {}={} matches nothing: {why}",
                    scope.column, scope.value
                ),
            )
            .hint("Name the tenant column and value as --scope COLUMN=VALUE."));
        }
        Ok(with_column)
    }

    /// The column's type in each table that has it; a generated one counts, though no backup stores it.
    async fn types_of(&self, column: &str) -> Result<HashMap<u32, String>> {
        let oids: Vec<u32> = self.selected.tables.iter().map(|t| t.listed.oid).collect();
        let rows = self
            .session
            .query("looking for the tenant column", COLUMN, &[&oids, &column])
            .await?;
        Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
    }

    async fn follow(&mut self, steps: &[Step]) -> Result<()> {
        let found = self.found.iter();
        let mut fresh: HashMap<usize, Tids> = found.map(|(i, s)| (*i, s.rows.clone())).collect();
        while !fresh.is_empty() {
            let mut next: HashMap<usize, Tids> = HashMap::new();
            for step in steps {
                let Some(rows) = fresh.get(&step.from) else {
                    continue;
                };
                for some in rows.parts(ROWS_AT_ONCE) {
                    let new = self.step(step, &some).await?;
                    next.entry(step.to).or_default().add(&new);
                }
            }
            next.retain(|_, rows| !rows.is_empty());
            fresh = next;
        }
        Ok(())
    }

    /// Rows to which the step leads from some rows and that were not found before.
    async fn step(&mut self, step: &Step, rows: &Tids) -> Result<Tids> {
        let tables = &self.selected.tables;
        let sql = format!(
            "SELECT t.ctid FROM ONLY {} f JOIN ONLY {} t ON {} WHERE f.ctid = ANY({})",
            tables[step.from].listed.name.sql(),
            tables[step.to].listed.name.sql(),
            step.condition,
            rows.sql(),
        );
        let reached = self.ctids(&tables[step.to], &sql).await?;
        let known = &mut self.found.entry(step.to).or_default().rows;
        Ok(known.add(&reached))
    }

    async fn ctids(&self, table: &Sized, sql: &str) -> Result<Tids> {
        let doing = format!("finding the tenant's rows in {}", table.listed.name);
        let rows = self
            .session
            .copy_out(&doing, &format!("COPY ({sql}) TO STDOUT"))
            .await?;
        pin_mut!(rows);
        let mut found = Tids::default();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|e| from_postgres(&doing, e))?;
            let ctid = Ctid::parse(row.strip_suffix(b"\n").unwrap_or(&row))
                .ok_or_else(|| Error::new(Code::Internal, format!("{doing}: no ctid came")))?;
            found.insert(ctid);
        }
        Ok(found)
    }
}

/// The reads of one table, each a range of its own, and these ranges.
pub fn plan(table: usize, sized: &Sized, rows: &Tids) -> (Vec<Read>, Vec<Range>) {
    let columns = ident::list(sized.listed.columns.iter().map(|c| c.name.as_str()));
    let query = format!("SELECT {columns} FROM ONLY {}", sized.listed.name.sql());
    let parts: Vec<Tids> = rows.parts(ROWS_AT_ONCE).collect();
    let mut reads = Vec::new();
    let mut ranges = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        reads.push(Read {
            table,
            what: What::Rows(query.clone(), part.clone()),
            cut: Cut::Whole { range: i },
            blocks: sized.blocks,
        });
        let start_block = match i {
            0 => 0,
            _ => part.first_block().unwrap_or(0),
        };
        ranges.push(Range {
            start_block,
            end_block: parts.get(i + 1).and_then(Tids::first_block),
            fingerprint: None,
            segments: Vec::new(),
        });
    }
    (reads, ranges)
}
