use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::progress::{self, Style};
use clap::Args;
use rovodev::config::{self, Settings};
use rovodev::error::Result;
use rovodev::ports::catalog::{ApiKey, Catalog};
use rovodev::ports::web;
use rovodev::tasks::jobs::{self, Worked, Workshop};

/// Work on what a function could not end, and on whatever else waits
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev worker                 works until it is stopped
  rovodev worker --jobs 2        two jobs at once
  rovodev worker --once          what waits now, then ends: for cron or CI

Takes backups, restores, deletions and exports from the catalog's queue, those
first that outlast a function; while none waits it reads backups back from the
store (ROVODEV_CHECK_DAYS). It has no deadline. Needs DATABASE_URL, the
store, SUPABASE_URL and SUPABASE_SECRET_KEY, the same as the functions have.

Any number may run, anywhere: a job is held under a lease, and whoever loses it
writes nothing more. The first Ctrl-C (or SIGTERM) stops what runs cleanly and
gives it back to the queue, where no attempt is lost by it; the second ends at
once, and others take the job up when its lease runs out, within a minute.

{}", crate::exit::help()))]
pub struct WorkerArgs {
    /// How many jobs at once
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Work off what waits, then end
    #[arg(long)]
    once: bool,
}

pub async fn run(args: WorkerArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let url = settings.require(&config::SUPABASE_URL)?;
    let secret = ApiKey::new(settings.require(&config::SUPABASE_SECRET_KEY)?);
    // Jobs alone ask here: nobody shows the publishable key.
    let catalog = Catalog::new(web::client()?, url, secret.clone(), Some(secret));
    let workshop = Workshop::new(settings, catalog, None)?;
    let style = match common.json {
        true => Style::choose(common.json, common.progress),
        false => Style::Lines,
    };
    let worked = progress::shown(style, async |ctx| {
        ctx.progress.notice(match args.once {
            true => "Working off what waits.",
            false => "Waiting for work; Ctrl-C stops.",
        });
        jobs::work(ctx, &workshop, args.jobs.into(), args.once).await
    })
    .await?;
    let exit = Exit::with_warnings(worked.failed > 0);
    Ok(Answer::new(&worked, text(&worked), exit))
}

/// `3 jobs: 2 completed, 1 failed`
fn text(worked: &Worked) -> String {
    let parts: Vec<String> = [
        (worked.completed, "completed"),
        (worked.failed, "failed"),
        (worked.cancelled, "cancelled"),
        (worked.given_back, "given back"),
        (worked.lost, "taken over by others"),
        (worked.gone, "gone from the catalog"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    let read = (worked.read_back > 0).then(|| {
        let backups = human::counted(worked.read_back, "backup");
        format!(" {backups} read back.")
    });
    let jobs = match parts.is_empty() {
        true => "No job was waiting.".into(),
        false => format!(
            "{}: {}",
            human::counted(worked.jobs(), "job"),
            parts.join(", ")
        ),
    };
    match (read, parts.is_empty()) {
        (None, _) => jobs,
        (Some(read), true) => format!("{jobs}{read}"),
        (Some(read), false) => format!("{jobs}.{read}"),
    }
}
