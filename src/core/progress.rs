//! Progress of an operation, as a stream of events that any door can show.

use serde::{Deserialize, Serialize};

/// What an operation is doing. The order is the order in which they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    Connect,
    Plan,
    SafetyBackup,
    Verify,
    Schema,
    Rows,
    Config,
    Stage,
    Compare,
    Indexes,
    ForeignKeys,
    Merge,
    Refresh,
    Download,
    Finish,
}

impl Stage {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Stage::Connect => "Connecting",
            Stage::Plan => "Planning",
            Stage::SafetyBackup => "Taking a safety backup",
            Stage::Verify => "Verifying the stored rows",
            Stage::Schema => "Schema",
            Stage::Rows => "Rows",
            Stage::Config => "Configuration",
            Stage::Stage => "Staging rows",
            Stage::Compare => "Comparing",
            Stage::Indexes => "Building indexes",
            Stage::ForeignKeys => "Checking foreign keys",
            Stage::Merge => "Merging",
            Stage::Refresh => "Refreshing materialized views",
            Stage::Download => "Downloading",
            Stage::Finish => "Finishing",
        }
    }
}

/// One moment of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub stage: Stage,
    /// The table at work, as `schema.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    pub rows: u64,
    /// Uncompressed bytes done.
    pub bytes: u64,
    /// Best estimate of all bytes of this stage; 0 when unknown.
    pub total_bytes: u64,
    pub bytes_per_second: u64,
    /// Seconds; `None` until there is something to base it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Something that a person must hear now (a session that waits on us, a retry).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}
