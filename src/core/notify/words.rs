//! What a message says to a person.

use super::{Event, Notice};
use crate::core::counted::counted;
use crate::core::size;
use chrono::{DateTime, Utc};

/// What is said, in the order in which it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line: a subject.
    pub title: String,
    /// What it means.
    pub lead: String,
    pub facts: Vec<Fact>,
    /// What went wrong.
    pub error: Option<String>,
    /// What was not told in between, or what is over.
    pub note: Option<String>,
    /// On what leads to the dashboard.
    pub action: &'static str,
}

/// A line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub label: &'static str,
    pub value: String,
}

pub fn words(notice: &Notice<'_>) -> Words {
    let message = notice.message;
    let about = message
        .schedule
        .as_ref()
        .map(|s| s.name.as_str())
        .or(message.backup.as_ref().map(|b| b.name.as_str()))
        .unwrap_or(&message.tenant.name);
    let (title, lead) = match (notice.test, notice.event, &message.recovered) {
        (true, ..) => (
            "Test message".to_string(),
            "This is a test. Nothing happened, and messages arrive here.".to_string(),
        ),
        (_, Event::BackupSucceeded, Some(_)) => (
            format!("Backups work again: {about}"),
            "A backup succeeded after failures.".to_string(),
        ),
        (_, Event::BackupSucceeded, None) => (
            format!("Backup succeeded: {about}"),
            "The backup is complete and can be restored.".to_string(),
        ),
        (_, Event::BackupFailed, _) => (
            format!("Backup failed: {about}"),
            "No backup was made. Earlier backups are not affected.".to_string(),
        ),
        (_, Event::BackupOverdue, _) => (
            format!("Backup overdue: {about}"),
            "A scheduled backup did not happen in time.".to_string(),
        ),
        (_, Event::RestoreDone, _) => (
            format!("{} done: {about}", restore(notice)),
            "The data was written.".to_string(),
        ),
        (_, Event::RestoreFailed, _) => (
            format!("{} failed: {about}", restore(notice)),
            "The restore ended with an error.".to_string(),
        ),
        (_, Event::VerificationFailed, _) => (
            format!("Backup damaged: {about}"),
            "The backup was read back from the store, and is not what was written. Take a new backup now: it \
             writes damaged rows again, as far as the database still has them. Restore from a backup that is not damaged."
                .to_string(),
        ),
        (_, Event::BackupAnomaly, _) => (
            format!("Backup is unlike the ones before: {about}"),
            "The backup is complete. It differs from those before it, so look whether that is meant, while \
             there are backups from before."
                .to_string(),
        ),
        (_, Event::QuotaNear, _) => (
            format!("Backups near their limit: {about}"),
            "The backups of this tenant take most of what they may. They go on being taken.".to_string(),
        ),
        (_, Event::QuotaExceeded, _) => (
            format!("Backups over their limit: {about}"),
            "The backups of this tenant take more than they may. They go on being taken: delete what is not \
             needed, keep fewer, or ask for a higher limit."
                .to_string(),
        ),
        (_, Event::VerificationRecovered, _) => (
            format!("Backups are whole again: {about}"),
            "The backup was read back from the store again, and is what was written.".to_string(),
        ),
    };
    Words {
        title: plain(&title),
        lead,
        facts: facts(notice),
        error: match &message.error {
            Some(e) => Some(match &e.code {
                Some(code) => format!("{} ({code})", e.message),
                None => e.message.clone(),
            }),
            None => (!message.anomalies.is_empty()).then(|| message.anomalies.join("\n")),
        },
        note: note(notice),
        action: match (notice.test, notice.event, &message.backup) {
            (true, ..) => "Open settings",
            (_, Event::QuotaNear | Event::QuotaExceeded, _) => "See the backups",
            (_, _, None) => "Open schedules",
            (
                _,
                Event::BackupFailed
                | Event::BackupOverdue
                | Event::RestoreFailed
                | Event::VerificationFailed,
                _,
            ) => "See what happened",
            _ => "Open backup",
        },
    }
}

fn restore(notice: &Notice<'_>) -> &'static str {
    match notice.message.restore.as_ref().is_some_and(|r| r.undo) {
        true => "Undo",
        false => "Restore",
    }
}

/// One line, whatever somebody put into a name: a subject is a header.
fn plain(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(200).collect()
}

fn facts(notice: &Notice<'_>) -> Vec<Fact> {
    let message = notice.message;
    let backup = message.backup.as_ref();
    let seconds = match &message.restore {
        Some(restore) => restore.seconds,
        None => backup.and_then(|b| b.seconds),
    };
    let quota = message.quota.as_ref();
    let by = message.restore.as_ref().and_then(|r| r.by.clone());
    let told = [
        ("Tenant", Some(message.tenant.name.clone())),
        (
            "Schedule",
            message.schedule.as_ref().map(|s| s.name.clone()),
        ),
        ("Backup", backup.map(|b| b.name.clone())),
        ("Stored", quota.map(|q| size::formatted(q.stored))),
        ("Limit", quota.map(|q| size::formatted(q.limit))),
        ("Was due", message.due_at.map(time)),
        ("Size", backup.and_then(|b| b.size).map(size::formatted)),
        (
            "Records",
            backup.and_then(|b| b.records).map(|n| n.to_string()),
        ),
        ("Took", seconds.map(duration)),
        (
            "Warnings",
            backup
                .filter(|b| b.warnings > 0)
                .map(|b| b.warnings.to_string()),
        ),
        ("Asked for by", by.or_else(|| message.asked_by.clone())),
        ("Time", Some(time(message.at))),
    ];
    let told = told.into_iter();
    told.filter_map(|(label, value)| value.map(|value| Fact { label, value }))
        .collect()
}

fn note(notice: &Notice<'_>) -> Option<String> {
    let message = notice.message;
    if let Some(over) = &message.recovered {
        let what = match notice.event {
            Event::VerificationRecovered => "Damage had been found",
            _ => "It had failed",
        };
        return Some(format!(
            "{what} {} since {}.",
            times(over.failures),
            time(over.since)
        ));
    }
    let since = message.folded_since.filter(|_| message.folded > 0)?;
    Some(format!(
        "And {} more since {}. The same failure is told once an hour.",
        message.folded,
        time(since)
    ))
}

fn times(number: u64) -> String {
    match number {
        1 => "once".into(),
        n => counted(n, "time"),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
