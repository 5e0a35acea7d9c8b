//! `download` from a deployment.

use super::find::find;
use super::{Service, not_cataloged};
use crate::args::Common;
use crate::commands::download::destination::{Destination, whole_file};
use crate::commands::download::{self, DownloadArgs};
use crate::output::Answer;
use crate::progress::{self, Style};
use crate::remote::Out;
use rovodev::core::manifest::SchemaStatus;
use rovodev::error::Result;
use rovodev::tasks::download::Downloaded;
use rovodev::tasks::operators::BackupRow;

pub async fn run(service: &Service, args: DownloadArgs, common: &Common) -> Result<Answer> {
    let Service::Deployment(deployment) = service else {
        return Err(not_cataloged());
    };
    let format = args.format();
    let row = find(service, &args.backup, Some("database")).await?;
    let file = args.file.as_deref();
    let destination = Destination::choose(file, &row.name, format, args.force, common)?;
    let style = Style::choose(common.json, common.progress);
    let bytes = progress::shown(style, async |ctx| match &destination {
        Destination::Stdout => {
            let out = Out::Pipe(tokio::io::stdout());
            deployment.download(ctx, row.id, format, out).await
        }
        Destination::File(file) => {
            whole_file(file, async |out| {
                let out = Out::File(out);
                deployment.download(ctx, row.id, format, out).await
            })
            .await
        }
    })
    .await?;
    let written = Downloaded {
        bytes,
        rows_only: is_rows_alone(&row),
    };
    let backup = (row.id, row.name.as_str());
    Ok(download::told(&written, &destination, backup, common))
}

/// A tenant with a scope is not told of definitions, and its backups hold none.
fn is_rows_alone(row: &BackupRow) -> bool {
    let definitions = row.contents.definitions.as_ref();
    row.holds("database") && definitions.is_none_or(|d| d.status != SchemaStatus::Captured)
}
