use crate::args::Common;
use crate::exit::Exit;
use crate::human;
use crate::output::{self, Answer};
use crate::progress::{self, Style};
use clap::{Args, ValueEnum};
use rovodev::config::Settings;
use rovodev::core::manifest::Manifest;
use rovodev::error::{Code, Error, Result};
use rovodev::ports::store::Store;
use rovodev::tasks::backups::Wanted;
use rovodev::tasks::download::{self, DownloadFormat, Downloaded};
use rovodev::tasks::{Context, places};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Write a backup as one file that needs nothing of ours
#[derive(Args)]
#[command(after_long_help = format!("\
Examples:
  rovodev download latest --format sql.zst
  rovodev download latest --file - | zstd -dc | psql \"$NEW_DATABASE_URL\"
  rovodev download backup_2025-12-22_14-30-00 --format tar --file app.tar

sql.zst and sql.gz are scripts for psql that make the database in an empty
one; tar holds everything the backup holds, file by file. Writes one file and
changes nothing else. An existing file is kept unless --force.

{}", crate::exit::help()))]
pub struct DownloadArgs {
    /// Name, id (or its first or last digits), or latest
    #[arg(value_name = "BACKUP")]
    backup: String,
    /// What kind of file [default: as the file's name ends, else sql.zst]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to write; - is stdout. By default the backup's name in this directory
    #[arg(short = 'o', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
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

pub async fn run(args: DownloadArgs, common: &Common, settings: &Settings) -> Result<Answer> {
    let format = args.format.or_else(|| named_format(args.file.as_deref()?));
    let format = DownloadFormat::from(format.unwrap_or(Format::SqlZst));
    let store = places::store(settings)?;
    super::readable(&Context::default(), settings, &store).await?;
    let manifest = super::named(&store, &args.backup, Wanted::Database).await?;
    let style = Style::choose(common.json, common.progress);
    if args.file.as_deref() == Some(Path::new("-")) {
        return to_stdout(&store, &manifest, format, common, style).await;
    }
    let file = args.file.unwrap_or_else(|| default_file(&manifest, format));
    if file.exists() && !args.force {
        let message = format!("{} exists already", file.display());
        return Err(Error::new(Code::ConfirmationNeeded, message)
            .hint("Choose another --file, or say --force to overwrite it."));
    }
    let written = progress::shown(style, async |ctx| {
        to_file(ctx, &store, &manifest, format, &file).await
    })
    .await?;
    let result = json!({ "file": file, "bytes": written.bytes, "rowsOnly": written.rows_only,
                         "backup": manifest.id, "name": manifest.name });
    let text = format!("{} ({})", file.display(), human::bytes(written.bytes));
    warn_of_rows_alone(&written, common);
    Ok(Answer::new(
        &result,
        text,
        Exit::with_warnings(written.rows_only),
    ))
}

/// What the name of a file promises.
fn named_format(file: &Path) -> Option<Format> {
    let name = file.file_name()?.to_str()?;
    let ends =
        |format: &Format| name.ends_with(&format!(".{}", DownloadFormat::from(*format).suffix()));
    Format::value_variants().iter().copied().find(ends)
}

/// The file appears whole under its name, or not at all.
async fn to_file(
    ctx: &Context,
    store: &Store,
    manifest: &Manifest,
    format: DownloadFormat,
    file: &Path,
) -> Result<Downloaded> {
    let failed = |e: std::io::Error| Error::io(format!("{} cannot be written", file.display()), e);
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let part = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = tokio::fs::File::from_std(part.reopen().map_err(failed)?);
    let written = download::download(ctx, store, manifest, format, &mut out)
        .await
        .map_err(|mut e| {
            e.message
                .push_str(&format!("; {} was not written", file.display()));
            e
        })?;
    out.sync_all().await.map_err(failed)?;
    part.persist(file).map_err(|e| failed(e.error))?;
    Ok(written)
}

async fn to_stdout(
    store: &Store,
    manifest: &Manifest,
    format: DownloadFormat,
    common: &Common,
    style: Style,
) -> Result<Answer> {
    if common.json || std::io::stdout().is_terminal() {
        return Err(Error::new(Code::Usage, "the file cannot go to stdout here")
            .hint("Name a --file, or send stdout into a file or a program, without --json."));
    }
    let mut out = tokio::io::stdout();
    let written = progress::shown(style, async |ctx| {
        download::download(ctx, store, manifest, format, &mut out).await
    })
    .await?;
    warn_of_rows_alone(&written, common);
    Ok(Answer::new(
        &json!({}),
        "",
        Exit::with_warnings(written.rows_only),
    ))
}

fn warn_of_rows_alone(written: &Downloaded, common: &Common) {
    if written.rows_only && !common.json {
        output::warn("the backup holds no table definitions; the script fills tables that exist");
    }
}

fn default_file(manifest: &Manifest, format: DownloadFormat) -> PathBuf {
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = manifest.name.chars().map(plain).collect();
    PathBuf::from(format!(
        "{}.{}",
        name.trim_start_matches('.'),
        format.suffix()
    ))
}
