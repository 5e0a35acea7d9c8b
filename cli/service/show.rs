//! `show` from a catalog.

use super::find::find;
use super::{Service, summary};
use crate::commands::show::{self, ShowArgs, Shown, TableShown};
use crate::exit::Exit;
use crate::output::Answer;
use rovodev::core::ident::QName;
use rovodev::error::Result;
use rovodev::tasks::operators::BackupRow;
use serde_json::{Value, json};

pub async fn run(service: &Service, args: ShowArgs) -> Result<Answer> {
    let row = find(service, &args.backup, None).await?;
    Ok(Answer::new(&as_json(&row), text(&row), Exit::Done))
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
