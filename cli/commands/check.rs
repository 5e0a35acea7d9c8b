use super::TENANT;
use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use crate::progress::{self, Style};
use clap::Args;
use rovodev::config::Settings;
use rovodev::error::Result;
use rovodev::tasks::check::{self, CheckReport};
use rovodev::tasks::{backups, places};

/// Read every stored object and prove that it is what was written
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev check                every backup
  rovodev check latest

Reads all objects of the chosen backups and compares length and hash; with STORE_KEY also the rows
themselves. Changes nothing. Damage is named with the tables it concerns (exit code 1).

{}", crate::exit::help()))]
pub struct CheckArgs {
    /// Ids (or their first digits), names, or latest; none: every backup
    #[arg(value_name = "BACKUP")]
    backups: Vec<String>,
}

pub async fn run(args: CheckArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let store = places::store(settings)?;
    let style = Style::choose(common.json, common.progress);
    let report = progress::shown(style, async |ctx| {
        let readable = super::readable(ctx, settings, &store).await?;
        let mut ids = Vec::new();
        for wanted in &args.backups {
            ids.push(backups::find(&store, TENANT, wanted).await?.id);
        }
        check::check(ctx, &readable, TENANT, &ids).await
    })
    .await?;
    let exit = if report.is_good() {
        Exit::Done
    } else {
        Exit::Failed
    };
    Ok(Answer::new(&report, text(&report), exit))
}

fn text(report: &CheckReport) -> String {
    let depth = match report.rows_compared {
        true => "rows compared too",
        false => "rows not compared: that needs STORE_KEY",
    };
    let mut lines = vec![format!(
        "{}, {}, {} read ({depth})",
        human::counted(report.backups, "backup"),
        human::counted(report.objects, "object"),
        human::bytes(report.bytes)
    )];
    for problem in &report.problems {
        lines.push(format!("! {}", problem.message));
        if !problem.concerns.is_empty() {
            lines.push(format!("  concerns {}", problem.concerns.join(", ")));
        }
    }
    lines.push(match report.problems.len() as u64 {
        0 => "Everything is as it was written.".into(),
        n => format!(
            "{} found. Restore from a backup that is whole, and take a new one.",
            human::counted(n, "problem")
        ),
    });
    lines.join("\n")
}
