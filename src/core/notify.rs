//! What people are told, and in which form: one message, written for a program, a chat, a mail, a browser.

mod mail;
mod slack;
mod webhook;
mod words;

pub use mail::{Mail, mail};
pub use slack::slack;
pub use webhook::{body, sign};
pub use words::{Fact, Words, words};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    #[serde(rename = "backup.succeeded")]
    BackupSucceeded,
    #[serde(rename = "backup.failed")]
    BackupFailed,
    /// A scheduled run was not begun, or has not ended, in time.
    #[serde(rename = "backup.overdue")]
    BackupOverdue,
    #[serde(rename = "restore.done")]
    RestoreDone,
    #[serde(rename = "restore.failed")]
    RestoreFailed,
    /// A backup was read back and is not what was written.
    #[serde(rename = "verification.failed")]
    VerificationFailed,
    /// A backup differs from those before it.
    #[serde(rename = "backup.anomaly")]
    BackupAnomaly,
    /// A tenant stores four fifths of what it may, or all of it.
    #[serde(rename = "quota.near")]
    QuotaNear,
    #[serde(rename = "quota.exceeded")]
    QuotaExceeded,
    /// The end of damage; nobody asks for it by itself.
    #[serde(rename = "verification.recovered")]
    VerificationRecovered,
}

impl Event {
    /// Those that a channel can ask for.
    pub const ALL: &[Event] = &[
        Event::BackupSucceeded,
        Event::BackupFailed,
        Event::BackupOverdue,
        Event::RestoreDone,
        Event::RestoreFailed,
        Event::VerificationFailed,
        Event::BackupAnomaly,
        Event::QuotaNear,
        Event::QuotaExceeded,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Event::BackupSucceeded => "backup.succeeded",
            Event::BackupFailed => "backup.failed",
            Event::BackupOverdue => "backup.overdue",
            Event::RestoreDone => "restore.done",
            Event::RestoreFailed => "restore.failed",
            Event::VerificationFailed => "verification.failed",
            Event::VerificationRecovered => "verification.recovered",
            Event::BackupAnomaly => "backup.anomaly",
            Event::QuotaNear => "quota.near",
            Event::QuotaExceeded => "quota.exceeded",
        }
    }

    /// Somebody should look, and nothing failed.
    pub fn is_hint(self) -> bool {
        matches!(self, Event::BackupAnomaly | Event::QuotaNear)
    }

    pub fn is_good(self) -> bool {
        matches!(
            self,
            Event::BackupSucceeded | Event::RestoreDone | Event::VerificationRecovered
        )
    }
}

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Webhook,
    Slack,
    Email,
    Ping,
    Push,
}

impl Kind {
    pub const ALL: &[Kind] = &[
        Kind::Webhook,
        Kind::Slack,
        Kind::Email,
        Kind::Ping,
        Kind::Push,
    ];

    /// What can be told by it.
    pub fn events(self) -> &'static [Event] {
        match self {
            // Its silence is the message.
            Kind::Ping => &[
                Event::BackupSucceeded,
                Event::BackupFailed,
                Event::BackupOverdue,
            ],
            _ => Event::ALL,
        }
    }

    /// What it needs to be told where to.
    pub fn needs(self) -> &'static str {
        match self {
            Kind::Webhook | Kind::Slack | Kind::Ping => "url",
            Kind::Email => "addresses",
            Kind::Push => "subscription",
        }
    }
}

/// What an event says, as the catalog wrote it down when it happened. Field names are those of a webhook's `data`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub at: DateTime<Utc>,
    pub tenant: Tenant,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<Backup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// In what a backup differs from those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// When what is overdue should have begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Failures of this kind that were not told since the last one was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folded_since: Option<DateTime<Utc>>,
    /// The failures that this success ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// Who wanted to see whether it arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tenant {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Named {
    pub id: Uuid,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backup {
    pub id: Uuid,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub trigger: String,
    pub created_at: DateTime<Utc>,
    /// Bytes stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// From its beginning to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warnings: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Restore {
    pub id: Uuid,
    /// It reverses another one.
    pub undo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub message: String,
}

/// Bytes that a tenant stores, and may store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Quota {
    pub stored: u64,
    pub limit: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recovered {
    pub failures: u64,
    pub since: DateTime<Utc>,
}

/// A message on its way to one receiver.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    pub event: Event,
    pub message: &'a Message,
    /// Marked as such, wherever it is read.
    pub test: bool,
    /// Where the dashboard is; without it nothing is linked.
    pub dashboard: Option<&'a str>,
}

impl Notice<'_> {
    /// The page of the dashboard that it is about.
    pub fn link(&self) -> Option<String> {
        let dashboard = self.dashboard?.trim_end_matches('/');
        let page = match (&self.message.backup, self.event) {
            _ if self.test => "/settings".to_string(),
            (Some(backup), _) => format!("/backups/{}", backup.id),
            (None, Event::QuotaNear | Event::QuotaExceeded) => "/backups".to_string(),
            (None, _) => "/schedules".to_string(),
        };
        Some(format!("{dashboard}/#{page}"))
    }
}

#[cfg(test)]
pub(crate) mod tests;
