//! The SQL of a restore in place, as pure functions of what is merged.
//!
//! Rows are named by where they lie: a staged row by its `ctid`, a live one by `tableoid` and `ctid`. What is to
//! happen stands in a table of decisions: `+` insert the staged row, `-` delete the live row, `~` make the live
//! row the staged one (`replace`: by delete and insert, where an update could collide on its way).

pub mod apply;
pub mod compare;
pub mod constraints;
pub mod foreign_keys;
pub mod names;
pub mod order;
pub mod orphans;
mod parents;
pub mod scope;
pub mod since;
pub mod stage;
pub mod stranded;
pub mod undo;

pub use foreign_keys::ForeignKey;
pub use names::Names;
pub use since::Since;

use crate::core::ident::{self, QName};
use crate::core::restore_plan::Mode;
use serde::{Deserialize, Serialize};

/// A table that is merged as one: a plain table, or a partitioned one with all its leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Names the unit's staging and undo tables.
    pub number: i32,
    pub table: QName,
    pub oid: u32,
    pub partitioned: bool,
    /// Columns of the backup, in the order of the staging table.
    pub columns: Vec<Column>,
    /// Columns that the target has besides; generated ones are not listed.
    pub extra: Vec<Column>,
    /// Of `extra`, for an undo: columns that came after the restore, so that its kept rows lack them.
    #[serde(skip)]
    pub since: Vec<Since>,
    /// Columns that the target computes; staging computes those of the key, and holds no other.
    #[serde(default)]
    pub generated: Vec<Generated>,
    /// Empty: rows are a multiset of exact row texts.
    pub key: Vec<KeyColumn>,
    /// A change of one of these is a delete and an insert.
    pub special: Vec<String>,
    /// Whether rows are restored; otherwise the table is staged only to find out what belongs to a tenant.
    pub merged: bool,
    /// A table of the platform: rows that are gone come back, and nothing else happens to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub platform: bool,
    /// Columns of the backup that are staged and not written, since the platform's table has them no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub identity_always: bool,
}

/// A column that is computed from others of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    /// As `pg_get_expr` prints it with an empty search path.
    pub expression: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    pub name: String,
    /// Equality of the key's operator class, qualified: `OPERATOR("pg_catalog".=)`.
    pub equals: String,
}

impl Unit {
    /// The live table in a FROM clause. Inheritance children are units of their own.
    pub fn live(&self) -> String {
        relation(&self.table, self.partitioned)
    }

    /// `left.key = right.key`.
    pub fn key_matches(&self, left: &str, right: &str) -> String {
        let each = self.key.iter().map(|k| {
            let name = ident::quote(&k.name);
            format!("{left}.{name} {} {right}.{name}", k.equals)
        });
        each.collect::<Vec<_>>().join(" AND ")
    }

    /// How far the restore goes in this table, where it goes so far in the others.
    pub fn mode(&self, mode: Mode) -> Mode {
        match self.platform {
            true => Mode::Missing,
            false => mode,
        }
    }

    /// Whether two rows differ in any restored column, byte for byte. `IS DISTINCT FROM` fails on `json`, `xml`
    /// and `point`, and calls `1.0` and `1.00` equal.
    pub fn differs(&self, left: &str, right: &str) -> String {
        differs(self.columns.iter().map(|c| c.name.as_str()), left, right)
    }

    /// Whether two rows differ where an update could collide.
    pub fn needs_replace(&self, left: &str, right: &str) -> String {
        if self.special.is_empty() {
            return "false".into();
        }
        differs(self.special.iter().map(String::as_str), left, right)
    }

    /// The exact text of a row's restored columns.
    pub fn text(&self, alias: &str) -> String {
        text(self.names(), alias)
    }

    /// Quoted names of the restored columns.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(|c| ident::quote(&c.name))
    }

    /// Quoted names of the restored columns and of those that the target has besides.
    pub fn all_names(&self) -> impl Iterator<Item = String> {
        let all = self.columns.iter().chain(&self.extra);
        all.map(|c| ident::quote(&c.name))
    }

    /// Columns of the key that are computed: rows are looked up by them, and none is ever written.
    pub fn computed_key(&self) -> impl Iterator<Item = &Generated> {
        let in_key = |g: &&Generated| self.key.iter().any(|k| k.name == g.name);
        self.generated.iter().filter(in_key)
    }

    /// Quoted names of what is kept of a row: everything written, and its key.
    pub fn kept_names(&self) -> impl Iterator<Item = String> {
        let computed = self.computed_key().map(|g| ident::quote(&g.name));
        self.all_names().chain(computed)
    }

    pub fn has_column(&self, name: &str) -> bool {
        self.columns.iter().any(|c| c.name == name)
    }

    /// Whether rows hold the column or compute it.
    pub fn holds(&self, name: &str) -> bool {
        self.has_column(name) || self.generated.iter().any(|g| g.name == name)
    }

    /// What people see of a row in a message: its key, or else its first columns.
    pub fn shown(&self, alias: &str) -> String {
        let names: Vec<String> = if self.key.is_empty() {
            self.names().take(3).collect()
        } else {
            self.key.iter().map(|k| ident::quote(&k.name)).collect()
        };
        shown(&names, alias)
    }
}

/// `name=value, …` of some columns, each value cut to 60 characters.
pub fn shown(names: &[String], alias: &str) -> String {
    if names.is_empty() {
        return "''".into();
    }
    let parts = names.iter().map(|name| {
        let label = ident::literal(&format!("{}=", name.trim_matches('"')));
        let value = readable(&format!("left({alias}.{name}::text, 60)"));
        format!("{label} || coalesce({value}, 'null')")
    });
    parts.collect::<Vec<_>>().join(" || ', ' || ")
}

/// Text of a database without an encoding may be none that a client takes: bytes beyond ASCII come as `\351`.
fn readable(text: &str) -> String {
    format!(
        "CASE pg_catalog.getdatabaseencoding() WHEN 'SQL_ASCII' \
         THEN pg_catalog.encode(pg_catalog.convert_to({text}, 'SQL_ASCII'), 'escape') ELSE {text} END"
    )
}

/// A table in a FROM clause: with its partitions, but without inheritance children.
pub fn relation(table: &QName, partitioned: bool) -> String {
    if partitioned {
        table.sql()
    } else {
        format!("ONLY {}", table.sql())
    }
}

fn text(names: impl Iterator<Item = String>, alias: &str) -> String {
    let columns: Vec<_> = names.map(|n| format!("{alias}.{n}")).collect();
    format!("ROW({})::text COLLATE \"C\"", columns.join(", "))
}

fn differs<'a>(columns: impl Iterator<Item = &'a str>, left: &str, right: &str) -> String {
    let names: Vec<_> = columns.map(ident::quote).collect();
    let row = |alias: &str| {
        let columns: Vec<_> = names.iter().map(|n| format!("{alias}.{n}")).collect();
        // Without the cast, ROW op ROW compares column by column.
        format!("ROW({})::record", columns.join(", "))
    };
    format!("{} OPERATOR(pg_catalog.*<>) {}", row(left), row(right))
}

#[cfg(test)]
mod tests;
