//! `list` from a catalog: also what is being taken, and what failed.

use super::pages::Pages;
use super::{Service, summary};
use crate::commands::list::{self, ListArgs};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use chrono::{DateTime, Utc};
use rovodev::error::Result;
use rovodev::tasks::operators::BackupRow;
use serde_json::{Value, json};

pub async fn run(service: &Service, args: ListArgs) -> Result<Answer> {
    let limit = match args.limit {
        0 => usize::MAX,
        limit => limit,
    };
    let mut pages = Pages::new(service, limit);
    let rows = pages.first(limit).await?;
    let objects: Vec<Value> = rows.iter().map(summary::json).collect();
    let place = service.describe();
    let result = json!({ "store": place, "total": pages.total, "backups": objects });
    let text = text(&rows, pages.total, &place);
    Ok(Answer::new(&result, text, Exit::Done))
}

fn text(rows: &[BackupRow], total: u64, place: &str) -> String {
    if total == 0 {
        return format!(
            "No backups in the catalog of {place} yet. Make one with `rovodev backup`."
        );
    }
    let mut table = list::columns();
    let now = Utc::now();
    for row in rows {
        table.row(cells(row, now));
    }
    let shown = rows.len() as u64;
    let rest = match total.saturating_sub(shown) {
        0 => String::new(),
        _ => format!("\n{shown} of {total} shown; --limit 0 shows all."),
    };
    table.text() + &rest
}

fn cells(row: &BackupRow, now: DateTime<Utc>) -> [String; 7] {
    let summary = summary::of(row);
    let mut cells = list::row(&summary, human::ago(summary.finished_at, now));
    let mut notes = Vec::new();
    match (row.status.as_str(), row.failure()) {
        ("completed", _) => {}
        (_, Some(error)) if row.status == "failed" => notes.push(error.code.as_str().to_string()),
        (status, _) => notes.push(status.replace('_', " ")),
    }
    if !row.selection.schemas.is_empty() || !row.selection.tables.is_empty() {
        notes.push("partial".into());
    }
    if row.warning_count() > 0 {
        notes.push(human::counted(row.warning_count(), "warning"));
    }
    if row.pinned {
        notes.push("pinned".into());
    }
    cells[6] = notes.join(", ");
    cells
}
