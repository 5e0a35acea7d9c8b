use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::remote;
use crate::table::Columns;
use crate::width;
use chrono::Utc;
use clap::Args;
use dialoguer::console::style;
use rovodev::config::{DATABASE_URL, Settings};
use rovodev::error::Result;
use rovodev::ports::postgres::overview::Overview;
use rovodev::tasks::restore::in_place::Operation;
use rovodev::tasks::status::{self, CatalogFound, Details, Health, Probe, Status, StoreFound};
use std::time::Duration;
use url::Url;

/// Tables that `--verbose` shows to people; `--json` has all.
const TABLES_SHOWN: usize = 20;

/// Columns in front of what a line says.
const BESIDE: usize = 13;

/// Show whether everything is well: database, store, last backup, settings
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev status
  rovodev status --verbose        with the largest tables and every setting
  rovodev status --json

Asks the database, pg_dump, the store and the catalog, where there is one, at
the same time; one that hangs is named. Changes nothing in the database; writes
a small object into the store and deletes it. Counted are the tables that a
backup takes, partitions one by one: the app's, and not the platform's or the
catalog's. Exit code 0 when all is well, 3 with warnings, 6 when the database,
the store or the catalog cannot be reached.

{}", crate::exit::help()))]
pub struct StatusArgs {
    /// The database [DATABASE_URL]
    #[arg(long, value_name = "URL", hide_short_help = true)]
    database_url: Option<String>,
    /// How long to wait for each part
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl StatusArgs {
    pub fn refuse_remotely(&self) -> Result<()> {
        let own = "the deployment has its own database";
        remote::refuse(&[(self.database_url.is_some(), "--database-url", own)])
    }
}

pub async fn run(args: StatusArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let settings = settings.flag(&DATABASE_URL, args.database_url);
    let detailed = common.verbosity > 0;
    let limit = Duration::from_secs(args.timeout);
    let details = Details {
        each_table: detailed,
        catalog: !common.without_catalog,
    };
    let status = status::look(&settings, limit.into(), details).await;
    let exit = match status.health {
        Health::Well => Exit::Done,
        Health::Warnings => Exit::Warnings,
        Health::Unreachable => Exit::CannotConnect,
    };
    Ok(Answer::new(&status, text(&status, detailed), exit))
}

fn text(status: &Status, detailed: bool) -> String {
    let mut parts = vec![overview(status)];
    if detailed {
        parts.extend(status.source.ok().map(tables));
        parts.push(settings(status));
    }
    if !status.warnings.is_empty() {
        let lines = status.warnings.iter();
        let lines: Vec<_> = lines
            .map(|w| format!("{} {}", style("!").yellow().bold(), w.message))
            .collect();
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

fn overview(status: &Status) -> String {
    let mut lines = vec![
        ("Database", told(&status.source, |o| database(o, status))),
        (
            "pg_dump",
            told(&status.pg_dump, |p| {
                format!("version {}, {}", p.version, p.path)
            }),
        ),
        ("Store", told(&status.store, store)),
        ("Last backup", told(&status.store, last_backup)),
    ];
    let found = status.catalog.as_ref();
    lines.extend(found.map(|found| ("Catalog", told(found, catalog))));
    lines.push(("Undoable", told(&status.undoable, |all| undoable(all))));
    lines.push(("Settings", configuration(status)));
    let lines: Vec<_> = lines.iter().map(|(name, told)| line(name, told)).collect();
    lines.join("\n")
}

/// What a line is about, and what it says; what does not fit goes on below that.
pub fn line(name: &str, text: &str) -> String {
    let columns = width::of_stdout().map(|columns| columns.saturating_sub(BESIDE));
    let text = width::further_in(text, columns, 0).replace('\n', &format!("\n{:BESIDE$}", ""));
    format!("{} {text}", style(format!("{name:<12}")).bold())
}

fn told<T>(probe: &Probe<T>, tell: impl Fn(&T) -> String) -> String {
    match probe {
        Probe::Ok(answer) => tell(answer),
        Probe::Error(error) => style(format!("not known ({})", error.code.as_str()))
            .red()
            .to_string(),
    }
}

/// Host and port, where the setting is an address.
fn place(status: &Status) -> Option<String> {
    let mut settings = status.configuration.iter();
    let address = settings.find(|s| s.name == DATABASE_URL.name)?;
    let address = Url::parse(address.value.as_ref()?).ok()?;
    let port = address.port().unwrap_or(5432);
    Some(format!(" at {}:{port}", address.host_str()?))
}

fn database(source: &Overview, status: &Status) -> String {
    let role = if source.bypasses_row_security {
        "sees every row"
    } else {
        "is subject to row level security"
    };
    let written = match &source.last_write {
        Some(moment) => format!(", last write {moment}"),
        None => String::new(),
    };
    format!(
        "{}{}, PostgreSQL {}\nas {}, who {role}\n{} to back up, about {}; {} on disk in all{written}",
        source.database,
        place(status).unwrap_or_default(),
        human::version(&source.server_version),
        source.role,
        human::counted(source.tables, "table"),
        human::counted(source.estimated_rows, "row"),
        human::bytes(source.database_bytes),
    )
}

fn store(store: &StoreFound) -> String {
    let bytes = store
        .bytes
        .map(|b| format!(", {}", human::bytes(b)))
        .unwrap_or_default();
    let unwritable = match &store.unwritable {
        Some(_) => "\nno backup can be written (see below)",
        None => "",
    };
    let held = store.held_by.iter().map(|holder| {
        let until = human::exact(holder.until);
        format!("\nheld by {holder}; if it died, until {until}")
    });
    let held: String = held.collect();
    format!(
        "{}\n{}{bytes}{held}{unwritable}",
        store.location,
        human::counted(store.backups, "backup")
    )
}

fn catalog(found: &CatalogFound) -> String {
    let newest = found.newest.as_ref().map(|newest| {
        let age = human::ago(newest.at, Utc::now());
        let status = newest.status.replace('_', " ");
        format!(", the newest {} ({status}, {age})", newest.name)
    });
    format!(
        "{}, tenant {}\n{}{}",
        found.url,
        found.tenant,
        human::counted(found.backups, "backup"),
        newest.unwrap_or_default()
    )
}

fn last_backup(store: &StoreFound) -> String {
    match &store.last_backup {
        None => "none yet".into(),
        Some(last) => {
            let part = match last.selection.is_whole() {
                true => String::new(),
                false => format!("\n{} alone", last.selection),
            };
            let age = human::ago(last.finished_at, Utc::now());
            format!("{}, {age}{part}", last.name)
        }
    }
}

fn undoable(restores: &[Operation]) -> String {
    let Some(newest) = restores.first() else {
        return "no restores".into();
    };
    format!(
        "{}, the newest {} of {}\nrovodev restore --undo {}",
        human::counted(restores.len() as u64, "restore"),
        human::ago(newest.at, Utc::now()),
        newest.backup_name,
        human::operation(newest.id)
    )
}

fn configuration(status: &Status) -> String {
    let set = status
        .configuration
        .iter()
        .filter(|s| s.origin.is_some_and(|o| o != "default"));
    let set: Vec<_> = set.map(|s| s.name).collect();
    match set.is_empty() {
        true => "defaults alone; run `rovodev init`".into(),
        false => set.join(", "),
    }
}

fn tables(source: &Overview) -> String {
    let mut table = Columns::new(&["<Table", ">About rows", ">Size"]).giving_way(0, 12);
    for t in source.largest_tables.iter().take(TABLES_SHOWN) {
        table.row([
            t.table.to_string(),
            human::count(t.estimated_rows),
            human::bytes(t.bytes),
        ]);
    }
    let rest = source.largest_tables.len().saturating_sub(TABLES_SHOWN) as u64;
    match rest {
        0 => table.text(),
        _ => format!(
            "{}\nand {} (--json has all)",
            table.text(),
            human::counted(rest, "smaller table")
        ),
    }
}

fn settings(status: &Status) -> String {
    let mut table = Columns::new(&["<Setting", "<Value", "<From"]).giving_way(1, 12);
    for s in &status.configuration {
        let value = match (&s.value, s.set) {
            (Some(value), _) => value.clone(),
            (None, true) => "(hidden)".into(),
            (None, false) => "-".into(),
        };
        table.row([s.name.into(), value, s.origin.unwrap_or("").into()]);
    }
    table.text()
}
