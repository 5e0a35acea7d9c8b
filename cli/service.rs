//! Commands where somebody keeps a catalog: the project of `SUPABASE_URL`, or a deployment at `--api`. What is asked for
//! is in the dashboard's list, queue and audit log; what is shown is the same as from the store alone.

mod backup;
mod delete;
mod download;
mod find;
mod list;
mod pages;
mod restore;
mod schedule;
mod show;
mod summary;
mod tenant;
mod undo;
mod workplace;

use crate::args::{Command, Common};
use crate::output::{self, Answer};
use crate::remote::{self, Deployment};
use rovodev::config::{self, Origin, Settings};
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::operators::{BackupRow, Operator, RestoreRow};
use uuid::Uuid;
use workplace::Workplace;

/// Who keeps the catalog.
pub enum Service {
    /// A Supabase project; the work is done by this process.
    Catalog(Box<Workplace>),
    /// A deployment, which does the work.
    Deployment(Deployment),
}

/// Whether a command is for somebody who keeps a catalog.
pub enum Kept {
    /// The store alone.
    Nowhere(Command),
    By(Service, Command),
}

/// Who keeps the catalog that a command is about.
pub fn keeper(command: Command, common: &Common, settings: &Settings) -> Result<Kept> {
    let local = matches!(command, Command::Init(_) | Command::Completions(_));
    let api = settings.get(&config::ROVODEV_API).filter(|_| !local);
    if local && settings.origin(&config::ROVODEV_API) == Some(Origin::Flag) {
        return Err(remote::refused("this command", "it sets up this machine"));
    }
    if let Some(url) = api {
        let own_store = "a deployment has a store of its own";
        let cataloged = "what a deployment does is in its catalog";
        remote::refuse(&[
            (common.store.is_some(), "--store", own_store),
            (common.without_catalog, "--without-catalog", cataloged),
        ])?;
        let deployment = Deployment::new(url, settings)?;
        return Ok(Kept::By(Service::Deployment(deployment), command));
    }
    if local || common.without_catalog || !is_cataloged(&command) {
        return Ok(Kept::Nowhere(command));
    }
    let Some(operator) = Operator::new(settings, actor())? else {
        return Ok(Kept::Nowhere(command));
    };
    if let Some(flag) = place(&command, common) {
        if matches!(command, Command::Backup(_)) {
            output::note(&format!(
                "{flag} names a place of its own, so that this backup is not in the catalog"
            ));
        }
        return Ok(Kept::Nowhere(command));
    }
    let workplace = Box::new(Workplace::new(operator, settings)?);
    Ok(Kept::By(Service::Catalog(workplace), command))
}

pub async fn run(service: Service, command: Command, common: Common) -> Result<Answer> {
    match command {
        Command::Backup(args) => backup::run(&service, args, &common).await,
        Command::List(args) => list::run(&service, args, &common).await,
        Command::Show(args) => show::run(&service, args).await,
        Command::Delete(args) => delete::run(&service, args, &common).await,
        Command::Restore(args) => restore::run(&service, *args, &common).await,
        Command::Status(args) => match &service {
            Service::Deployment(deployment) => {
                args.refuse_remotely()?;
                remote::status(deployment, common.verbosity > 0).await
            }
            Service::Catalog(_) => Err(not_cataloged()),
        },
        Command::Schedule(args) => schedule::run(&service, args.action, &common).await,
        Command::Tenant(args) => tenant::run(&service, args.action).await,
        Command::Check(_) => Err(remote::refused("check", "it reads the whole store")),
        Command::Prune(_) => Err(remote::refused("prune", "it works on the store itself")),
        Command::Download(args) => download::run(&service, args, &common).await,
        Command::Worker(_) => Err(remote::refused(
            "worker",
            "it takes jobs with the project's secret key",
        )),
        Command::Init(_) | Command::Completions(_) => Err(not_cataloged()),
    }
}

fn not_cataloged() -> Error {
    Error::new(Code::Internal, "a command without a catalog was sent there")
}

/// Commands that see or make backups as the catalog has them; the others work on the store or the database itself.
fn is_cataloged(command: &Command) -> bool {
    match command {
        Command::Backup(_) | Command::List(_) | Command::Show(_) | Command::Delete(_) => true,
        Command::Schedule(_) | Command::Tenant(_) => true,
        Command::Restore(args) => args.is_cataloged(),
        _ => false,
    }
}

/// The flag by which a store or a database is meant that is not the catalog's.
fn place(command: &Command, common: &Common) -> Option<&'static str> {
    let flag = |given: bool, flag| given.then_some(flag);
    let own = match command {
        Command::Backup(args) => flag(args.output.is_some(), "--output")
            .or(flag(args.database_url.is_some(), "--database-url")),
        Command::Restore(args) => flag(args.names_a_store(), "--input")
            .or(flag(args.database_url.is_some(), "--database-url")),
        _ => None,
    };
    flag(common.store.is_some(), "--store").or(own)
}

/// The operating system's name of the person, for the audit log.
pub fn actor() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.unwrap_or_else(|| "cli".into())
}

/// What to do when the catalog does not answer.
pub fn hint(error: Error) -> Error {
    match error.code {
        Code::CatalogUnreachable | Code::CatalogRefused => error.hint(
            "Check SUPABASE_URL and SUPABASE_SECRET_KEY, and whether the project is paused. --without-catalog works \
             with the store alone; such backups are not in the dashboard.",
        ),
        _ => error,
    }
}

impl Service {
    /// For people, as a store is described.
    fn describe(&self) -> String {
        match self {
            Service::Catalog(workplace) => workplace.store.describe(),
            Service::Deployment(deployment) => deployment.url().to_string(),
        }
    }

    async fn backup(&self, id: Uuid) -> Result<BackupRow> {
        match self {
            Service::Catalog(workplace) => workplace.operator.backup(id).await,
            Service::Deployment(deployment) => deployment.backup(id).await,
        }
    }

    /// Every restore that is no preview, newest first, with its backup's id and name.
    async fn restores(&self) -> Result<Vec<RestoreRow>> {
        match self {
            Service::Catalog(workplace) => workplace.operator.restores(None).await,
            Service::Deployment(deployment) => deployment.restores().await,
        }
    }
}
