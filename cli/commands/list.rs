use super::TENANT;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::{DateTime, Utc};
use clap::Args;
use rovodev::config::Settings;
use rovodev::error::Result;
use rovodev::tasks::backups::{self, Listed, Newest, Summary};
use rovodev::tasks::places;
use serde_json::{Value, json};

/// Characters of a name that a terminal shows; those that backups get by themselves fit.
const LONGEST_NAME: usize = 26;

/// List backups, newest first
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev list
  rovodev list --limit 5 --store s3://backups/app
  rovodev list --limit 0 --json        every backup, with exact times and bytes

Any backup can be called by its name or its id; the digits shown are the end of
the id and enough. Reads the manifests in the store; changes nothing and needs
no database.

{}", crate::exit::help()))]
pub struct ListArgs {
    /// How many to show; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub async fn run(args: ListArgs, settings: &Settings) -> Result<Answer> {
    let store = places::store(settings)?;
    let limit = match args.limit {
        0 => usize::MAX,
        limit => limit,
    };
    let newest = match super::readable_if_any(settings, &store).await? {
        Some(_) => backups::newest(&store, TENANT, limit).await?,
        None => Newest::default(),
    };
    let objects: Vec<_> = newest.backups.iter().map(as_json).collect();
    let result = json!({ "store": store.describe(), "total": newest.total, "backups": objects });
    let text = text(&newest, &store.describe(), Utc::now());
    Ok(Answer::new(&result, text, Exit::Done))
}

fn as_json(listed: &Listed) -> Value {
    match &listed.manifest {
        Ok(summary) => json!(summary),
        Err(error) => json!({ "id": listed.id, "storedAt": listed.finished_at, "error": error }),
    }
}

fn text(newest: &Newest, store: &str, now: DateTime<Utc>) -> String {
    if newest.total == 0 {
        return format!(
            "No backups in {store} yet. Make one with `rovodev backup`.\n\
             Where there should be some, check the place: --store or BACKUP_STORE."
        );
    }
    let mut table = Columns::new(&["<Id", "<Name", "<Age", "<Type", ">Rows", ">Size", "<Note"]);
    for listed in &newest.backups {
        let age = human::ago(listed.finished_at, now);
        table.row(match &listed.manifest {
            Ok(summary) => row(summary, age),
            Err(e) => {
                let (id, none) = (backups::short_id(listed.id), String::new);
                [
                    id,
                    none(),
                    age,
                    none(),
                    none(),
                    none(),
                    e.code.as_str().into(),
                ]
            }
        });
    }
    let shown = newest.backups.len();
    let rest = match newest.total.saturating_sub(shown) {
        0 => String::new(),
        _ => format!("\n{shown} of {} shown; --limit 0 shows all.", newest.total),
    };
    table.text() + &rest
}

fn row(summary: &Summary, age: String) -> [String; 7] {
    let kind = summary.what_it_holds();
    let (kind, part) = kind.split_once(',').unwrap_or((&kind, ""));
    let mut notes = Vec::new();
    if !part.is_empty() {
        notes.push("partial".to_string());
    }
    if !summary.warnings.is_empty() {
        notes.push(human::counted(summary.warnings.len() as u64, "warning"));
    }
    [
        backups::short_id(summary.id),
        human::fitted(&summary.name, LONGEST_NAME),
        age,
        kind.into(),
        human::count(summary.totals.rows),
        human::bytes(summary.totals.stored_bytes),
        notes.join(", "),
    ]
}
