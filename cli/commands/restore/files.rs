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
    let shown = text(&plan, project);
    if asked.dry_run {
        let text = format!("{shown}\n\nA dry run: nothing was changed.");
        return Ok(Answer::new(
            &json!({ "files": plan, "dryRun": true }),
            text,
            Exit::Done,
        ));
    }
    if !asked.json {
        eprintln!("{shown}");
    }
    confirm(asked, &plan)?;
    let operation = Uuid::now_v7();
    let written = config::apply(asked.store, backup, project, operation).await?;
    let mut text = format!("{} written.", human::counted(written, "file"));
    if plan.iter().any(|f| f.change == Change::Overwrite) {
        text += &format!(" What was there is kept as NAME.undo_{operation}.");
    }
    let report =
        json!({ "files": plan, "dryRun": false, "written": written, "operation": operation });
    Ok(Answer::new(&report, text, Exit::Done))
}

fn confirm(asked: &Asked<'_>, plan: &[FilePlan]) -> Result<()> {
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
    match ask::yes("Overwrite?")? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}

fn text(plan: &[FilePlan], project: &Path) -> String {
    if plan.is_empty() {
        return "The backup holds no configuration files.".into();
    }
    let line = |f: &FilePlan| {
        let change = match f.change {
            Change::Same => "is the same",
            Change::Create => "is written",
            Change::Overwrite => "is overwritten",
        };
        format!("{} {change}", project.join(&f.path).display())
    };
    plan.iter().map(line).collect::<Vec<_>>().join("\n")
}
