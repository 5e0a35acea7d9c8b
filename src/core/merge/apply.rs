//! Writing decisions to live tables, keeping every row that is inserted, overwritten or removed.

use super::names::{OP, REPLACE, TABLE, TID};
use super::{Names, Unit};
use crate::core::ident;

/// The schema and the record whose existence proves the commit.
pub fn create_undo(names: &Names) -> String {
    format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {record} (id uuid PRIMARY KEY, backup uuid NOT NULL, backup_name text NOT NULL, \
         safety uuid, reverses uuid, at timestamptz NOT NULL DEFAULT clock_timestamp(), mode text NOT NULL, \
         added bigint NOT NULL, changed bigint NOT NULL, removed bigint NOT NULL, units text NOT NULL, scope text, \
         undo_until timestamptz NOT NULL)",
        schema = ident::quote(&names.undo_schema()),
        record = names.record(),
    )
}

/// `$1 … $11` in the order of the columns of [`create_undo`], without `at`; ids as text. `$12`: days until the last one.
/// Answers that date, in seconds since 1970.
pub fn write_record(names: &Names) -> String {
    format!(
        "INSERT INTO {} (id, backup, backup_name, safety, reverses, mode, added, changed, removed, units, scope, undo_until) \
         VALUES ($1::text::uuid, $2::text::uuid, $3, $4::text::uuid, $5::text::uuid, $6, $7, $8, $9, $10, $11, \
         clock_timestamp() + make_interval(days => $12)) RETURNING extract(epoch FROM undo_until)::float8",
        names.record()
    )
}

/// Columns that [`keep`] puts before those of the app.
pub const COLUMNS_OF_OURS: usize = 4;

/// Keeps, in a logged table, each version that goes and each row that comes; the latter without columns that are not
/// restored. [`insert`] keeps what only the inserted row tells.
pub fn keep(names: &Names, unit: &Unit) -> String {
    let list = |names: &[String], alias: &str| {
        let each = names.iter().map(|n| format!(", {alias}{n}"));
        each.collect::<String>()
    };
    let all: Vec<_> = unit.kept_names().collect();
    let computed = unit.computed_key().map(|g| ident::quote(&g.name));
    let own: Vec<_> = unit.names().chain(computed).collect();
    let new = match unit.extra.is_empty() {
        true => "('+', '~')",
        false => "('~')",
    };
    let (kept, decided, n) = (names.kept(unit), names.decided(), unit.number);
    format!(
        "CREATE TABLE {kept} AS SELECT NULL::text AS {OP}, NULL::bool AS {REPLACE}, NULL::oid AS {TABLE}, NULL::tid AS {TID}{l} \
         FROM {table} l WITH NO DATA; \
         INSERT INTO {kept} ({OP}, {REPLACE}, {TABLE}, {TID}{listed}) \
         SELECT CASE d.op WHEN '-' THEN 'delete' ELSE 'before' END, d.replace, d.loid, d.lid{l} \
         FROM {decided} d JOIN {live} l ON l.ctid = d.lid AND l.tableoid = d.loid WHERE d.unit = {n} AND d.op IN ('-', '~'); \
         INSERT INTO {kept} ({OP}, {REPLACE}, {TABLE}, {TID}{restored}) \
         SELECT CASE d.op WHEN '+' THEN 'insert' ELSE 'after' END, d.replace, d.loid, d.lid{s} \
         FROM {decided} d JOIN {values} s ON s.ctid = d.sid WHERE d.unit = {n} AND d.op IN {new}",
        l = list(&all, "l."),
        listed = list(&all, ""),
        restored = list(&own, ""),
        s = list(&own, "s."),
        table = unit.table.sql(),
        live = unit.live(),
        values = names.values(unit),
    )
}

/// Removes what is to go, and what is to be replaced.
pub fn delete(names: &Names, unit: &Unit) -> String {
    format!(
        "DELETE FROM {} l USING {} d WHERE d.unit = {} AND (d.op = '-' OR d.op = '~' AND d.replace) \
         AND l.ctid = d.lid AND l.tableoid = d.loid",
        unit.live(),
        names.decided(),
        unit.number
    )
}

/// Changes rows where they are. `None` where nothing can be set.
pub fn update(names: &Names, unit: &Unit) -> Option<String> {
    let set: Vec<_> = unit
        .columns
        .iter()
        .filter(|c| !c.identity_always)
        .map(|c| ident::quote(&c.name))
        .map(|n| format!("{n} = s.{n}"))
        .collect();
    (!set.is_empty()).then(|| {
        format!(
            "UPDATE {} l SET {} FROM {} d JOIN {} s ON s.ctid = d.sid WHERE d.unit = {} AND d.op = '~' AND NOT d.replace \
             AND l.ctid = d.lid AND l.tableoid = d.loid",
            unit.live(),
            set.join(", "),
            names.decided(),
            names.values(unit),
            unit.number
        )
    })
}

/// Inserts what was missing, and what was deleted to be replaced: the latter with its other columns as they were.
pub fn insert(names: &Names, unit: &Unit) -> Vec<String> {
    let own: Vec<String> = unit.names().collect();
    let extra: Vec<String> = unit.extra.iter().map(|c| ident::quote(&c.name)).collect();
    let all: Vec<String> = unit.all_names().collect();
    let values = |columns: &[String], alias: &str| {
        columns
            .iter()
            .map(|n| format!("{alias}.{n}"))
            .collect::<Vec<_>>()
    };
    // An undo knows every column that there was.
    let new = match names.reverses {
        Some(_) => unit.known_names().collect(),
        None => own.clone(),
    };
    let from = format!(
        "FROM {} d JOIN {} s ON s.ctid = d.sid",
        names.decided(),
        names.values(unit)
    );
    let added = format!(
        "{into} SELECT {} {from} WHERE d.unit = {} AND d.op = '+'",
        values(&new, "s").join(", "),
        unit.number,
        into = insert_into(unit, &new),
    );
    let added = match extra.is_empty() {
        true => added,
        false => keep_written(names, unit, &added),
    };
    let replaced = format!(
        "{into} SELECT {} {from} JOIN {kept} b ON b.{TABLE} = d.loid AND b.{TID} = d.lid AND b.{OP} = 'before' \
         WHERE d.unit = {} AND d.op = '~' AND d.replace",
        [values(&own, "s"), values(&extra, "b")].concat().join(", "),
        unit.number,
        into = insert_into(unit, &all),
        kept = names.kept(unit),
    );
    vec![added, replaced]
}

/// The rows as they came to be: their other columns hold defaults that nobody else can tell.
fn keep_written(names: &Names, unit: &Unit, insert: &str) -> String {
    let all = unit.kept_names().collect::<Vec<_>>().join(", ");
    format!(
        "WITH written AS ({insert} RETURNING {all}) INSERT INTO {kept} ({OP}, {REPLACE}, {all}) \
         SELECT 'insert', false, {all} FROM written",
        kept = names.kept(unit),
    )
}

fn insert_into(unit: &Unit, columns: &[String]) -> String {
    let list = if columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", columns.join(", "))
    };
    let identity = unit
        .columns
        .iter()
        .chain(&unit.extra)
        .any(|c| c.identity_always);
    let overriding = if identity {
        " OVERRIDING SYSTEM VALUE"
    } else {
        ""
    };
    format!("INSERT INTO {}{list}{overriding}", unit.table.sql())
}

/// How many of a unit's rows the merge must find: deleted and replaced, updated, inserted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub add: u64,
    pub change: u64,
    pub remove: u64,
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.add + self.change + self.remove
    }
}
