//! What restores in place keep so that they can be undone: listed, and dropped.

use super::RestoreArgs;
use crate::args::Common;
use crate::exit::Exit;
use crate::output::Answer;
use crate::table::Columns;
use crate::{ask, human};
use rovodev::config::Settings;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::places;
use rovodev::tasks::restore::in_place::{self, Operation};
use serde_json::{Value, json};
use uuid::Uuid;

pub async fn list(settings: &Settings) -> Result<Answer> {
    let target = places::source(settings)?;
    let all = in_place::operations(&target).await?;
    let each: Vec<Value> = all
        .iter()
        .map(|o| json!({ "operation": o, "state": state(&all, o) }))
        .collect();
    let text = match all.is_empty() {
        true => format!("No restore is kept in {target}."),
        false => table(&all),
    };
    Ok(Answer::new(&json!({ "kept": each }), text, Exit::Done))
}

fn state(all: &[Operation], operation: &Operation) -> &'static str {
    match (operation.reverses, in_place::undone_by(all, operation.id)) {
        (_, Some(_)) => "undone",
        (Some(_), None) => "an undo",
        (None, None) => "can be undone",
    }
}

fn table(all: &[Operation]) -> String {
    let heads = [
        "<Operation",
        "<Done",
        "<Restore of",
        "<Rows",
        ">Kept",
        "<Until",
        "<State",
    ];
    let mut table = Columns::new(&heads).giving_way(2, 12).expendable(&[4, 5]);
    for o in all {
        table.row([
            human::operation(o.id),
            human::moment(o.at),
            o.backup_name.clone(),
            human::rows([o.added, o.changed, o.removed]),
            human::bytes(o.bytes),
            o.undo_until.map_or("forgotten".into(), human::day),
            state(all, o).into(),
        ]);
    }
    format!(
        "{}\n\nRows: + added, ~ changed, - removed. Undo one with `rovodev restore --undo OPERATION`; drop what one \
         keeps, and the room that it takes in the database, with --forget OPERATION.",
        table.text()
    )
}

/// Drops what an operation keeps, or what all of them keep.
pub async fn forget(
    wanted: &str,
    args: &RestoreArgs,
    common: &Common,
    settings: &Settings,
) -> Result<Answer> {
    let target = args.insist(places::source(settings)?);
    let chosen: Vec<Operation> = match wanted {
        "all" => in_place::operations(&target).await?,
        _ => vec![in_place::find_operation(&target, wanted).await?],
    };
    if chosen.is_empty() {
        let text = "No restore keeps anything here.".to_string();
        return Ok(Answer::new(&json!({ "forgotten": [] }), text, Exit::Done));
    }
    let what = match &chosen[..] {
        [one] => format!(
            "the restore of {} ({})",
            one.backup_name,
            human::exact(one.at)
        ),
        _ => human::counted(chosen.len() as u64, "operation"),
    };
    if !args.force {
        confirm(&what, common)?;
    }
    let ids: Vec<Uuid> = chosen.iter().map(|o| o.id).collect();
    let forgotten = in_place::forget(&target, &ids).await?;
    let bytes = forgotten.iter().map(|o| o.bytes).sum();
    let mut text = format!("Forgot {what}: it cannot be undone any more.");
    if chosen.len() > 1 {
        text = format!("Forgot {what}: they cannot be undone any more.");
    }
    if forgotten.len() > chosen.len() {
        text += " What it had undone is forgotten too.";
    }
    text += &format!(" {} free.", human::bytes(bytes));
    Ok(Answer::new(
        &json!({ "forgotten": forgotten }),
        text,
        Exit::Done,
    ))
}

fn confirm(what: &str, common: &Common) -> Result<()> {
    if common.json || !ask::person_is_there() {
        return Err(Error::new(
            Code::ConfirmationNeeded,
            format!("{what} could not be undone any more, and nobody is here to confirm it"),
        )
        .hint("Say --force to forget it without being asked."));
    }
    match ask::yes(&format!(
        "Forget {what}, so that it cannot be undone any more?"
    ))? {
        true => Ok(()),
        false => Err(Error::cancelled()),
    }
}
