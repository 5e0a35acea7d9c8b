//! What the role may do besides reading and writing rows.

use super::super::Session;
use crate::error::{Code, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// May create the staging and the undo schema.
    pub create_schemas: bool,
    /// May write without firing triggers (`session_replication_role`).
    pub replica_role: bool,
}

/// Tries what cannot be asked: on Supabase an extension grants the replica role where no catalog says so.
pub async fn rights(session: &Session) -> Result<Rights> {
    let row = session
        .query_one(
            "reading the role's rights",
            "SELECT has_database_privilege(current_database(), 'CREATE')",
            &[],
        )
        .await?;
    let tried = session
        .batch(
            "trying the replica role",
            "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK",
        )
        .await;
    let replica_role = match tried {
        Ok(()) => true,
        Err(e) if e.code == Code::PermissionDenied => {
            session.batch("ending the try", "ROLLBACK").await?;
            false
        }
        Err(e) => return Err(e),
    };
    Ok(Rights {
        create_schemas: row.get(0),
        replica_role,
    })
}
