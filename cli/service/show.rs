//! `show` from a catalog.

use super::find::find;
use super::{Service, summary};
use crate::commands::show::{self, ShowArgs, Shown, TableShown};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use rovodev::core::ident::QName;
use rovodev::error::Result;
use rovodev::tasks::backups::short_id;
use rovodev::tasks::operators::{BackupRow, RestoreRow};
use serde_json::{Value, json};

pub async fn run(service: &Service, args: ShowArgs) -> Result<Answer> {
    let row = find(service, &args.backup, None).await?;
    let restores = restores(service, &row).await?;
    let mut text = text(&row);
    if !restores.is_empty() {
        text += &format!("\n\n{}", table(&restores));
    }
    let mut shown = as_json(&row);
    shown["restores"] = restores.iter().map(restore_json).collect();
    Ok(Answer::new(&shown, text, Exit::Done))
}

/// Restores and undos of it, newest first, whatever became of them.
async fn restores(service: &Service, row: &BackupRow) -> Result<Vec<RestoreRow>> {
    let all = match service {
        Service::Deployment(_) => row.restores.operations.clone(),
        Service::Catalog(workplace) => workplace.operator.restores(None).await?,
    };
    let of_it = |r: &RestoreRow| !r.preview && r.backup_id.is_none_or(|id| id == row.id);
    Ok(all.into_iter().filter(of_it).collect())
}

fn restore_json(restore: &RestoreRow) -> Value {
    json!({
        "operation": restore.id, "status": restore.status, "undoOf": restore.undo_of,
        "completedAt": restore.completed_at, "added": restore.count("rowsAdded"),
        "changed": restore.count("rowsChanged"), "removed": restore.count("rowsRemoved"),
        "error": restore.failure(),
    })
}

fn table(restores: &[RestoreRow]) -> String {
    let heads = ["<Restore", "<Ended", "<State", "<Rows"];
    let mut table = Columns::new(&heads).giving_way(2, 12);
    for r in restores {
        let ended = r.completed_at.map(human::moment).unwrap_or_default();
        let state = match (r.failure(), r.undo_of) {
            (Some(e), _) if r.status == "failed" => format!("failed: {}", e.code.as_str()),
            (_, Some(undone)) => format!("{}, undo of {}", r.status, short_id(undone)),
            _ => r.status.replace('_', " "),
        };
        let counts = ["rowsAdded", "rowsChanged", "rowsRemoved"].map(|c| r.count(c));
        table.row([human::operation(r.id), ended, state, human::rows(counts)]);
    }
    table.text()
}

fn as_json(row: &BackupRow) -> Value {
    let tables = row.contents.tables.iter().map(|t| {
        json!({ "schema": t.schema, "name": t.name, "rows": t.records, "rawBytes": t.raw_size,
                "storedBytes": t.size })
    });
    let files = row.contents.files.iter();
    let mut shown = summary::json(row);
    shown["tables"] = tables.collect();
    shown["files"] = files
        .map(|f| json!({ "path": f.name, "bytes": f.size }))
        .collect();
    shown["source"] = json!(row.contents.source);
    shown
}

fn text(row: &BackupRow) -> String {
    let contents = &row.contents;
    let shown = Shown {
        summary: summary::of(row),
        server_version: contents.source.as_ref().map(|s| s.server_version.clone()),
        definitions_known: contents.definitions.is_some(),
        tables: contents
            .tables
            .iter()
            .map(|t| TableShown {
                name: QName::new(&t.schema, &t.name).to_string(),
                rows: t.records,
                raw_bytes: t.raw_size,
                stored_bytes: t.size,
            })
            .collect(),
        files: contents
            .files
            .iter()
            .map(|f| (f.name.clone(), f.size))
            .collect(),
    };
    let text = show::text(&shown);
    match (row.is_completed(), row.failure()) {
        (true, _) => text,
        (_, Some(error)) => format!("{text}\n\n! {}: {error}", row.status),
        _ => format!("{text}\n\n! {}", row.status.replace('_', " ")),
    }
}
