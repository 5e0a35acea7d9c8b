use super::TENANT;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::{DateTime, Utc};
use clap::Args;
use rovodev::config::Settings;
use rovodev::core::manifest::{BackupType, Trigger};
use rovodev::error::Result;
use rovodev::tasks::backups::{self, Listed, Summary};
use rovodev::tasks::{Context, places};
use serde_json::{Value, json};
use std::collections::HashMap;

/// List backups, newest first
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev list
  rovodev list --limit 5 --store s3://backups/app
  rovodev list --limit 0 --json        every backup, with exact times and bytes

Reads the manifests in the store; changes nothing and needs no database.

{}", crate::exit::help()))]
pub struct ListArgs {
    /// How many to show; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub async fn run(args: ListArgs, settings: &Settings) -> Result<Answer> {
    let store = places::store(settings)?;
    let ctx = Context::default();
    super::readable(&ctx, settings, &store).await?;
    let all = backups::list(&store, TENANT).await?;
    let shown = match args.limit {
        0 => all.as_slice(),
        limit => &all[..limit.min(all.len())],
    };
    let objects: Vec<_> = shown.iter().map(as_json).collect();
    let result = json!({ "store": store.describe(), "total": all.len(), "backups": objects });
    let text = text(&all, shown, &store.describe(), Utc::now());
    Ok(Answer::new(&result, text, Exit::Done))
}

fn as_json(listed: &Listed) -> Value {
    match &listed.manifest {
        Ok(summary) => json!(summary),
        Err(error) => json!({ "id": listed.id, "storedAt": listed.modified, "error": error }),
    }
}

fn text(all: &[Listed], shown: &[Listed], store: &str, now: DateTime<Utc>) -> String {
    if all.is_empty() {
        return format!("No backups in {store} yet. Make one with `rovodev backup`.");
    }
    let mut table = Columns::new(&["<Name", "<Age", "<Type", ">Rows", ">Size", "<Note"]);
    let names = names(all);
    for listed in shown {
        let age = human::ago(listed.finished_at(), now);
        table.row(match &listed.manifest {
            Ok(summary) => row(summary, handle(summary, &names), age),
            Err(e) => {
                let (id, none) = (listed.id.to_string(), String::new);
                [id, age, none(), none(), none(), e.code.as_str().into()]
            }
        });
    }
    let left = all.len() - shown.len();
    let rest = match left {
        0 => String::new(),
        _ => format!(
            "\n{} of {} shown; --limit 0 shows all.",
            shown.len(),
            all.len()
        ),
    };
    table.text() + &rest
}

/// How many backups have each name.
fn names(all: &[Listed]) -> HashMap<&str, u64> {
    let mut names = HashMap::new();
    for summary in all.iter().filter_map(|l| l.manifest.as_ref().ok()) {
        *names.entry(summary.name.as_str()).or_default() += 1;
    }
    names
}

/// What a backup can be called by: its name, or its id where another has the same name.
fn handle(summary: &Summary, names: &HashMap<&str, u64>) -> String {
    match names.get(summary.name.as_str()) {
        Some(1) => human::short(&summary.name, 36),
        _ => summary.id.to_string(),
    }
}

fn row(summary: &Summary, handle: String, age: String) -> [String; 6] {
    let kind = match (summary.trigger, summary.kind) {
        (Trigger::Safety, _) => "safety",
        (_, BackupType::Full) => "full",
        (_, BackupType::Database) => "database",
        (_, BackupType::Config) => "config",
    };
    let note = match summary.warnings.len() as u64 {
        0 => String::new(),
        n => human::counted(n, "warning"),
    };
    [
        handle,
        age,
        kind.into(),
        human::count(summary.totals.rows),
        human::bytes(summary.totals.stored_bytes),
        note,
    ]
}
