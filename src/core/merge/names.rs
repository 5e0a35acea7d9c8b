//! Where a restore keeps what it needs: `staging_<operation>` while it works, `undo_<operation>` afterwards.

use super::Unit;
use crate::core::ident;
use crate::core::managed::{STAGING, UNDO};
use uuid::Uuid;

/// Columns of ours in an undo table; an app's column has no such name.
pub const OP: &str = "\"rovodev op\"";
pub const REPLACE: &str = "\"rovodev replace\"";
pub const TABLE: &str = "\"rovodev table\"";
pub const TID: &str = "\"rovodev tid\"";

/// Names of one operation's relations, quoted for SQL.
#[derive(Debug, Clone)]
pub struct Names {
    pub operation: Uuid,
    /// For an undo: the operation whose kept rows are the new values.
    pub reverses: Option<Uuid>,
}

impl Names {
    pub fn restore(operation: Uuid) -> Self {
        Self {
            operation,
            reverses: None,
        }
    }

    pub fn undo_of(reverses: Uuid, operation: Uuid) -> Self {
        Self {
            operation,
            reverses: Some(reverses),
        }
    }

    pub fn staging_schema(&self) -> String {
        format!("{STAGING}{}", self.operation.simple())
    }

    pub fn undo_schema(&self) -> String {
        undo_schema(self.operation)
    }

    fn staging(&self, name: &str) -> String {
        format!(
            "{}.{}",
            ident::quote(&self.staging_schema()),
            ident::quote(name)
        )
    }

    /// The rows to be restored.
    pub fn values(&self, unit: &Unit) -> String {
        match self.reverses {
            Some(reversed) => kept(reversed, unit),
            None => self.staging(&format!("t{}", unit.number)),
        }
    }

    /// Where the merge keeps what it changes.
    pub fn kept(&self, unit: &Unit) -> String {
        kept(self.operation, unit)
    }

    /// Decisions made while writers go on.
    pub fn found(&self) -> String {
        self.staging("found")
    }

    /// Decisions made under the lock.
    pub fn decided(&self) -> String {
        self.staging("decided")
    }

    /// Live rows written since the comparison.
    pub fn touched(&self) -> String {
        self.staging("touched")
    }

    /// Rows that belong to a tenant, or that a tenant's rows need.
    pub fn members(&self) -> String {
        self.staging("members")
    }

    /// Which chunks are staged; logged, unlike the rows.
    pub fn chunks(&self) -> String {
        self.staging("chunks")
    }

    pub fn record(&self) -> String {
        record(self.operation)
    }
}

pub fn undo_schema(operation: Uuid) -> String {
    format!("{UNDO}{}", operation.simple())
}

/// The one row that tells what the operation was.
pub fn record(operation: Uuid) -> String {
    format!("{}.operation", ident::quote(&undo_schema(operation)))
}

fn kept(operation: Uuid, unit: &Unit) -> String {
    format!("{}.u{}", ident::quote(&undo_schema(operation)), unit.number)
}

/// The operation that a schema of ours belongs to.
pub fn operation_of(schema: &str, prefix: &str) -> Option<Uuid> {
    Uuid::parse_str(schema.strip_prefix(prefix)?).ok()
}
