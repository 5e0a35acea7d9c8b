pub mod destination;

use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::{self, Answer};
use crate::progress::{self, Style};
use clap::{Args, ValueEnum};
use destination::{Destination, whole_file};
use rovodev::config::Settings;
use rovodev::error::Result;
use rovodev::tasks::backups::Wanted;
use rovodev::tasks::download::{self, DownloadFormat, Downloaded};
use rovodev::tasks::{Context, places};
use serde_json::json;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Write a backup as one file that needs nothing of ours
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev download latest --format sql.zst
  rovodev download latest -o - | zstd -dc | psql -v ON_ERROR_STOP=1 \"$NEW_URL\"
  rovodev download backup_2025-12-22_14-30-00 --format tar --file app.tar

sql.zst and sql.gz are scripts for psql that make the database in an empty
one; tar holds everything the backup holds, file by file. Writes one file and
changes nothing else. An existing file is kept unless --force, and a download
that breaks off leaves none. With --api the deployment sends the file: a line
that breaks is taken up again, and what is too large to be sent from a function
is made ready in its store first.

{}", crate::exit::help()))]
pub struct DownloadArgs {
    /// Name, id (or its first or last digits), or latest
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// What kind of file [default: as the file's name ends, else sql.zst]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to write; - is stdout. By default the backup's name in this directory
    #[arg(short = 'o', long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    #[value(name = "sql.zst")]
    SqlZst,
    #[value(name = "sql.gz")]
    SqlGz,
    #[value(name = "tar")]
    Tar,
}

impl From<Format> for DownloadFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::SqlZst => DownloadFormat::SqlZst,
            Format::SqlGz => DownloadFormat::SqlGz,
            Format::Tar => DownloadFormat::Tar,
        }
    }
}

impl DownloadArgs {
    pub fn format(&self) -> DownloadFormat {
        let named = || named_format(self.file.as_deref()?);
        let format = self.format.or_else(named);
        DownloadFormat::from(format.unwrap_or(Format::SqlZst))
    }
}

pub async fn run(args: DownloadArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let format = args.format();
    let (store, tenant) = (places::store(settings)?, super::tenant(settings)?);
    super::readable(&Context::default(), settings, &store).await?;
    let manifest = super::named(&store, tenant, &args.backup, Wanted::Database).await?;
    let (file, name) = (args.file.as_deref(), &manifest.name);
    let destination = Destination::choose(file, name, format, args.force, common)?;
    let style = Style::choose(common.json, common.progress);
    let written = progress::shown(style, async |ctx| match &destination {
        Destination::Stdout => {
            let mut out = tokio::io::stdout();
            download::download(ctx, &store, &manifest, format, &mut out).await
        }
        Destination::File(file) => {
            whole_file(file, async |out| {
                download::download(ctx, &store, &manifest, format, out).await
            })
            .await
        }
    })
    .await?;
    Ok(told(&written, &destination, (manifest.id, name), common))
}

/// What the name of a file promises.
fn named_format(file: &Path) -> Option<Format> {
    let name = file.file_name()?.to_str()?;
    let ends =
        |format: &Format| name.ends_with(&format!(".{}", DownloadFormat::from(*format).suffix()));
    Format::value_variants().iter().copied().find(ends)
}

/// What there is to say of a download that is whole; stdout has the file itself.
pub fn told(
    written: &Downloaded,
    destination: &Destination,
    (id, name): (Uuid, &str),
    common: &Common,
) -> Answer {
    if written.rows_only && !common.json {
        output::warn("the backup holds no table definitions; the script fills tables that exist");
    }
    let exit = Exit::with_warnings(written.rows_only);
    let Destination::File(file) = destination else {
        return Answer::new(&json!({}), "", exit);
    };
    let result = json!({ "file": file, "bytes": written.bytes, "rowsOnly": written.rows_only,
                         "backup": id, "name": name });
    let text = format!("{} ({})", file.display(), human::bytes(written.bytes));
    Answer::new(&result, text, exit)
}
