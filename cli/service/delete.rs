//! `delete` from a catalog: out of every list at once, then out of the store.

use super::Service;
use super::find::find;
use crate::args::Common;
use crate::commands::delete::{self, DeleteArgs};
use crate::exit::Exit;
use crate::human;
use crate::output::Answer;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups::short_id;
use serde_json::json;
use uuid::Uuid;

pub async fn run(service: &Service, args: DeleteArgs, common: &Common) -> Result<Answer> {
    let mut chosen: Vec<(Uuid, String)> = Vec::new();
    for wanted in &args.backups {
        let row = find(service, wanted, None).await?;
        if !chosen.iter().any(|(id, _)| *id == row.id) {
            let made = human::exact(row.finished_at.unwrap_or(row.created_at));
            chosen.push((
                row.id,
                format!("{} ({}, {made})", row.name, short_id(row.id)),
            ));
        }
    }
    let names: Vec<_> = chosen.iter().map(|(_, name)| name.as_str()).collect();
    let what = names.join(", ");
    delete::confirm(&what, &args, common)?;
    let (mut deleted, mut left) = (Vec::new(), None);
    for (id, _) in &chosen {
        let one = delete_one(service, *id, common).await;
        let one = one.map_err(|e| told_so_far(e, &deleted))?;
        deleted.push(*id);
        left = left.or(one);
    }
    let result = json!({ "deleted": deleted, "names": names, "pruned": left.as_ref().map(|e| json!({ "error": e })) });
    let text = match &left {
        None => format!("Deleted {what}."),
        Some(e) => format!(
            "Deleted {what}. What they alone used is still in the store and goes with a later tick: {e}"
        ),
    };
    Ok(Answer::new(
        &result,
        text,
        Exit::with_warnings(left.is_some()),
    ))
}

/// Deletes one; answers what kept its objects in the store.
async fn delete_one(service: &Service, id: Uuid, common: &Common) -> Result<Option<Error>> {
    match service {
        Service::Deployment(deployment) => deployment.delete(id).await.map(|()| None),
        Service::Catalog(workplace) => {
            let job = workplace.operator.delete(id).await?;
            let workshop = &workplace.workshop;
            match workplace.carry_out(workshop, common, job).await {
                Err(e) if e.code == Code::Cancelled => Err(e),
                ended => Ok(ended.err()),
            }
        }
    }
}

fn told_so_far(error: Error, deleted: &[Uuid]) -> Error {
    match deleted.len() {
        0 => error,
        n => error.during(format!(
            "{} deleted; then",
            human::counted(n as u64, "backup")
        )),
    }
}
