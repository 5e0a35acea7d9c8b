use super::ENV_FILE;
use crate::args::Common;
use crate::ask;
use crate::exit::Exit;
use crate::output::{self, Answer};
use clap::Args;
use dialoguer::console::style;
use rovodev::config::{self, Origin, Settings, Variable};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::ports::store::{S3Settings, Store};
use rovodev::tasks::init::{self, Change, Check, EnvFile, KeyNeeded, Verdict};
use rovodev::tasks::status::{Health, Patience};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// What `.env` takes over from the environment: where things are, not how this shell logs.
const PLACES: &[Variable] = &[
    config::DATABASE_URL,
    config::BACKUP_STORE,
    config::STORE_KEY,
    config::AWS_ACCESS_KEY_ID,
    config::AWS_SECRET_ACCESS_KEY,
    config::AWS_REGION,
    config::S3_ENDPOINT,
    config::PG_DUMP,
];

/// Write .env and check every connection
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev init                           asks for what is missing
  DATABASE_URL=postgres://… rovodev init --store s3://backups/app
  rovodev init --check                   checks what is set and writes nothing

Writes .env in the working directory (mode 0600) from flags, answers and the
environment, and keeps what else is in it; the changes are shown first. A
store that is new gets a STORE_KEY, by which rows that are stored already are
recognised: further backups need it, restoring does not. Then checks the
database (port, reach, role), pg_dump and the store (writes a small object,
reads it, deletes it), says what to fix, and names the recovery kit: what to
keep elsewhere. Replacing a value that .env holds needs a yes, or --force.

{}", crate::exit::help()))]
pub struct InitArgs {
    /// The database [DATABASE_URL]; asked for without echo where it is missing
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The address of an S3 other than Amazon's [S3_ENDPOINT]
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,
    /// Replace values in .env without asking
    #[arg(long)]
    force: bool,
    /// Check what is set; write nothing
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// How long to wait for each part [default: 10, and 3 for the store's first answer]
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: Option<u64>,
}

pub async fn run(args: InitArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let patience = Patience {
        part: Duration::from_secs(args.timeout.unwrap_or(10)),
        reach: Duration::from_secs(args.timeout.unwrap_or(3)),
    };
    let mut settings = settings
        .flag(&config::DATABASE_URL, args.database_url.clone())
        .flag(&config::S3_ENDPOINT, args.s3_endpoint.clone());
    let mut written = Vec::new();
    if !args.check {
        let person = ask::person_is_there() && !common.json;
        if person {
            settings = ask_for_missing(settings)?;
        }
        // Refused before anything is written: an unreadable URL or a pooler that cannot serve.
        DatabaseUrl::parse(settings.require(&config::DATABASE_URL)?)?;
        settings = with_store_key(settings, patience).await?;
        written = write(&settings, person, &args)?;
    }
    let (status, checks) = init::check(&settings, patience).await;
    let worst = checks.iter().map(|c| c.verdict).max();
    let exit = match worst {
        Some(Verdict::Failed) if status.health == Health::Unreachable => Exit::CannotConnect,
        Some(Verdict::Failed) => Exit::Failed,
        Some(Verdict::Warning) => Exit::Warnings,
        _ => Exit::Done,
    };
    let kit = init::recovery_kit(&settings)?;
    let result =
        json!({ "file": ENV_FILE, "written": written, "checks": checks, "recoveryKit": kit });
    Ok(Answer::new(&result, text(&checks, &kit, exit), exit))
}

fn ask_for_missing(mut settings: Settings) -> Result<Settings> {
    if settings.get(&config::DATABASE_URL).is_none() {
        let url = ask::secret(
            "Database URL (postgres://USER:PASSWORD@HOST:5432/DATABASE, not shown)",
            |url| DatabaseUrl::parse(url).map(drop).map_err(answerable),
        )?;
        settings = settings.flag(&config::DATABASE_URL, Some(url));
    }
    if settings.origin(&config::BACKUP_STORE) == Some(Origin::Default) {
        let default = settings.get(&config::BACKUP_STORE);
        let store = ask::text(
            "Where backups go (a directory, or s3://BUCKET/PREFIX)",
            default,
            |store| {
                Store::open(store, &S3Settings::default())
                    .map(drop)
                    .map_err(answerable)
            },
        )?;
        settings = settings.flag(&config::BACKUP_STORE, Some(store));
    }
    let on_s3 = settings
        .get(&config::BACKUP_STORE)
        .is_some_and(|s| s.starts_with("s3://"));
    if on_s3 && settings.get(&config::AWS_ACCESS_KEY_ID).is_none() {
        settings = ask_for_keys(settings)?;
    }
    Ok(settings)
}

fn ask_for_keys(mut settings: Settings) -> Result<Settings> {
    let given = |text: String| Some(text).filter(|t| !t.is_empty());
    if settings.get(&config::S3_ENDPOINT).is_none() {
        let endpoint = ask::text("S3 endpoint (empty: Amazon's)", Some(""), |_| Ok(()))?;
        settings = settings.flag(&config::S3_ENDPOINT, given(endpoint));
    }
    let key = ask::text("Access key id", None, |_| Ok(()))?;
    let secret = ask::secret("Secret access key (not shown)", |_| Ok(()))?;
    Ok(settings
        .flag(&config::AWS_ACCESS_KEY_ID, given(key))
        .flag(&config::AWS_SECRET_ACCESS_KEY, given(secret)))
}

/// What is wrong with an answer, and what to do, in one line beside the question.
fn answerable(wrong: Error) -> Error {
    match wrong.hint.clone() {
        Some(hint) => Error::new(wrong.code, format!("{wrong}. {hint}")),
        None => wrong,
    }
}

/// A new store gets a key. Where the store cannot be asked, the check that follows says why.
async fn with_store_key(settings: Settings, patience: Patience) -> Result<Settings> {
    if settings.get(&config::STORE_KEY).is_some() {
        return Ok(settings);
    }
    match init::key_needed(&settings, patience).await {
        Ok(KeyNeeded::New) => Ok(settings.flag(&config::STORE_KEY, Some(init::new_store_key()))),
        Ok(KeyNeeded::ItsOwn) => {
            output::warn(
                "the store exists already; set STORE_KEY to the key that it was made with, from the copy you kept",
            );
            Ok(settings)
        }
        // A backup made it without a key, and it serves as it is.
        Ok(KeyNeeded::None) | Err(_) => Ok(settings),
    }
}

/// Brings `.env` to what flags, answers and the environment say; the environment replaces nothing there.
fn write(settings: &Settings, person: bool, args: &InitArgs) -> Result<Vec<Change>> {
    let path = Path::new(ENV_FILE);
    let file = EnvFile::read(path)?;
    let filed = config::read_file(path)?;
    let belongs = |v: &&'static Variable| match settings.origin(v) {
        Some(Origin::Flag) => true,
        Some(Origin::Environment) => PLACES.contains(v) && !filed.contains_key(v.name),
        _ => false,
    };
    let wanted: Vec<_> = config::VARIABLES
        .iter()
        .filter(belongs)
        .filter_map(|v| Some((v, settings.get(v)?.to_string())))
        .collect();
    let changes = file.changes(&wanted);
    if changes.is_empty() {
        return Ok(changes);
    }
    for change in &changes {
        eprintln!("{change}");
    }
    let replaced: Vec<_> = changes
        .iter()
        .filter(|c| c.replaces)
        .map(|c| c.name)
        .collect();
    if !args.force && (person || !replaced.is_empty()) {
        if !person {
            let message = format!("{ENV_FILE} holds another value of {}", replaced.join(", "));
            return Err(Error::new(Code::ConfirmationNeeded, message)
                .hint("Say --force to replace it, or leave the flag out to keep it."));
        }
        if !ask::yes(&format!("Write this to {ENV_FILE}?"))? {
            return Err(Error::cancelled());
        }
    }
    file.apply(&changes)?;
    Ok(changes)
}

fn text(checks: &[Check], kit: &[String], exit: Exit) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let mark = match check.verdict {
            Verdict::Ok => style("ok     ").green(),
            Verdict::Warning => style("warning").yellow(),
            Verdict::Failed => style("failed ").red(),
        };
        lines.push(format!("{mark}  {:<9} {}", check.name, check.message));
        lines.extend(check.hint.as_ref().map(|hint| format!("{:19} {hint}", "")));
    }
    lines.push(
        "\nRecovery kit: keep a copy of these elsewhere, such as in a password manager".into(),
    );
    lines.extend(kit.iter().map(|part| format!("  - {part}")));
    lines.push(String::new());
    lines.push(match exit {
        Exit::Done | Exit::Warnings => "Ready. Next: rovodev backup".into(),
        _ => "Not ready yet: fix what failed, then run `rovodev init --check`.".into(),
    });
    lines.join("\n")
}
