//! One module per command: its flags, and what it does with them.

pub mod backup;
pub mod check;
pub mod completions;
pub mod delete;
pub mod download;
pub mod init;
pub mod list;
pub mod prune;
pub mod restore;
pub mod schedule;
pub mod show;
pub mod status;
pub mod tenant;
pub mod worker;

use crate::args::{Command, Common};
use crate::output::{self, Answer};
use crate::service;
use rovodev::config::{Origin, ROVODEV_TENANT, STORE_KEY, Settings};
use rovodev::core::keys::{self, DEFAULT_TENANT};
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::store::Store;
use rovodev::tasks::Context;
use rovodev::tasks::backups::{self, Wanted};
use rovodev::tasks::open_store::{self, ReadableStore};

pub const ENV_FILE: &str = ".env";

/// Whose folder in the store is meant.
fn tenant(settings: &Settings) -> Result<&str> {
    let tenant = settings.get(&ROVODEV_TENANT).unwrap_or(DEFAULT_TENANT);
    match keys::is_tenant(tenant) {
        true => Ok(tenant),
        false => Err(Error::new(
            Code::Usage,
            format!("{tenant:?} is no tenant's name in paths"),
        )
        .hint("It has small letters, digits and hyphens; the dashboard shows it.")),
    }
}

/// Where a tenant makes no difference it was said in error.
fn refuse_tenant(command: &Command, settings: &Settings) -> Result<()> {
    let (what, why) = match command {
        Command::Prune(_) => ("prune", "it works on the whole store"),
        Command::Worker(_) => ("worker", "it takes the jobs of every tenant"),
        Command::Completions(_) => ("completions", "a script is the same for everybody"),
        Command::Restore(args) if args.is_about_operations() => (
            "restore --undo, --list-undo and --forget without a catalog",
            "they work on what restores kept in the database, whoever's rows these are",
        ),
        _ => return Ok(()),
    };
    match settings.origin(&ROVODEV_TENANT) {
        Some(Origin::Flag) => Err(Error::new(
            Code::Usage,
            format!("--tenant makes no difference for {what}: {why}"),
        )
        .hint("Leave --tenant out.")),
        _ => Ok(()),
    }
}

/// The store, proven to be one of ours and of a format that we know.
async fn readable(ctx: &Context, settings: &Settings, store: &Store) -> Result<ReadableStore> {
    open_store::open_to_read(ctx, store, settings.get(&STORE_KEY)).await
}

/// The same, or `None` before the first backup.
async fn readable_if_any(settings: &Settings, store: &Store) -> Result<Option<ReadableStore>> {
    open_store::open_if_any(&Context::default(), store, settings.get(&STORE_KEY)).await
}

/// The backup that is meant. What there is to say of `latest` goes to stderr.
async fn named(store: &Store, tenant: &str, what: &str, wanted: Wanted) -> Result<Manifest> {
    let found = backups::find_for(store, tenant, what, wanted).await?;
    for told in found.note.iter().chain(&found.doubt) {
        output::warn(told);
    }
    Ok(found.manifest)
}

pub async fn run(command: Command, common: Common, settings: Settings) -> Result<Answer> {
    let command = match service::keeper(command, &common, &settings)? {
        service::Kept::Nowhere(command) => command,
        service::Kept::By(keeper, command) => {
            let done = Box::pin(service::run(keeper, command, common)).await;
            return done.map_err(service::hint);
        }
    };
    refuse_tenant(&command, &settings)?;
    match command {
        Command::Backup(args) => backup::run(args, &common, settings).await,
        Command::Restore(args) => restore::run(*args, &common, settings).await,
        Command::List(args) => list::run(args, &common, &settings).await,
        Command::Show(args) => show::run(args, &settings).await,
        Command::Check(args) => check::run(args, &common, &settings).await,
        Command::Delete(args) => delete::run(args, &common, &settings).await,
        Command::Prune(args) => prune::run(args, &common, &settings).await,
        Command::Download(args) => download::run(args, &common, &settings).await,
        Command::Schedule(_) => Err(schedule::no_catalog()),
        Command::Tenant(_) => Err(tenant::no_catalog()),
        Command::Status(args) => status::run(args, &common, settings).await,
        Command::Init(args) => init::run(args, &common, settings).await,
        Command::Worker(args) => worker::run(args, &common, &settings).await,
        Command::Completions(args) => completions::run(&args),
    }
}
