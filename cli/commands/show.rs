use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use rovodev::config::Settings;
use rovodev::core::manifest::{Manifest, SchemaStatus};
use rovodev::error::Result;
use rovodev::tasks::backups::{self, SchemaSummary, Summary, Wanted};
use rovodev::tasks::places;
use serde_json::{Value, json};

/// Show one backup: its tables, files, schema and warnings
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev show latest
  rovodev show backup_2025-12-22_14-30-00 --json

Reads one manifest; changes nothing and needs no database.

{}", crate::exit::help()))]
pub struct ShowArgs {
    /// Name, id (or its first or last digits), or latest
    #[arg(value_name = "BACKUP")]
    pub backup: String,
}

pub async fn run(args: ShowArgs, settings: &Settings) -> Result<Answer> {
    let (store, tenant) = (places::store(settings)?, super::tenant(settings)?);
    if super::readable_if_any(settings, &store).await?.is_none() {
        return Err(backups::none_yet(&store));
    }
    let manifest = super::named(&store, tenant, &args.backup, Wanted::Anything).await?;
    Ok(Answer::new(
        &as_json(&manifest),
        text(&Shown::of(&manifest)),
        Exit::Done,
    ))
}

fn as_json(manifest: &Manifest) -> Value {
    let tables = manifest.tables.iter().map(|t| {
        let stored: u64 = t.segments().map(|s| s.stored_bytes).sum();
        json!({ "schema": t.name.schema, "name": t.name.name, "rows": t.rows, "rawBytes": t.raw_bytes,
                "storedBytes": stored, "segments": t.segments().count() })
    });
    let files = manifest.config.iter();
    let mut shown = json!(Summary::of(manifest));
    shown["tables"] = tables.collect();
    shown["files"] = files
        .map(|f| json!({ "path": f.path, "bytes": f.object.raw_bytes }))
        .collect();
    shown["source"] = json!(manifest.source);
    if let Some(source) = &manifest.source {
        shown["source"]["postmasterStartedAt"] = moment(&source.postmaster_started_at).into();
    }
    shown["toolVersion"] = json!(manifest.tool_version);
    shown
}

/// The manifest holds the server's own words for it (`2026-11-21 22:38:36.860141+00`).
fn moment(postgres: &str) -> String {
    match DateTime::parse_from_str(postgres, "%Y-%m-%d %H:%M:%S%.f%#z") {
        Ok(moment) => {
            let utc = moment.with_timezone(&Utc);
            utc.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        }
        Err(_) => postgres.into(),
    }
}

/// A backup as people see it, from its manifest or from a catalog.
pub struct Shown {
    pub summary: Summary,
    /// Absent for configuration alone, or where it is not told.
    pub server_version: Option<String>,
    pub definitions_known: bool,
    pub tables: Vec<TableShown>,
    /// Paths and bytes.
    pub files: Vec<(String, u64)>,
}

pub struct TableShown {
    pub name: String,
    pub rows: u64,
    pub raw_bytes: u64,
    pub stored_bytes: u64,
}

impl Shown {
    fn of(manifest: &Manifest) -> Self {
        let tables = manifest.tables.iter().map(|t| TableShown {
            name: t.name.to_string(),
            rows: t.rows,
            raw_bytes: t.raw_bytes,
            stored_bytes: t.segments().map(|s| s.stored_bytes).sum(),
        });
        let files = manifest.config.iter();
        Self {
            summary: Summary::of(manifest),
            server_version: manifest.source.as_ref().map(|s| s.server_version.clone()),
            definitions_known: true,
            tables: tables.collect(),
            files: files
                .map(|f| (f.path.clone(), f.object.raw_bytes))
                .collect(),
        }
    }
}

pub fn text(shown: &Shown) -> String {
    let mut parts = vec![facts(shown)];
    if !shown.tables.is_empty() {
        parts.push(tables(&shown.tables));
    }
    if !shown.files.is_empty() {
        let mut table = Columns::new(&["<File", ">Size"]);
        for (path, size) in &shown.files {
            table.row([path.clone(), human::bytes(*size)]);
        }
        parts.push(table.text());
    }
    let summary = &shown.summary;
    let warnings = summary.warnings.iter().map(|w| format!("! {}", w.message));
    let notes = summary.left_out.iter().map(|n| format!("- {}", n.message));
    let lines: Vec<_> = warnings.chain(notes).collect();
    if !lines.is_empty() {
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

fn facts(shown: &Shown) -> String {
    let summary = &shown.summary;
    let totals = &summary.totals;
    let mut lines = vec![
        ("Name", summary.name.clone()),
        ("Id", summary.id.to_string()),
        (
            "Taken",
            format!(
                "{} ({})",
                human::exact(summary.finished_at),
                human::ago(summary.finished_at, Utc::now())
            ),
        ),
    ];
    if let (Some(database), Some(version)) = (&summary.database, &shown.server_version) {
        lines.push((
            "Source",
            format!("{database} on PostgreSQL {}", human::version(version)),
        ));
        if shown.definitions_known {
            lines.push(("Schema", schema(&summary.schema)));
        }
    }
    if !summary.selection.is_whole() {
        lines.push(("Part", format!("{} alone", summary.selection)));
    }
    lines.push((
        "Holds",
        format!(
            "{}, {}, {}",
            human::counted(totals.tables, "table"),
            human::counted(totals.rows, "row"),
            human::counted(totals.files, "file")
        ),
    ));
    lines.push((
        "Size",
        format!(
            "{} of rows, {} stored, {} of it new",
            human::bytes(totals.raw_bytes),
            human::bytes(totals.stored_bytes),
            human::bytes(totals.new_bytes)
        ),
    ));
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, text)| format!("{name:<7} {text}"))
        .collect();
    lines.join("\n")
}

fn schema(schema: &SchemaSummary) -> String {
    match schema.status {
        SchemaStatus::Captured => {
            let version = schema.pg_dump_version.as_deref().unwrap_or("?");
            format!("captured by pg_dump {version}")
        }
        SchemaStatus::Missing => {
            let why = schema.reason.as_deref().unwrap_or("pg_dump was not usable");
            format!("missing ({why}); restores only over existing tables")
        }
        SchemaStatus::NotIncluded => "not part of this backup".into(),
    }
}

fn tables(tables: &[TableShown]) -> String {
    let mut table = Columns::new(&["<Table", ">Rows", ">Size", ">Stored"]).giving_way(0, 12);
    for t in tables {
        table.row([
            t.name.clone(),
            human::count(t.rows),
            human::bytes(t.raw_bytes),
            human::bytes(t.stored_bytes),
        ]);
    }
    table.text()
}
