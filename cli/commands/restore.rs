//! The flags of `restore`, and which of its ways is meant.

mod database;
mod files;
pub mod in_place;
pub mod input;
mod kept;
pub mod plan;
mod safety;
pub mod undo;

use crate::args::Common;
use crate::output::Answer;
use crate::progress::Style;
use crate::{ask, names};
use clap::{Args, ValueEnum};
use rovodev::config::{self, Settings};
use rovodev::core::ident::QName;
use rovodev::core::manifest::{Manifest, Scope, Selection};
use rovodev::core::restore_plan::{Choice, Component, Mode};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::Store;
use rovodev::tasks::backups::Wanted;
use rovodev::tasks::restore::{RestoreRequest, undo_days};
use std::path::PathBuf;

/// How far a restore in place goes where nobody says.
pub const DEFAULT_MODE: Mode = Mode::Exact;

/// Bring a backup back: in place, or into another database
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev restore                                  asks which backup and how
  rovodev restore --input latest --dry-run         the plan alone
  rovodev restore --input ./backups/latest --force
  rovodev restore --input before-migration --mode missing --table calls
  rovodev restore --input latest --target-url \"$OTHER_DATABASE_URL\"
  rovodev restore --undo latest
  rovodev restore --list-undo                      what can be undone

Without --target-url the rows go back into the source, in one transaction,
after a safety backup of the tables concerned; what it changes is kept and can
be undone. It shows first how many rows of each table would be added, changed
and removed, and asks; without a terminal it needs --force. With --target-url
a database is made anew from the backup; it must be empty, or --force drops
the schemas concerned. Rows that refer to rows that are gone are refused, with
or without --force; --leave-out-orphans restores the others.

Modes in place: exact makes the tables as they were, missing brings back only
rows that are gone, keep-newer also changes rows back and removes nothing.
Without --mode it is exact; on a terminal the plan comes first, and then the
question, with what each mode would do.
Configuration files come back only with --component config.

{}", crate::exit::help()))]
pub struct RestoreArgs {
    /// The backup: id, name or latest; or DIR/latest, s3://BUCKET/PREFIX/latest
    #[arg(long, value_name = "BACKUP")]
    pub input: Option<String>,
    /// Into this database instead of in place; its password is better kept in a variable
    #[arg(long, value_name = "URL")]
    pub target_url: Option<String>,
    /// How far a restore in place goes [default: exact; a terminal shows what each would do and asks]
    #[arg(long, value_enum, conflicts_with = "target_url")]
    mode: Option<ModeArg>,
    /// What comes back (repeatable) [default: database]
    #[arg(long = "component", value_enum, value_name = "COMPONENT")]
    components: Vec<ComponentArg>,
    /// Only this schema (repeatable)
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub schemas: Vec<String>,
    /// Only this table, as SCHEMA.TABLE (repeatable)
    #[arg(long = "table", value_name = "TABLE", value_parser = names::table)]
    pub tables: Vec<QName>,
    /// Only one tenant's rows
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = names::scope)]
    pub scope: Option<Scope>,
    /// Show the plan and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; overwrite. With --target-url, drop what is there first
    #[arg(long)]
    pub force: bool,
    /// Leave out rows whose parents are gone, and restore the others
    #[arg(long, conflicts_with = "target_url")]
    pub leave_out_orphans: bool,
    /// With --api: wait for the end of the restore
    #[arg(long)]
    pub wait: bool,
    /// Reverse a restore: its operation (id or digits of it), or latest
    #[arg(long, value_name = "OPERATION")]
    #[arg(conflicts_with_all = ["input", "target_url", "mode", "components", "schemas", "tables", "scope",
        "leave_out_orphans"])]
    pub undo: Option<String>,
    /// With --undo: leave rows alone that changed since the restore, and reverse the others
    #[arg(long, requires = "undo")]
    pub leave_changed: bool,
    /// List the restores that are kept and can be undone
    #[arg(long)]
    #[arg(conflicts_with_all = ["input", "target_url", "mode", "components", "schemas", "tables", "scope", "undo",
        "leave_out_orphans"])]
    pub list_undo: bool,
    /// Drop what a restore keeps for its undo: its operation, latest, or all
    #[arg(long, value_name = "OPERATION")]
    #[arg(conflicts_with_all = ["input", "target_url", "mode", "components", "schemas", "tables", "scope", "undo",
        "list_undo", "dry_run", "leave_out_orphans"])]
    pub forget: Option<String>,
    /// The source [DATABASE_URL]
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub database_url: Option<String>,
    /// Connections that write at the same time
    #[arg(long, value_name = "N", default_value_t = 2, hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=64))]
    pub writers: u64,
    /// Free bytes on the target's disk, where known: more is never written
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub room: Option<u64>,
    /// Write although the database is switched to read-only, as Supabase does when the disk is nearly full
    #[arg(long, hide_short_help = true)]
    pub even_read_only: bool,
    /// Where configuration files go
    #[arg(long, value_name = "DIR", default_value = ".", hide_short_help = true)]
    project: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    /// The tables as they were: newer rows are removed
    Exact,
    /// Only rows that are gone come back
    Missing,
    /// Also rows that changed are changed back; nothing is removed
    KeepNewer,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ComponentArg {
    Database,
    Config,
}

impl RestoreArgs {
    /// The parser forgets about a requirement that conflicts with what was said.
    pub fn refuse_contradictions(&self) -> Result<()> {
        if self.leave_changed && self.undo.is_none() {
            return Err(
                Error::new(Code::Usage, "--leave-changed goes with --undo alone")
                    .hint("Name the restore to reverse by --undo OPERATION."),
            );
        }
        Ok(())
    }

    /// The target, with what was said of writing there.
    pub fn insist(&self, target: DatabaseUrl) -> DatabaseUrl {
        match self.even_read_only {
            true => target.even_read_only(),
            false => target,
        }
    }

    /// Whether a catalog keeps what is asked for: a restore in place, or the undo of one.
    pub fn is_cataloged(&self) -> bool {
        self.target_url.is_none() && !self.list_undo && self.forget.is_none() && !self.wants_files()
    }

    /// Whether it is about what restores keep in the database.
    pub fn is_about_operations(&self) -> bool {
        self.undo.is_some() || self.list_undo || self.forget.is_some()
    }

    pub fn wants_files(&self) -> bool {
        self.components.contains(&ComponentArg::Config)
    }

    /// Whether `--input` says where the store is.
    pub fn names_a_store(&self) -> bool {
        self.input.as_deref().is_some_and(input::is_path)
    }

    /// None where it is not said: a person is asked with the plan before them.
    pub fn mode(&self) -> Option<Mode> {
        self.mode.map(|mode| match mode {
            ModeArg::Exact => Mode::Exact,
            ModeArg::Missing => Mode::Missing,
            ModeArg::KeepNewer => Mode::KeepNewer,
        })
    }
}

/// What every way of restoring needs to know.
struct Asked<'a> {
    store: &'a Store,
    store_key: Option<&'a str>,
    pg_dump: Option<PathBuf>,
    dry_run: bool,
    force: bool,
    json: bool,
    tenant: &'a str,
    /// Whether `--mode` was said.
    mode_said: bool,
    style: Style,
}

impl Asked<'_> {
    /// Whether a person may be asked.
    fn person(&self) -> bool {
        !self.json && !self.force && ask::person_is_there()
    }
}

pub async fn run(args: RestoreArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let settings = settings.flag(&config::DATABASE_URL, args.database_url.clone());
    let style = Style::choose(common.json, common.progress);
    args.refuse_contradictions()?;
    if args.list_undo {
        return kept::list(&settings).await;
    }
    if let Some(operation) = &args.forget {
        return kept::forget(operation, &args, common, &settings).await;
    }
    if let Some(operation) = &args.undo {
        return undo::run(operation, &args, common, &settings, style).await;
    }
    let (store, what) = input::place(args.input.as_deref(), &settings).await?;
    super::readable(&Default::default(), &settings, &store).await?;
    let asked = Asked {
        store: &store,
        store_key: settings.get(&config::STORE_KEY),
        pg_dump: settings.get(&config::PG_DUMP).map(PathBuf::from),
        dry_run: args.dry_run,
        force: args.force,
        json: common.json,
        tenant: super::tenant(&settings)?,
        mode_said: args.mode.is_some(),
        style,
    };
    let wanted = wanted(&args.components, args.target_url.is_some());
    let (what, person) = (what.as_deref(), asked.person());
    let found = input::backup(&store, asked.tenant, what, wanted, person).await;
    let backup = input::beside_a_folder(args.input.as_deref(), found)?;
    if args.components == [ComponentArg::Config] {
        return files::run(&asked, &backup, &args.project).await;
    }
    let request = request(&args, &settings, backup)?;
    let answer = match &args.target_url {
        Some(_) => database::run(&asked, &request).await?,
        None => in_place::run(&asked, &request).await?,
    };
    if !args.components.contains(&ComponentArg::Config) {
        return Ok(answer);
    }
    let files = files::run(&asked, &request.backup, &args.project).await?;
    Ok(answer.and("config", files))
}

fn wanted(components: &[ComponentArg], anew: bool) -> Wanted {
    let database = components.is_empty() || components.contains(&ComponentArg::Database);
    let config = components.contains(&ComponentArg::Config);
    match (database, config, anew) {
        (true, true, false) => Wanted::Both,
        (true, true, true) => Wanted::NewDatabaseAndConfig,
        (true, false, false) => Wanted::Database,
        (true, false, true) => Wanted::NewDatabase,
        (false, _, _) => Wanted::Config,
    }
}

fn request(args: &RestoreArgs, settings: &Settings, backup: Manifest) -> Result<RestoreRequest> {
    let target = match &args.target_url {
        Some(url) => DatabaseUrl::parse(url)?,
        None => DatabaseUrl::parse(settings.require(&config::DATABASE_URL)?)?,
    };
    let target = args.insist(target);
    if backup.source.is_none() {
        let message = format!("{} holds configuration alone", backup.name);
        return Err(
            Error::new(Code::Usage, message).hint("Bring its files back with --component config.")
        );
    }
    let source = settings.get(&config::DATABASE_URL);
    let source = source.map(DatabaseUrl::parse).transpose()?;
    Ok(RestoreRequest {
        operation: None,
        backup,
        target,
        source,
        mode: args.mode().unwrap_or(DEFAULT_MODE),
        choice: Choice {
            components: vec![Component::Database],
            selection: Selection {
                schemas: args.schemas.clone(),
                tables: args.tables.clone(),
                scope: args.scope.clone(),
                ..Selection::default()
            },
        },
        force: args.force,
        leave_out_orphans: args.leave_out_orphans,
        writers: usize::try_from(args.writers).unwrap_or(2),
        room: args.room,
        undo_days: undo_days(settings)?,
    })
}
