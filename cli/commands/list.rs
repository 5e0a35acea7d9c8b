use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::table::Columns;
use chrono::{DateTime, Utc};
use clap::Args;
use rovodev::config::Settings;
use rovodev::core::keys::DEFAULT_TENANT;
use rovodev::error::Result;
use rovodev::tasks::backups::{self, Listed, Newest, Summary};
use rovodev::tasks::places;
use serde_json::{Value, json};

/// List backups, newest first
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev list
  rovodev list --limit 5 --store s3://backups/app
  rovodev list --safety                what restores took before they began
  rovodev list --limit 0 --json        every backup, with exact times and bytes

A safety backup is what a restore in place takes of the tables that it is about
to change. They are counted below the list and shown by --safety; --json lists
all, with \"trigger\": \"safety\" for them.

Any backup can be called by its name or its id; the digits shown are the end of
the id and enough. Reads the manifests in the store; changes nothing and needs
no database.

{}", crate::exit::help()))]
pub struct ListArgs {
    /// How many to show; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Show safety backups alone
    #[arg(long)]
    safety: bool,
}

/// Which backups a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    All,
    Safety,
    NoSafety,
}

impl Shown {
    pub fn shows(self, is_safety: bool) -> bool {
        match self {
            Shown::All => true,
            Shown::Safety => is_safety,
            Shown::NoSafety => !is_safety,
        }
    }
}

impl ListArgs {
    pub fn limit(&self) -> usize {
        match self.limit {
            0 => usize::MAX,
            limit => limit,
        }
    }

    pub fn shown(&self, common: &Common) -> Shown {
        match (self.safety, common.json) {
            (true, _) => Shown::Safety,
            (false, true) => Shown::All,
            (false, false) => Shown::NoSafety,
        }
    }
}

pub async fn run(args: ListArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let store = places::store(settings)?;
    let (tenant, shown) = (super::tenant(settings)?, args.shown(common));
    let newest = match super::readable_if_any(settings, &store).await? {
        Some(_) => {
            let wanted = |listed: &Listed| shown.shows(listed.is_safety());
            backups::newest_of(&store, tenant, args.limit(), wanted).await?
        }
        None => Newest::default(),
    };
    let objects: Vec<_> = newest.backups.iter().map(as_json).collect();
    let result = json!({ "store": store.describe(), "total": newest.total, "backups": objects });
    let place = match tenant == DEFAULT_TENANT {
        true => store.describe(),
        false => format!("{} of tenant {tenant}", store.describe()),
    };
    let text = text(&newest, shown, &place, Utc::now());
    Ok(Answer::new(&result, text, Exit::Done))
}

fn as_json(listed: &Listed) -> Value {
    match &listed.manifest {
        Ok(summary) => json!(summary),
        Err(error) => json!({ "id": listed.id, "storedAt": listed.finished_at, "error": error }),
    }
}

fn text(newest: &Newest, shown: Shown, store: &str, now: DateTime<Utc>) -> String {
    if newest.total == 0 {
        return format!(
            "No backups in {store} yet. Make one with `rovodev backup`.\n\
             Where there should be some, check the place: --store or BACKUP_STORE."
        );
    }
    let mut table = columns();
    for listed in &newest.backups {
        let age = human::shortly_ago(listed.finished_at, now);
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
    let (rows, total) = (newest.backups.len(), newest.total);
    with_rest(&table, shown, rows, newest.passed_over, total)
}

/// The table, and below it what is not in it: `passed_over` were seen and are of the other kind, of `total` in all.
pub fn with_rest(
    table: &Columns,
    shown: Shown,
    rows: usize,
    passed_over: usize,
    total: usize,
) -> String {
    let mut lines = Vec::new();
    if rows > 0 {
        lines.push(table.text());
    }
    let not_seen = total.saturating_sub(rows + passed_over);
    match (rows, shown) {
        (0, Shown::Safety) => lines.push("No safety backups.".into()),
        (0, _) => lines.push("No backups but those that restores took.".into()),
        _ => {}
    }
    if shown == Shown::NoSafety && passed_over > 0 {
        let counted = human::counted(passed_over as u64, "safety backup");
        lines.push(format!("And {counted} of restores: rovodev list --safety"));
    }
    if not_seen > 0 {
        let older = human::counted(not_seen as u64, "older backup");
        lines.push(format!("And {older}: --limit 0 shows all."));
    }
    lines.join("\n")
}

pub fn columns() -> Columns {
    Columns::new(&["<Id", "<Name", "<Age", "<Type", ">Rows", ">Size", "<Note"])
        .giving_way(1, 17)
        .expendable(&[5, 4, 3])
}

pub fn row(summary: &Summary, age: String) -> [String; 7] {
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
        summary.name.clone(),
        age,
        kind.into(),
        human::count(summary.totals.rows),
        human::bytes(summary.totals.stored_bytes),
        notes.join(", "),
    ]
}
