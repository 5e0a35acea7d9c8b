//! Reversing a restore: the rows it kept are the new values, and whatever changed since is left to people.

use super::names::{OP, REPLACE, TABLE, TID};
use super::{Names, Unit};

const COLUMNS: &str = "(unit, op, sid, loid, lid, replace)";

/// Decides what to reverse: only rows that are still as the restore left them.
pub fn decide(names: &Names, unit: &Unit) -> Vec<String> {
    let (n, kept, live, decided) = (
        unit.number,
        names.values(unit),
        unit.live(),
        names.decided(),
    );
    let back = format!(
        "INSERT INTO {decided} {COLUMNS} SELECT {n}, '+', k.ctid, NULL, NULL, false FROM {kept} k WHERE k.{OP} = 'delete'"
    );
    if unit.key.is_empty() {
        return vec![back, remove_equal_texts(names, unit)];
    }
    let key = unit.key_matches("l", "k");
    vec![
        format!("{back} AND NOT EXISTS (SELECT FROM {live} l WHERE {key})"),
        format!(
            "INSERT INTO {decided} {COLUMNS} SELECT {n}, '-', NULL, l.tableoid, l.ctid, false FROM {kept} k \
             JOIN {live} l ON {key} WHERE k.{OP} = 'insert' AND {same}",
            same = unit.is_as_inserted("k", "l"),
        ),
        // Columns that the restore did not write stay as they are by now.
        format!(
            "INSERT INTO {decided} {COLUMNS} SELECT {n}, '~', b.ctid, l.tableoid, l.ctid, k.{REPLACE} FROM {kept} k \
             JOIN {kept} b ON b.{TABLE} = k.{TABLE} AND b.{TID} = k.{TID} AND b.{OP} = 'before' \
             JOIN {live} l ON {key} WHERE k.{OP} = 'after' AND NOT ({differs})",
            differs = unit.differs("k", "l"),
        ),
    ]
}

/// Without a key, a row that was inserted is any live row of the same text.
fn remove_equal_texts(names: &Names, unit: &Unit) -> String {
    format!(
        "INSERT INTO {} {COLUMNS} SELECT {}, '-', NULL, l.loid, l.lid, false \
         FROM (SELECT q.txt, row_number() OVER (PARTITION BY q.txt) AS nth FROM (SELECT {} AS txt FROM {} k WHERE k.{OP} = 'insert') q) k \
         JOIN (SELECT q.loid, q.lid, q.txt, row_number() OVER (PARTITION BY q.txt) AS nth \
               FROM (SELECT l.tableoid AS loid, l.ctid AS lid, {} AS txt FROM {} l WHERE {}) q) l \
         ON k.txt = l.txt AND k.nth = l.nth",
        names.decided(),
        unit.number,
        unit.known_text("k"),
        names.values(unit),
        unit.known_text("l"),
        unit.live(),
        unit.is_unfilled("l"),
    )
}

/// Kept rows that should be reversed: one per row of the app.
pub fn expected(names: &Names, unit: &Unit) -> String {
    format!(
        "SELECT count(*) FROM {} k WHERE k.{OP} IN ('insert', 'delete', 'after')",
        names.values(unit)
    )
}

/// Shows up to five rows that changed since: those whose live version is not what the restore left.
pub fn changed_since(names: &Names, unit: &Unit) -> Option<String> {
    (!unit.key.is_empty()).then(|| {
        let (kept, live, key) = (names.values(unit), unit.live(), unit.key_matches("l", "k"));
        format!(
            "SELECT {shown} FROM {kept} k WHERE k.{OP} = 'insert' AND NOT EXISTS (SELECT FROM {live} l WHERE {key} AND {same}) \
             OR k.{OP} = 'after' AND NOT EXISTS (SELECT FROM {live} l WHERE {key} AND NOT ({differs})) \
             OR k.{OP} = 'delete' AND EXISTS (SELECT FROM {live} l WHERE {key}) LIMIT 5",
            shown = unit.shown("k"),
            same = unit.is_as_inserted("k", "l"),
            differs = unit.differs("k", "l"),
        )
    })
}
