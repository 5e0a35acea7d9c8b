mod catalog;
mod questions;

use super::ENV_FILE;
use crate::args::Common;
use crate::ask;
use crate::exit::Exit;
use crate::output::{self, Answer};
use clap::{Args, ValueEnum};
use dialoguer::console::style;
use rovodev::config::{self, Origin, Settings, Variable};
use rovodev::error::{Code, Error, Result};
use rovodev::ports::postgres::DatabaseUrl;
use rovodev::tasks::init::{self, Change, Check, EnvFile, KeyNeeded, Verdict, vercel};
use rovodev::tasks::status::{Health, Patience};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// What `.env` takes over from the environment: where things are, not how this shell logs.
const PLACES: &[Variable] = &[
    config::DATABASE_URL,
    config::BACKUP_STORE,
    config::STORE_KEY,
    config::AWS_ACCESS_KEY_ID,
    config::AWS_SECRET_ACCESS_KEY,
    config::AWS_REGION,
    config::S3_ENDPOINT,
    config::S3_FORCE_PATH_STYLE,
    config::SUPABASE_URL,
    config::CATALOG_DATABASE_URL,
    config::SUPABASE_PUBLISHABLE_KEY,
    config::SUPABASE_SECRET_KEY,
    config::SUPABASE_JWT_SECRET,
    config::CRON_SECRET,
    config::VERCEL_WEBHOOK_SECRET,
    config::VERCEL_TOKEN,
    config::APP_PROJECT_ID,
    config::VERCEL_TEAM_ID,
    config::METRICS_SECRET,
    config::PG_DUMP,
];

/// Write .env, set up the catalog, and check every connection
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev init                           asks for what is missing
  DATABASE_URL=postgres://… rovodev init --store s3://backups/app
  rovodev init --check                   checks what is set and writes nothing
  rovodev init --admin me@example.com --plan pro    with a catalog, for Vercel
  rovodev init --plan hobby --deployment https://app-backups.vercel.app

Writes .env in the working directory (mode 0600) from flags, answers and the
environment, and keeps what else is in it; the changes are shown first. A
store that is new gets a STORE_KEY, by which rows that are stored already are
recognised: further backups need it, restoring does not. Then checks the
database (port, reach, role), pg_dump and the store (writes a small object,
reads it, deletes it), says what to fix, and names the recovery kit: what to
keep elsewhere. Replacing a value that .env holds needs a yes, or --force.

With SUPABASE_URL it also makes the bucket where there is none (asks, or --yes)
and CRON_SECRET, applies the catalog's migrations to the project's database,
and lists the variables to set on Vercel. What is there already stays so. On
Vercel's Hobby plan the cron calls once a day: with --deployment the project's
database calls each minute (pg_cron, pg_net; the secret in Supabase's vault).

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
    /// This user of Supabase Auth becomes an admin of the tenant
    #[arg(long, value_name = "EMAIL", conflicts_with = "check")]
    pub admin: Option<String>,
    /// Adapt vercel.json to Vercel's plan: the cron, and how long functions run
    #[arg(long, value_enum, conflicts_with = "check")]
    pub plan: Option<PlanArg>,
    /// With --plan: where the functions run, such as fra1 [pro: beside the database, where its host tells]
    #[arg(long, value_name = "REGION", requires = "plan", hide_short_help = true)]
    pub region: Option<String>,
    /// With --plan hobby: the deployment whose tick the database calls each minute [ROVODEV_DASHBOARD_URL]
    #[arg(long, value_name = "URL", requires = "plan", hide_short_help = true)]
    pub deployment: Option<Url>,
    /// Make the bucket without asking
    #[arg(long, conflicts_with = "check")]
    pub yes: bool,
    /// Check what is set; write nothing
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// How long to wait for each part [default: 10, and 3 for the store's first answer]
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum PlanArg {
    Hobby,
    Pro,
}

impl From<PlanArg> for vercel::Plan {
    fn from(plan: PlanArg) -> Self {
        match plan {
            PlanArg::Hobby => vercel::Plan::Hobby,
            PlanArg::Pro => vercel::Plan::Pro,
        }
    }
}

pub async fn run(args: InitArgs, common: &Common, settings: Settings) -> Result<Answer> {
    let patience = Patience {
        part: Duration::from_secs(args.timeout.unwrap_or(10)),
        reach: Duration::from_secs(args.timeout.unwrap_or(3)),
    };
    let mut settings = settings
        .flag(&config::DATABASE_URL, args.database_url.clone())
        .flag(&config::S3_ENDPOINT, args.s3_endpoint.clone());
    let (mut written, mut steps) = (Vec::new(), Vec::new());
    if !args.check {
        let person = ask::person_is_there() && !common.json;
        let given = settings.clone();
        loop {
            if person {
                settings = questions::ask_for_missing(&given, settings)?;
            }
            // Refused before anything is written: an unreadable URL or a pooler that cannot serve.
            DatabaseUrl::parse(database_url(&settings)?)?;
            catalog::beforehand(&args, &settings)?;
            steps.extend(catalog::make_bucket(&args, &settings, person, patience.part).await?);
            let complete = with_store_key(settings.clone(), patience).await?;
            let complete = catalog::with_cron_secret(complete);
            if let Some(changes) = write(&complete, person, &args)? {
                (settings, written) = (complete, changes);
                break;
            }
            questions::answer_again(&given)?;
        }
        steps.extend(catalog::set_up(&args, &settings).await?);
    }
    let (status, mut checks) = init::check(&settings, patience).await;
    checks.extend(init::catalog::check(&settings, patience.part).await);
    let worst = checks.iter().map(|c| c.verdict).max();
    let exit = match worst {
        Some(Verdict::Failed) if status.health == Health::Unreachable => Exit::CannotConnect,
        Some(Verdict::Failed) => Exit::Failed,
        Some(Verdict::Warning) => Exit::Warnings,
        _ => Exit::Done,
    };
    let kit = init::recovery_kit(&settings)?;
    let variables = catalog::on_vercel(&settings);
    let result = json!({ "file": ENV_FILE, "written": written, "steps": steps, "checks": checks,
                         "recoveryKit": kit, "variables": variables });
    let catalog = catalog::text(&steps, &variables);
    Ok(Answer::new(
        &result,
        text(&checks, &kit, &catalog, exit),
        exit,
    ))
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

/// Where nobody can be asked, `init` does not send people to `init`.
fn database_url(settings: &Settings) -> Result<&str> {
    settings.require(&config::DATABASE_URL).map_err(|e| {
        e.hint(
            "Say it: DATABASE_URL=postgres://… rovodev init --store STORE, or --database-url URL. On a terminal, \
             without --json, init asks.",
        )
    })
}

/// Brings `.env` to what flags, answers and the environment say; the environment replaces nothing there. None where
/// the person says no.
fn write(settings: &Settings, person: bool, args: &InitArgs) -> Result<Option<Vec<Change>>> {
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
        return Ok(Some(changes));
    }
    for change in &changes {
        output::tell(&change.to_string());
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
        // Enter keeps what was answered, and never replaces what the file holds.
        if !ask::yes_or(&format!("Write this to {ENV_FILE}?"), replaced.is_empty())? {
            return Ok(None);
        }
    }
    file.apply(&changes)?;
    Ok(Some(changes))
}

fn text(checks: &[Check], kit: &[String], catalog: &str, exit: Exit) -> String {
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
    if !catalog.is_empty() {
        lines.push(format!("{catalog}\n"));
    }
    lines.push(match exit {
        Exit::Done | Exit::Warnings => "Ready. Next: rovodev backup".into(),
        _ => "Not ready yet: fix what failed, then run `rovodev init --check`.".into(),
    });
    lines.join("\n")
}
