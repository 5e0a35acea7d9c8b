//! What can be asked on the command line. `-h` fits one screen, `--help` teaches.

use crate::commands::{
    backup, check, completions, delete, download, init, list, prune, restore, schedule, show,
    status, tenant, worker,
};
use crate::exit;
use clap::{Args, Parser, Subcommand};

const ABOUT: &str = "Back up and restore apps on Supabase and Vercel";

const LONG_ABOUT: &str = "\
Back up and restore apps on Supabase and Vercel.

A backup is one consistent copy of a database: every table as it was at one
moment, with the definitions that make an empty database into the same one. It
lies in a store, a directory or an S3 bucket, in files that zstd and psql read
without this program.";

const EXAMPLES: &str = "\
Examples:
  export DATABASE_URL=postgres://…    or: rovodev init, which writes .env
  rovodev backup                      back up into ./backups
  rovodev list                        what is there
  rovodev restore --input latest --dry-run
  rovodev status --verbose

Settings come from flags, then the environment, then .env in the working
directory, then defaults. Results go to stdout, progress and questions to stderr.";

#[derive(Parser)]
#[command(name = "rovodev", version, about = ABOUT, long_about = LONG_ABOUT)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{}", exit::help()), after_help = "`--help` tells more.")]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// What every command understands.
#[derive(Args, Clone)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Where backups lie: a directory or s3://BUCKET/PREFIX [BACKUP_STORE, or ./backups]
    #[arg(long, global = true, value_name = "STORE")]
    pub store: Option<String>,
    /// Ask this deployment, with the token in ROVODEV_TOKEN, instead of working here [ROVODEV_API]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        conflicts_with = "store",
        hide_short_help = true
    )]
    pub api: Option<String>,
    /// Whose backups, where there is a catalog [ROVODEV_TENANT, or default]
    #[arg(long, global = true, value_name = "TENANT", hide_short_help = true)]
    pub tenant: Option<String>,
    /// Work with the store alone though SUPABASE_URL names a catalog, such as when it is down
    #[arg(long, global = true, conflicts_with = "api", hide_short_help = true)]
    pub without_catalog: bool,
    /// Print one JSON object on stdout, errors too; never ask
    #[arg(long, global = true)]
    pub json: bool,
    /// With --json: also print events, one {"event": …} per line
    #[arg(long, global = true, requires = "json")]
    pub progress: bool,
    /// Tell more; -vv and -vvv also log more to stderr
    #[arg(short, long = "verbose", global = true, action = clap::ArgAction::Count)]
    pub verbosity: u8,
    /// No colours, as with NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Subcommand)]
pub enum Command {
    Backup(backup::BackupArgs),
    Restore(Box<restore::RestoreArgs>),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Check(check::CheckArgs),
    Delete(delete::DeleteArgs),
    Prune(prune::PruneArgs),
    Download(download::DownloadArgs),
    Schedule(Box<schedule::ScheduleArgs>),
    Tenant(tenant::TenantArgs),
    Status(status::StatusArgs),
    Init(init::InitArgs),
    Worker(worker::WorkerArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// Whether more than one core is worth its threads.
    pub fn moves_data(&self) -> bool {
        matches!(
            self,
            Command::Backup(_)
                | Command::Restore(_)
                | Command::Check(_)
                | Command::Download(_)
                | Command::Schedule(_)
                | Command::Worker(_)
        )
    }
}
