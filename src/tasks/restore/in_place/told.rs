//! What people are told of locks, and of rows that were left out.

use super::work::Work;
use crate::core::counted::counted;
use crate::core::ident::QName;
use crate::core::manifest::{Scope, Warning};

pub fn locks(scope: &Option<Scope>, tables: u64) -> String {
    let tables = counted(tables, "table");
    match scope {
        Some(_) => format!(
            "the tenant's rows that change in {tables}, while the merge runs: everybody else's writers go on"
        ),
        None => format!(
            "SHARE ROW EXCLUSIVE on {tables} while the merge runs: readers go on, writers wait"
        ),
    }
}

pub fn left_out(work: &Work) -> Option<Warning> {
    let why = match work.names.reverses {
        Some(_) => "the rows that they refer to are gone, or other rows refer to them",
        None => "the rows that they refer to are gone",
    };
    (work.left_out > 0).then(|| Warning {
        code: "rows_left_out".into(),
        message: format!("{} left out: {why}", counted(work.left_out, "row")),
    })
}

/// Names the rows that changed since the restore and stay as they are.
pub fn left_changed(changed: &[(QName, u64)], recorded: bool, work: &Work) -> Option<Warning> {
    let each: Vec<String> = changed
        .iter()
        .map(|(table, rows)| format!("{} of {table}", counted(*rows, "row")))
        .collect();
    let more = match recorded {
        true => format!(
            "; the restore counts as undone: to reverse these too, undo {} first",
            work.names.operation
        ),
        false => String::new(),
    };
    let sum: u64 = changed.iter().map(|(_, rows)| rows).sum();
    let left = if sum == 1 { "was left" } else { "were left" };
    (sum > 0).then(|| Warning {
        code: "rows_changed_since".into(),
        message: format!("{} changed since and {left}{more}", each.join(", ")),
    })
}
