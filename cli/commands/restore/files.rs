//! Configuration files, into the project's folder.

use super::Asked;
use crate::exit::Exit;
use crate::output::Answer;
use crate::{ask, human};
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::restore::config::{self, Change, FilePlan};
use serde_json::json;
use std::path::Path;
use uuid::Uuid;

pub async fn run(asked: &Asked<'_>, backup: &Manifest, project: &Path) -> Result<Answer> {
    let plan = config::plan(asked.store, backup, project).await?;
    if asked.dry_run {
        let would = text(&plan, project, Tense::Would);
        let text = format!("{would}\n\nA dry run: nothing was changed.");
        return Ok(Answer::new(
            &json!({ "files": plan, "dryRun": true }),
            text,
            Exit::Done,
        ));
    }
    confirm(asked, &plan, project)?;
    let operation = Uuid::now_v7();
    let written = config::apply(asked.store, backup, project, operation).await?;
    let mut text = format!(
        "{}\n{} written.",
        text(&plan, project, Tense::Did),
        human::counted(written, "file")
    );
    if plan.iter().any(|f| f.change == Change::Overwrite) {
        text += &format!(" What was there is kept as NAME.undo_{operation}.");
    }
    let report =
        json!({ "files": plan, "dryRun": false, "written": written, "operation": operation });
    Ok(Answer::new(&report, text, Exit::Done))
}

fn confirm(asked: &Asked<'_>, plan: &[FilePlan], project: &Path) -> Result<()> {
    let overwritten: Vec<_> = plan
        .iter()
        .filter(|f| f.change == Change::Overwrite)
        .collect();
    if asked.force || overwritten.is_empty() {
        return Ok(());
    }
    if !asked.person() {
        let names: Vec<_> = overwritten.iter().map(|f| f.path.as_str()).collect();
        let message = format!("{} would be overwritten", names.join(", "));
        return Err(Error::new(Code::ConfirmationNeeded, message)
            .hint("See the plan with --dry-run; say --force to restore without being asked."));
    }
    eprintln!("{}", text(plan, project, Tense::Would));
    match ask::yes("Overwrite?")? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}

/// Whether something is about to happen or has happened.
#[derive(Clone, Copy)]
enum Tense {
    Would,
    Did,
}

fn text(plan: &[FilePlan], project: &Path, tense: Tense) -> String {
    if plan.is_empty() {
        return "The backup holds no configuration files.".into();
    }
    let line = |f: &FilePlan| {
        let change = match (f.change, tense) {
            (Change::Same, _) => "is the same",
            (Change::Create, Tense::Would) => "would be written",
            (Change::Create, Tense::Did) => "was written",
            (Change::Overwrite, Tense::Would) => "would be overwritten",
            (Change::Overwrite, Tense::Did) => "was overwritten",
        };
        format!("{} {change}", project.join(&f.path).display())
    };
    plan.iter().map(line).collect::<Vec<_>>().join("\n")
}
