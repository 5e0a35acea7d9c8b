//! Live rows, restored or not, whose parent a restore would take away: found before anything is written.

use super::foreign_keys::counted;
use super::{ForeignKey, Names, Unit, relation};
use crate::core::ident;

/// Live rows `c` to which `k`, a row that the decisions take away, is the parent: neither taken away themselves
/// nor given another parent. `None` where no unit holds the parent's rows, or staging does not hold their key.
struct Stranded<'a> {
    names: &'a Names,
    fk: &'a ForeignKey,
    parents: Vec<&'a Unit>,
    decided: &'a str,
}

impl<'a> Stranded<'a> {
    fn new(
        names: &'a Names,
        units: &'a [Unit],
        fk: &'a ForeignKey,
        decided: &'a str,
    ) -> Option<Self> {
        let parents: Vec<&Unit> = fk
            .parents()
            .map(|p| &units[p])
            .filter(|p| p.merged)
            .collect();
        let staged = |p: &&Unit| fk.parent_columns.iter().all(|c| p.has_column(c));
        (!parents.is_empty() && parents.iter().all(staged)).then_some(Self {
            names,
            fk,
            parents,
            decided,
        })
    }

    /// A changed row keeps its primary key.
    fn taken(&self, parent: &Unit) -> &'static str {
        let keyed = |c: &String| parent.key.iter().any(|k| k.name == *c);
        match self.fk.parent_columns.iter().all(keyed) {
            true => "d.op = '-'",
            false => "d.op IN ('-', '~')",
        }
    }

    fn child_is_left(&self) -> String {
        let brought = self.each(|p, columns| {
            format!(
                "SELECT {columns} FROM {} d JOIN {} k ON k.ctid = d.sid WHERE d.unit = {} AND d.op IN ('+', '~')",
                self.decided,
                self.names.values(p),
                p.number
            )
        });
        format!(
            "{} AND NOT EXISTS (SELECT FROM {} x WHERE x.op IN ('-', '~') AND x.lid = c.ctid AND x.loid = c.tableoid) \
             AND NOT EXISTS (SELECT FROM ({brought}) b WHERE {})",
            self.fk.refers("c"),
            self.decided,
            self.fk.matches("b", "c")
        )
    }

    /// One SELECT per parent, of its key's columns.
    fn each(&self, select: impl Fn(&Unit, &str) -> String) -> String {
        let columns = self.fk.parent_columns.iter();
        let columns: Vec<_> = columns.map(|c| format!("k.{}", ident::quote(c))).collect();
        let all = self.parents.iter().map(|p| select(p, &columns.join(", ")));
        all.collect::<Vec<_>>().join(" UNION ALL ")
    }

    fn count(&self) -> String {
        let gone = self.each(|p, columns| {
            format!(
                "SELECT {columns} FROM {} d JOIN {} k ON k.ctid = d.lid AND k.tableoid = d.loid WHERE d.unit = {} AND {}",
                self.decided,
                p.live(),
                p.number,
                self.taken(p)
            )
        });
        counted(&format!(
            "SELECT {} AS shown FROM {} c WHERE EXISTS (SELECT FROM ({gone}) g WHERE {}) AND {}",
            self.fk.shown_child("c", None),
            relation(&self.fk.child, self.fk.child_partitioned),
            self.fk.matches("g", "c"),
            self.child_is_left()
        ))
    }

    fn keep(&self, parent: &Unit) -> String {
        format!(
            "DELETE FROM {} d USING {} k WHERE d.unit = {} AND {} AND k.ctid = d.lid AND k.tableoid = d.loid \
             AND EXISTS (SELECT FROM {} c WHERE {} AND {})",
            self.decided,
            parent.live(),
            parent.number,
            self.taken(parent),
            relation(&self.fk.child, self.fk.child_partitioned),
            self.fk.matches("k", "c"),
            self.child_is_left()
        )
    }
}

/// Counts live rows whose parent the decisions would take away, and shows up to five of them. `None` where that
/// cannot be told before the merge.
pub fn find_stranded(
    names: &Names,
    units: &[Unit],
    fk: &ForeignKey,
    decided: &str,
) -> Option<String> {
    Stranded::new(names, units, fk, decided).map(|s| s.count())
}

/// Leaves alone the parents that live rows refer to. Repeated over all keys until none is left.
pub fn keep_referred(names: &Names, units: &[Unit], fk: &ForeignKey, decided: &str) -> Vec<String> {
    let stranded = Stranded::new(names, units, fk, decided);
    let keep = |s: Stranded| s.parents.iter().map(|p| s.keep(p)).collect();
    stranded.map(keep).unwrap_or_default()
}
