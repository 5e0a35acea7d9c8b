//! Where a download goes: a file, which appears whole or not at all, or stdout.

use crate::args::Common;
use rovodev::error::{Code, Error, Result};
use rovodev::tasks::download::DownloadFormat;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tokio::fs::File;

pub enum Destination {
    Stdout,
    File(PathBuf),
}

impl Destination {
    /// # Errors
    /// Where the file would be overwritten unasked, or stdout shows it on a screen.
    pub fn choose(
        file: Option<&Path>,
        backup: &str,
        format: DownloadFormat,
        force: bool,
        common: &Common,
    ) -> Result<Self> {
        let file = match file {
            Some(file) if file == Path::new("-") => {
                refuse_stdout(common)?;
                return Ok(Self::Stdout);
            }
            Some(file) => file.to_path_buf(),
            None => default_file(backup, format),
        };
        if file.exists() && !force {
            let message = format!("{} exists already", file.display());
            return Err(Error::new(Code::ConfirmationNeeded, message)
                .hint("Choose another --file, or say --force to overwrite it."));
        }
        Ok(Self::File(file))
    }
}

fn refuse_stdout(common: &Common) -> Result<()> {
    if common.json || std::io::stdout().is_terminal() {
        return Err(Error::new(Code::Usage, "the file cannot go to stdout here")
            .hint("Name a --file, or send stdout into a file or a program, without --json."));
    }
    Ok(())
}

fn default_file(backup: &str, format: DownloadFormat) -> PathBuf {
    let plain = |c: char| match c.is_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '_',
    };
    let name: String = backup.chars().map(plain).collect();
    let suffix = format.suffix();
    PathBuf::from(format!("{}.{suffix}", name.trim_start_matches('.')))
}

/// Lets `write` fill a file beside `file`, which takes its name once it is whole.
pub async fn whole_file<T>(
    file: &Path,
    write: impl AsyncFnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    let failed = |e: std::io::Error| Error::io(format!("{} cannot be written", file.display()), e);
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let part = NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = File::from_std(part.reopen().map_err(failed)?);
    let written = write(&mut out).await.map_err(|mut e| {
        let not_written = format!("; {} was not written", file.display());
        e.message.push_str(&not_written);
        e
    })?;
    out.sync_all().await.map_err(failed)?;
    part.persist(file).map_err(|e| failed(e.error))?;
    Ok(written)
}
