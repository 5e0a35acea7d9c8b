//! How `pg_dump` is started: as an installed program, or as a bundle that brings its own libraries.

use crate::error::{Code, Error, Result};
use serde::Deserialize;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::process::Command;

const BUNDLE_FILE: &str = "bundle.json";

/// What is needed of the `bundle.json` that `bin/bundle-pg-dump` writes.
#[derive(Deserialize)]
struct Bundle {
    /// File name of the dynamic loader inside the folder.
    loader: String,
}

/// A program and its fixed first arguments.
#[derive(Debug, Clone)]
pub(super) struct Program {
    file: PathBuf,
    first: Vec<OsString>,
    /// Holds a loader that had to be copied; removed with the last clone.
    _copy: Option<Arc<TempDir>>,
}

pub(super) fn is_bundle(folder: &Path) -> bool {
    folder.join(BUNDLE_FILE).is_file()
}

impl Program {
    /// A `pg_dump` program, or a folder that holds a bundle.
    pub(super) fn at(path: &Path) -> Result<Program> {
        if is_bundle(path) {
            return Self::in_bundle(path);
        }
        if path.is_dir() {
            return Err(unusable("it is a folder without bundle.json"));
        }
        if !path.is_file() {
            return Err(unusable("there is no such file"));
        }
        Ok(Program {
            file: path.to_path_buf(),
            first: Vec::new(),
            _copy: None,
        })
    }

    /// The loader starts `pg_dump` with the folder's libraries alone. Only the loader needs the run bit.
    fn in_bundle(folder: &Path) -> Result<Program> {
        let unreadable = |e: std::io::Error| unusable("the bundle cannot be read").source(e);
        let text = std::fs::read(folder.join(BUNDLE_FILE)).map_err(unreadable)?;
        let bundle: Bundle = serde_json::from_slice(&text)
            .map_err(|e| unusable(format!("bundle.json cannot be read: {e}")))?;
        let folder = folder.canonicalize().map_err(unreadable)?;
        let loader = folder.join(&bundle.loader);
        let mode = loader.metadata().map_err(unreadable)?.permissions().mode();
        let (file, copy) = if mode & 0o111 == 0 {
            let (file, copy) = copy_with_run_bit(&loader)?;
            (file, Some(Arc::new(copy)))
        } else {
            (loader, None)
        };
        Ok(Program {
            file,
            first: vec![
                "--library-path".into(),
                folder.clone().into(),
                folder.join("pg_dump").into(),
            ],
            _copy: copy,
        })
    }

    /// Starts from an environment without anything of ours: no setting, no secret passes by accident.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command
            .args(&self.first)
            .env_clear()
            .env("LC_ALL", "C")
            .env("PGAPPNAME", "rovodev")
            .env("PGGSSENCMODE", "disable");
        command
    }
}

/// Packing and unpacking of a function's files may lose run bits, and its folder is read-only.
fn copy_with_run_bit(loader: &Path) -> Result<(PathBuf, TempDir)> {
    let failed = |e: std::io::Error| {
        unusable(format!(
            "its loader {} has no run bit and cannot be copied",
            loader.display()
        ))
        .source(e)
    };
    let folder = TempDir::with_prefix("rovodev-pg_dump-").map_err(failed)?;
    let copy = folder.path().join("loader");
    std::fs::copy(loader, &copy).map_err(failed)?;
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    Ok((copy, folder))
}

fn unusable(why: impl Into<String>) -> Error {
    Error::new(Code::PgDumpFailed, why)
}
