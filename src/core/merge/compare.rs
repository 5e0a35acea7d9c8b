//! Which rows to add, change and remove.

use super::{Names, Unit};
use crate::core::restore_plan::Mode;

const COLUMNS: &str = "(unit, op, sid, loid, lid, replace)";

/// Compares all of a unit's live rows with its staged ones, into the table `into`.
pub fn full(names: &Names, unit: &Unit, mode: Mode, into: &str) -> String {
    if unit.key.is_empty() {
        return multiset(names, unit, mode, into);
    }
    let (n, values, live) = (unit.number, names.values(unit), unit.live());
    let key = unit.key_matches("s", "l");
    match mode {
        Mode::Missing => missing(names, unit, into),
        Mode::KeepNewer => format!(
            "INSERT INTO {into} {COLUMNS} SELECT {n}, CASE WHEN l.ctid IS NULL THEN '+' ELSE '~' END, s.ctid, \
             l.tableoid, l.ctid, l.ctid IS NOT NULL AND {replace} FROM {values} s LEFT JOIN {live} l ON {key} \
             WHERE l.ctid IS NULL OR {differs}",
            replace = unit.needs_replace("s", "l"),
            differs = unit.differs("s", "l"),
        ),
        Mode::Exact => format!(
            "INSERT INTO {into} {COLUMNS} SELECT {n}, CASE WHEN l.ctid IS NULL THEN '+' WHEN s.ctid IS NULL THEN '-' \
             ELSE '~' END, s.ctid, l.tableoid, l.ctid, l.ctid IS NOT NULL AND s.ctid IS NOT NULL AND {replace} \
             FROM {values} s FULL JOIN {live} l ON {key} \
             WHERE l.ctid IS NULL OR s.ctid IS NULL OR {differs}",
            replace = unit.needs_replace("s", "l"),
            differs = unit.differs("s", "l"),
        ),
    }
}

fn missing(names: &Names, unit: &Unit, into: &str) -> String {
    format!(
        "INSERT INTO {into} {COLUMNS} SELECT {}, '+', s.ctid, NULL, NULL, false FROM {} s \
         WHERE NOT EXISTS (SELECT FROM {} l WHERE {})",
        unit.number,
        names.values(unit),
        unit.live(),
        unit.key_matches("s", "l")
    )
}

/// Equal rows are numbered on both sides, so that each matches one other.
fn multiset(names: &Names, unit: &Unit, mode: Mode, into: &str) -> String {
    let (join, op) = match mode {
        Mode::Exact => ("FULL JOIN", "CASE WHEN l.lid IS NULL THEN '+' ELSE '-' END"),
        Mode::Missing | Mode::KeepNewer => ("LEFT JOIN", "'+'"),
    };
    format!(
        "INSERT INTO {into} {COLUMNS} SELECT {n}, {op}, s.sid, l.loid, l.lid, false \
         FROM (SELECT q.sid, q.txt, row_number() OVER (PARTITION BY q.txt) AS nth \
               FROM (SELECT s.ctid AS sid, {s_text} AS txt FROM {values} s) q) s \
         {join} (SELECT q.loid, q.lid, q.txt, row_number() OVER (PARTITION BY q.txt) AS nth \
               FROM (SELECT l.tableoid AS loid, l.ctid AS lid, {l_text} AS txt FROM {live} l) q) l \
         ON s.txt = l.txt AND s.nth = l.nth WHERE s.sid IS NULL OR l.lid IS NULL",
        n = unit.number,
        s_text = unit.text("s"),
        l_text = unit.text("l"),
        values = names.values(unit),
        live = unit.live(),
    )
}

/// Whether a live row may have been written by a transaction that the comparison's snapshot did not see.
/// `horizon` is the low half of that snapshot's xmin: a superset, and correct across a wraparound.
fn touched(alias: &str, horizon: u32) -> String {
    format!("age({alias}.xmin) <= age('{horizon}'::xid)")
}

/// Counts, per unit, the live rows that are older than a snapshot, and the others. Each unit has its own horizon.
pub fn count_touched<'a>(units: impl IntoIterator<Item = (&'a Unit, u32)>) -> String {
    let each = units.into_iter().map(|(unit, horizon)| {
        let touched = touched("l", horizon);
        format!(
            "SELECT {}::int, count(*) FILTER (WHERE NOT ({touched})), count(*) FILTER (WHERE {touched}) FROM {} l",
            unit.number,
            unit.live()
        )
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// Notes the rows written since the comparison.
pub fn note_touched(names: &Names, unit: &Unit, horizon: u32) -> String {
    format!(
        "INSERT INTO {} (unit, loid, lid) SELECT {}, l.tableoid, l.ctid FROM {} l WHERE {}",
        names.touched(),
        unit.number,
        unit.live(),
        touched("l", horizon)
    )
}

/// What was found in these units still holds, since no row was written or vanished.
pub fn keep_found(names: &Names, units: &[i32]) -> String {
    let units: Vec<String> = units.iter().map(i32::to_string).collect();
    format!(
        "INSERT INTO {} {COLUMNS} SELECT unit, op, sid, loid, lid, replace FROM {} WHERE unit = ANY ('{{{}}}'::int[])",
        names.decided(),
        names.found(),
        units.join(",")
    )
}

/// Brings what was found up to date, looking only at rows written since (noted before). `vanished`: a live row
/// that the comparison saw is gone, so that staged rows may be missing which were not.
pub fn refine(names: &Names, unit: &Unit, mode: Mode, horizon: u32, vanished: bool) -> Vec<String> {
    let (n, live, values, decided) = (
        unit.number,
        unit.live(),
        names.values(unit),
        names.decided(),
    );
    let mut steps = Vec::new();
    if mode != Mode::Missing {
        steps.push(format!(
            "INSERT INTO {decided} {COLUMNS} SELECT d.unit, d.op, d.sid, d.loid, d.lid, d.replace FROM {found} d \
             JOIN {live} l ON l.ctid = d.lid AND l.tableoid = d.loid \
             WHERE d.unit = {n} AND d.op <> '+' AND NOT ({touched})",
            found = names.found(),
            touched = touched("l", horizon),
        ));
        let (join, op, none) = match mode {
            Mode::Exact => (
                "LEFT JOIN",
                "CASE WHEN s.ctid IS NULL THEN '-' ELSE '~' END",
                "s.ctid IS NULL OR ",
            ),
            _ => ("JOIN", "'~'", ""),
        };
        steps.push(format!(
            "INSERT INTO {decided} {COLUMNS} SELECT {n}, {op}, s.ctid, l.tableoid, l.ctid, \
             s.ctid IS NOT NULL AND {replace} \
             FROM {noted} t JOIN {live} l ON l.ctid = t.lid AND l.tableoid = t.loid {join} {values} s ON {key} \
             WHERE t.unit = {n} AND ({none}{differs})",
            noted = names.touched(),
            key = unit.key_matches("s", "l"),
            replace = unit.needs_replace("s", "l"),
            differs = unit.differs("s", "l"),
        ));
    }
    steps.push(if vanished {
        missing(names, unit, &decided)
    } else {
        format!(
            "INSERT INTO {decided} {COLUMNS} SELECT d.unit, d.op, d.sid, NULL, NULL, false FROM {found} d \
             JOIN {values} s ON s.ctid = d.sid WHERE d.unit = {n} AND d.op = '+' \
             AND NOT EXISTS (SELECT FROM {live} l WHERE {key})",
            found = names.found(),
            key = unit.key_matches("s", "l"),
        )
    });
    steps
}

/// Holds the live rows that are to be changed or removed, each in its newest version. True if that is the version that was
/// decided on, for all of them.
pub fn hold_decided(names: &Names, unit: &Unit, live: &str) -> String {
    let (n, decided) = (unit.number, names.decided());
    format!(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM {decided} d JOIN {live} l ON l.ctid = d.lid AND l.tableoid = d.loid \
             WHERE d.unit = {n} AND d.op IN ('-', '~') FOR UPDATE OF l) held) \
         = (SELECT count(*) FROM {decided} WHERE unit = {n} AND op IN ('-', '~'))"
    )
}

/// Decisions per unit: added, changed, removed.
pub fn count_decisions(table: &str) -> String {
    format!(
        "SELECT unit, count(*) FILTER (WHERE op = '+'), count(*) FILTER (WHERE op = '~'), \
         count(*) FILTER (WHERE op = '-') FROM {table} GROUP BY unit"
    )
}

/// Oldest and newest of a date column among the rows to be removed.
pub fn removed_between(names: &Names, unit: &Unit, column: &str) -> String {
    let column = crate::core::ident::quote(column);
    format!(
        "SELECT extract(epoch FROM min(l.{column}))::float8, extract(epoch FROM max(l.{column}))::float8 \
         FROM {} d JOIN {} l ON l.ctid = d.lid AND l.tableoid = d.loid \
         WHERE d.unit = {} AND d.op = '-' AND isfinite(l.{column})",
        names.found(),
        unit.live(),
        unit.number
    )
}
