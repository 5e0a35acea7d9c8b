//! Rows that a foreign key refers to and that the decisions take away or bring.
//!
//! Each step of a check is materialized: a chain of anti-joins over system columns looks to the planner as if it left one
//! row, for which it would then read all decisions, once for each row that is really left.

use super::names::TID;
use super::{ForeignKey, Names, Unit};
use crate::core::ident;

pub(super) struct Parents<'a> {
    pub names: &'a Names,
    pub fk: &'a ForeignKey,
    pub units: Vec<&'a Unit>,
    pub decided: &'a str,
}

impl Parents<'_> {
    /// `gone` (the key, and the decision's ctid) and `brought` (the key), for a WITH clause.
    pub fn gone_and_brought(&self) -> String {
        let gone = self.each(|parent, key| {
            format!(
                "SELECT d.ctid AS {TID}, {key} FROM {} d JOIN {} k ON k.ctid = d.lid AND k.tableoid = d.loid \
                 WHERE d.unit = {} AND {}",
                self.decided,
                parent.live(),
                parent.number,
                self.taken(parent)
            )
        });
        let brought = self.each(|parent, key| {
            format!(
                "SELECT {key} FROM {} d JOIN {} k ON k.ctid = d.sid WHERE d.unit = {} AND d.op IN ('+', '~')",
                self.decided,
                self.names.values(parent),
                parent.number
            )
        });
        format!("gone AS MATERIALIZED ({gone}), brought AS MATERIALIZED ({brought})")
    }

    fn each(&self, select: impl Fn(&Unit, &str) -> String) -> String {
        let key = self
            .fk
            .parent_columns
            .iter()
            .map(|c| format!("k.{}", ident::quote(c)));
        let key = key.collect::<Vec<_>>().join(", ");
        let all = self.units.iter().map(|unit| select(unit, &key));
        all.collect::<Vec<_>>().join(" UNION ALL ")
    }

    /// A changed row keeps its primary key.
    fn taken(&self, parent: &Unit) -> &'static str {
        let keyed = |c: &String| parent.key.iter().any(|k| k.name == *c);
        match self.fk.parent_columns.iter().all(keyed) {
            true => "d.op = '-'",
            false => "d.op IN ('-', '~')",
        }
    }
}
