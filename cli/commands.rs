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
pub mod show;
pub mod status;
pub mod worker;

use crate::args::{Command, Common};
use crate::output::{self, Answer};
use crate::service;
use rovodev::config::{STORE_KEY, Settings};
use rovodev::core::keys;
use rovodev::core::manifest::Manifest;
use rovodev::error::Result;
use rovodev::ports::store::Store;
use rovodev::tasks::Context;
use rovodev::tasks::backups::{self, Wanted};
use rovodev::tasks::open_store::{self, ReadableStore};

pub const ENV_FILE: &str = ".env";
/// A store that the command line writes serves one owner.
pub const TENANT: &str = keys::DEFAULT_TENANT;

/// The store, proven to be one of ours and of a format that we know.
async fn readable(ctx: &Context, settings: &Settings, store: &Store) -> Result<ReadableStore> {
    open_store::open_to_read(ctx, store, settings.get(&STORE_KEY)).await
}

/// The same, or `None` before the first backup.
async fn readable_if_any(settings: &Settings, store: &Store) -> Result<Option<ReadableStore>> {
    open_store::open_if_any(&Context::default(), store, settings.get(&STORE_KEY)).await
}

/// The backup that is meant. What there is to say of `latest` goes to stderr.
async fn named(store: &Store, what: &str, wanted: Wanted) -> Result<Manifest> {
    let found = backups::find_for(store, TENANT, what, wanted).await?;
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
    match command {
        Command::Backup(args) => backup::run(args, &common, settings).await,
        Command::Restore(args) => restore::run(*args, &common, settings).await,
        Command::List(args) => list::run(args, &common, &settings).await,
        Command::Show(args) => show::run(args, &settings).await,
        Command::Check(args) => check::run(args, &common, &settings).await,
        Command::Delete(args) => delete::run(args, &common, &settings).await,
        Command::Prune(args) => prune::run(args, &common, &settings).await,
        Command::Download(args) => download::run(args, &common, &settings).await,
        Command::Status(args) => status::run(args, &common, settings).await,
        Command::Init(args) => init::run(args, &common, settings).await,
        Command::Worker(args) => worker::run(args, &common, &settings).await,
        Command::Completions(args) => completions::run(&args),
    }
}
