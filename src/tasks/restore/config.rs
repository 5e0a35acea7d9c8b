//! Bringing configuration files back into a project's folder. What is overwritten is kept beside the file.

use crate::core::manifest::{ConfigFile, Manifest};
use crate::error::{Code, Error, Result};
use crate::ports::store::Store;
use crate::tasks::segments::{explained, fetch_object};
use bytes::Bytes;
use serde::Serialize;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Names of variables, without values: told, never written.
const NAMES: &str = "env.json";

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilePlan {
    pub path: String,
    pub change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    Same,
    Create,
    Overwrite,
}

/// What would change in the folder `project`.
pub async fn plan(store: &Store, backup: &Manifest, project: &Path) -> Result<Vec<FilePlan>> {
    let mut plans = Vec::new();
    for file in files(backup) {
        let content = fetched(store, backup, file).await?;
        let change = match current(&place(project, file)?).await? {
            None => Change::Create,
            Some(now) if now == content => Change::Same,
            Some(_) => Change::Overwrite,
        };
        plans.push(FilePlan {
            path: file.path.clone(),
            change,
        });
    }
    Ok(plans)
}

/// Writes the files that differ, and the folder where there is none, each whole or not at all; an overwritten one is kept as `<name>.undo_<operation>`.
/// Returns how many were written.
pub async fn apply(
    store: &Store,
    backup: &Manifest,
    project: &Path,
    operation: Uuid,
) -> Result<u64> {
    let mut written = 0;
    for file in files(backup) {
        let content = fetched(store, backup, file).await?;
        let path = place(project, file)?;
        match current(&path).await? {
            Some(now) if now == content => continue,
            Some(now) => {
                replace(
                    &path.with_file_name(format!("{}.undo_{operation}", file.path)),
                    &now,
                )
                .await?
            }
            None => {}
        }
        replace(&path, &content).await?;
        written += 1;
    }
    Ok(written)
}

fn files(backup: &Manifest) -> impl Iterator<Item = &ConfigFile> {
    backup.config.iter().filter(|f| f.path != NAMES)
}

/// A manifest is data from outside: its paths must not lead out of the project.
fn place(project: &Path, file: &ConfigFile) -> Result<PathBuf> {
    let plain = !file.path.is_empty()
        && !file.path.starts_with('.')
        && !file.path.contains(['/', '\\', '\0']);
    if plain {
        return Ok(project.join(&file.path));
    }
    Err(Error::new(
        Code::ManifestDamaged,
        format!("{:?} is no name of a configuration file", file.path),
    ))
}

async fn fetched(store: &Store, backup: &Manifest, file: &ConfigFile) -> Result<Bytes> {
    let fetched = fetch_object(store, &file.object).await;
    fetched.map_err(|e| explained(e, backup, Some(&format!("{} was not written", file.path))))
}

async fn current(path: &Path) -> Result<Option<Vec<u8>>> {
    match tokio::fs::read(path).await {
        Ok(content) => Ok(Some(content)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(path, e)),
    }
}

async fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let (path, content) = (path.to_path_buf(), content.to_vec());
    let shown = path.clone();
    let write = move || {
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        // It is the place that was asked for.
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, &content)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(|e| Error::new(Code::Internal, "writing a file stopped").source(e))?
        .map_err(|e| failed(&shown, e))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io(path.display(), error)
}
