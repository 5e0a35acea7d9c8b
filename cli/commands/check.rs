use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::progress::{self, Style};
use clap::Args;
use rovodev::config::Settings;
use rovodev::error::Result;
use rovodev::tasks::backups::{self, Wanted};
use rovodev::tasks::check::{self, CheckReport, Problem};
use rovodev::tasks::places;

/// Backups that one problem names to people.
const BACKUPS_NAMED: usize = 5;

/// Read every stored object and prove that it is what was written
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev check                every backup
  rovodev check latest

Reads all objects of the chosen backups and compares length and hash; with
STORE_KEY also the rows themselves. Changes nothing. Damage is named with the
tables and backups that it concerns (exit code 1); the next backup writes
damaged rows again where the database still has them.

{}", crate::exit::help()))]
pub struct CheckArgs {
    /// Names, ids (or their first or last digits), or latest; none: every backup
    #[arg(value_name = "BACKUP")]
    backups: Vec<String>,
}

pub async fn run(args: CheckArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let (store, tenant) = (places::store(settings)?, super::tenant(settings)?);
    let style = Style::choose(common.json, common.progress);
    let report = progress::shown(style, async |ctx| {
        let readable = super::readable(ctx, settings, &store).await?;
        let mut ids = Vec::new();
        for wanted in &args.backups {
            ids.push(
                super::named(&store, tenant, wanted, Wanted::Anything)
                    .await?
                    .id,
            );
        }
        check::check(ctx, &readable, tenant, &ids).await
    })
    .await?;
    let exit = match (report.is_good(), &report.wrong_key) {
        (false, _) => Exit::Failed,
        (true, Some(_)) => Exit::Warnings,
        (true, None) => Exit::Done,
    };
    Ok(Answer::new(&report, text(&report), exit))
}

fn text(report: &CheckReport) -> String {
    let depth = match (report.rows_compared, &report.wrong_key) {
        (true, _) => "rows compared too".into(),
        (false, Some(why)) => format!("rows not compared: {why}"),
        (false, None) => "rows not compared: that needs STORE_KEY".into(),
    };
    let mut lines = vec![format!(
        "{}, {}, {} read ({depth})",
        human::counted(report.backups, "backup"),
        human::counted(report.objects, "object"),
        human::bytes(report.bytes)
    )];
    report.problems.iter().for_each(|p| lines.extend(told(p)));
    lines.push(match report.problems.len() as u64 {
        0 => "Everything is as it was written.".into(),
        n => format!(
            "{} found. Restore from a backup that is whole, and take a new one.",
            human::counted(n, "problem")
        ),
    });
    if report.heals() {
        lines.push(
            "The next backup writes damaged rows again, for the backups named here too, where the database\n\
             still has them unchanged; then check once more."
                .into(),
        );
    }
    lines.join("\n")
}

fn told(problem: &Problem) -> Vec<String> {
    let mut lines = vec![format!("! {}", problem.message)];
    if !problem.concerns.is_empty() {
        lines.push(format!("  concerns    {}", problem.concerns.join(", ")));
    }
    let named = problem.backups.iter().zip(&problem.backup_names);
    let mut backups: Vec<String> = named
        .take(BACKUPS_NAMED)
        .map(|(id, name)| format!("{} {name}", backups::short_id(*id)))
        .collect();
    let more = problem.backups.len().saturating_sub(BACKUPS_NAMED);
    if more > 0 {
        backups.push(format!("and {more} more (--json has all)"));
    }
    lines.push(format!("  in backups  {}", backups.join(", ")));
    lines
}
