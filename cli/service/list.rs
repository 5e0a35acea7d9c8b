//! `list` from a catalog: also what is being taken, and what failed.

use super::pages::Pages;
use super::{Service, summary};
use crate::args::Common;
use crate::commands::list::{self, ListArgs};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::{DateTime, Utc};
use rovodev::core::manifest::Trigger;
use rovodev::error::Result;
use rovodev::tasks::operators::BackupRow;
use serde_json::{Value, json};

pub async fn run(service: &Service, args: ListArgs, common: &Common) -> Result<Answer> {
    let (limit, shown) = (args.limit(), args.shown(common));
    let mut pages = Pages::new(service, limit);
    let wanted = |row: &BackupRow| shown.shows(row.trigger == Trigger::Safety);
    let (rows, passed_over) = pages.first_of(limit, wanted).await?;
    let objects: Vec<Value> = rows.iter().map(summary::json).collect();
    let place = service.describe();
    let result = json!({ "store": place, "total": pages.total, "backups": objects });
    let text = match pages.total {
        0 => format!("No backups in the catalog of {place} yet. Make one with `rovodev backup`."),
        total => {
            let total = usize::try_from(total).unwrap_or(usize::MAX);
            list::with_rest(&table(&rows), shown, rows.len(), passed_over, total)
        }
    };
    Ok(Answer::new(&result, text, Exit::Done))
}

fn table(rows: &[BackupRow]) -> Columns {
    let mut table = list::columns();
    let now = Utc::now();
    for row in rows {
        table.row(cells(row, now));
    }
    table
}

fn cells(row: &BackupRow, now: DateTime<Utc>) -> [String; 7] {
    let summary = summary::of(row);
    let mut cells = list::row(&summary, human::shortly_ago(summary.finished_at, now));
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
    if row.is_damaged() {
        notes.push("damaged".into());
    }
    if row.pinned {
        notes.push("pinned".into());
    }
    cells[6] = notes.join(", ");
    cells
}
