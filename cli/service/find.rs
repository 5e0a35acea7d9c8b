//! One backup by what a person calls it, among those of a catalog.

use super::pages::Pages;
use super::{Service, summary};
use crate::{ask, human, output};
use chrono::{DateTime, Utc};
use rovodev::core::manifest::Trigger;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::{has_digits, short_id};
use rovodev::tasks::operators::BackupRow;
use uuid::Uuid;

const PAGE: usize = 200;
/// Backups that a person is offered.
const OFFERED: usize = 100;
/// Candidates that an ambiguous name lists.
const LISTED: usize = 10;

/// A backup by `latest`, its id, its name, or four or more digits of its id. `latest` is the newest that was completed,
/// is no safety backup and holds `component`: one that is not known to be damaged before one that is, a whole one before a
/// part.
pub async fn find(service: &Service, what: &str, component: Option<&str>) -> Result<BackupRow> {
    let id = match (what, Uuid::parse_str(what)) {
        ("latest", _) => latest(service, component).await?,
        (_, Ok(id)) => id,
        _ => named(service, what).await?,
    };
    service.backup(id).await
}

async fn latest(service: &Service, component: Option<&str>) -> Result<Uuid> {
    let (mut pages, mut part): (_, Option<BackupRow>) = (Pages::new(service, PAGE), None);
    let mut damaged: Option<BackupRow> = None;
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        let usable = page.into_iter().filter(|b| {
            let holds = component.is_none_or(|c| b.holds(c));
            b.is_completed() && b.trigger != Trigger::Safety && holds
        });
        for backup in usable {
            if backup.is_damaged() {
                damaged.get_or_insert(backup);
                continue;
            }
            // A tenant's scope is its whole.
            if backup.selection.schemas.is_empty() && backup.selection.tables.is_empty() {
                if let Some(newer) = damaged.filter(|d| d.created_at > backup.created_at) {
                    output::warn(&format!(
                        "latest is {:?}; the newer {:?} is damaged and was passed over (name it to take it)",
                        backup.name, newer.name
                    ));
                }
                if let Some(newer) = &part {
                    output::warn(&format!(
                        "latest is {:?}; the newer {:?} holds {} alone and was passed over (name it to take it)",
                        backup.name, newer.name, newer.selection
                    ));
                }
                return Ok(backup.id);
            }
            part.get_or_insert(backup);
        }
    }
    let Some(part) = part else {
        let damaged = damaged.ok_or_else(|| not_found(service, "latest"))?;
        output::warn(&format!(
            "latest is {:?}, which is damaged; there is no backup that is not",
            damaged.name
        ));
        return Ok(damaged.id);
    };
    output::warn(&format!(
        "latest is {:?}, which holds {} alone; there is no backup of the whole database",
        part.name, part.selection
    ));
    Ok(part.id)
}

async fn named(service: &Service, what: &str) -> Result<Uuid> {
    let all = Pages::new(service, PAGE).first(usize::MAX).await?;
    let called = |b: &&BackupRow| b.name == what;
    let mut fitting: Vec<&BackupRow> = all.iter().filter(called).collect();
    if fitting.is_empty() {
        fitting = all.iter().filter(|b| has_digits(b.id, what)).collect();
    }
    match fitting[..] {
        [] => Err(not_found(service, what)),
        [one] => Ok(one.id),
        _ => Err(ambiguous(what, &fitting)),
    }
}

/// A person chooses among the newest; `latest` is preselected, never a safety backup: these come last.
pub async fn choose(service: &Service) -> Result<BackupRow> {
    let mut usable = Pages::new(service, OFFERED).first(OFFERED).await?;
    usable.retain(|b| b.is_completed() && b.holds("database"));
    usable.sort_by_key(|b| (b.trigger == Trigger::Safety, b.is_damaged()));
    if usable.is_empty() {
        return Err(not_found(service, "of the database"));
    }
    let now = Utc::now();
    let items: Vec<String> = usable.iter().map(|b| item(b, now)).collect();
    let latest = usable.iter().position(|b| {
        let whole = b.selection.schemas.is_empty() && b.selection.tables.is_empty();
        b.trigger != Trigger::Safety && whole && !b.is_damaged()
    });
    let chosen = ask::choose("Which backup?", &items, latest)?;
    service.backup(usable[chosen].id).await
}

fn item(row: &BackupRow, now: DateTime<Utc>) -> String {
    let summary = summary::of(row);
    format!(
        "{}  {}  {}{}, {}, {}",
        short_id(row.id),
        row.name,
        if row.is_damaged() { "damaged, " } else { "" },
        human::ago(summary.finished_at, now),
        summary.what_it_holds(),
        human::counted(row.records(), "row")
    )
}

fn not_found(service: &Service, what: &str) -> Error {
    let place = service.describe();
    Error::new(
        Code::BackupNotFound,
        format!("there is no backup {what:?} in the catalog of {place}"),
    )
    .hint("`rovodev list` shows the backups that are there.")
}

fn ambiguous(what: &str, fitting: &[&BackupRow]) -> Error {
    let mut lines: Vec<String> = fitting
        .iter()
        .take(LISTED)
        .map(|b| {
            let made = human::exact(b.created_at);
            format!("{}  {made}  {}  {}", short_id(b.id), b.status, b.name)
        })
        .collect();
    if fitting.len() > LISTED {
        lines.push(format!("and {} older ones", fitting.len() - LISTED));
    }
    let message = format!(
        "{what:?} fits {} backups:\n  {}",
        fitting.len(),
        lines.join("\n  ")
    );
    Error::new(Code::Usage, message).hint("Give the digits in front of the one that is meant.")
}
