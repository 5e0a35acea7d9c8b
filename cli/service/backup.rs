//! `backup` into a catalog's list.

use super::workplace::Workplace;
use super::{Service, summary};
use crate::args::Common;
use crate::commands::backup::{self, BackupArgs, Taken};
use crate::exit::Exit;
use crate::output::{self, Answer};
use crate::remote::{self, Deployment};
use rovodev::core::manifest::{BackupType, Manifest};
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::backups;
use rovodev::tasks::operators::{BackupRow, Job, NewBackup};
use serde_json::json;
use std::time::Instant;

pub async fn run(service: &Service, args: BackupArgs, common: &Common) -> Result<Answer> {
    args.refuse_contradictions()?;
    if let Some(name) = &args.name {
        rovodev::tasks::create::usable(name)?;
    }
    let begun = Instant::now();
    match service {
        Service::Catalog(_) if args.platform_rows => Err(Error::new(
            Code::Usage,
            "--platform-rows does not work through a catalog, whose backups people reach over HTTP",
        )
        .hint("Say --without-catalog, with a store that few may read.")),
        Service::Catalog(workplace) => {
            let manifest = taken(workplace, &args, common).await?;
            let place = workplace.store.describe();
            Ok(backup::told(&manifest, &place, begun.elapsed(), common))
        }
        Service::Deployment(deployment) => asked(deployment, &args, common, begun).await,
    }
}

async fn taken(workplace: &Workplace, args: &BackupArgs, common: &Common) -> Result<Manifest> {
    let mut workshop = workplace.workshop.clone();
    workshop.project = args.project.clone();
    workshop.readers = usize::try_from(args.readers).unwrap_or(workshop.readers);
    let request = request(args);
    let ask = workplace.operator.create(&request);
    let job = workplace.ask_and_carry_out(&workshop, common, ask).await?;
    let Job::Backup { backup, .. } = job else {
        return Err(Error::new(Code::Internal, "a backup that is none"));
    };
    let row = workplace.operator.backup(backup).await?;
    backups::read(&workplace.store, row.tenant(), backup).await
}

fn request(args: &BackupArgs) -> NewBackup {
    NewBackup {
        kind: args.kind(),
        codec: args.codec(),
        name: args.name.clone(),
        schemas: args.schemas.clone(),
        tables: args.tables.clone(),
        scope: args.scope.clone(),
    }
}

async fn asked(
    deployment: &Deployment,
    args: &BackupArgs,
    common: &Common,
    begun: Instant,
) -> Result<Answer> {
    let reading = "the deployment chooses that by itself";
    remote::refuse(&[
        (
            args.output.is_some(),
            "--output",
            "the deployment has its own store",
        ),
        (
            args.database_url.is_some(),
            "--database-url",
            "the deployment has its own database",
        ),
        (
            args.scope.is_some(),
            "--scope",
            "a tenant's scope is set in the catalog",
        ),
        (
            args.platform_rows,
            "--platform-rows",
            "what holds password hashes is never asked for over HTTP",
        ),
        (args.readers != backup::READERS, "--readers", reading),
        (
            args.project.as_os_str() != ".",
            "--project",
            "the deployment has its own files",
        ),
    ])?;
    let request = request(args);
    if !args.wait {
        let created = deployment.create(&request).await?;
        let text = format!(
            "Asked for {}. Follow it with:  rovodev show {}",
            created.path, created.id
        );
        return Ok(Answer::new(&created, text, Exit::Done));
    }
    let ask = async { Ok((deployment.create(&request).await?.id, None)) };
    let (id, _) = deployment.watch(common, ask).await?;
    let row = deployment.backup(id).await?;
    Ok(completed(&row, deployment.url(), begun, common))
}

/// What a backup taken here is told by its manifest.
fn completed(row: &BackupRow, place: &str, begun: Instant, common: &Common) -> Answer {
    let summary = summary::of(row);
    if !common.json {
        summary
            .warnings
            .iter()
            .for_each(|w| output::warn(&w.message));
        summary
            .left_out
            .iter()
            .for_each(|n| output::note(&n.message));
    }
    let exit = Exit::with_warnings(!summary.warnings.is_empty());
    let has_rows = row.backup_type != BackupType::Config;
    let text = backup::text(&summary, has_rows, place, begun.elapsed());
    let taken = Taken {
        backup: summary,
        store: place.to_string(),
        seconds: begun.elapsed().as_secs_f64(),
    };
    let mut answer = Answer::new(&taken, text, exit);
    answer.json["status"] = json!(row.status);
    answer
}
